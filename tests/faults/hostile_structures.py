"""PDFs whose structure loops, lies, acts or hides something."""

from __future__ import annotations

import zlib

from hostile_case import OPENS, UNREADABLE
from hostile_pdfs import HELVETICA, pdf_of, pdf_page, sound_pdf, stream


def catalog(entries: bytes, *more: bytes) -> bytes:
    """A PDF of one empty page whose catalog has these entries; objects are numbered from 4."""
    return pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R %s >>" % entries,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
            *more,
        ]
    )


def text_page(text: bytes, *, before: bytes = b"") -> bytes:
    """A page that shows a PDF string."""
    content = before + b"BT /F1 12 Tf 50 700 Td (%s) Tj ET" % text
    return pdf_page(content, resources=HELVETICA)


def image_page(image: bytes) -> bytes:
    """A page that shows an image object."""
    return pdf_page(
        b"500 0 0 500 0 0 cm /X Do", resources=b"/XObject << /X 5 0 R >>", more=(image,)
    )


def image_of(data: bytes, entries: bytes) -> bytes:
    """An image object of 100 by 100."""
    size = b"/Type /XObject /Subtype /Image /Width 100 /Height 100 /BitsPerComponent 8 "
    return stream(data, size + entries)


def endless_cross_references() -> bytes:
    """A table of objects whose predecessor is itself."""
    sound = sound_pdf()
    start = sound.rindex(b"startxref\n") + 10
    offset = sound[start : sound.index(b"\n", start)]
    return sound.replace(b"trailer\n<<", b"trailer\n<< /Prev %s" % offset)


def own_parent() -> bytes:
    """A page that inherits from itself."""
    return pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 3 0 R >>",
        ]
    )


def glyph_that_shows_itself() -> bytes:
    """A font whose letter is drawn with that letter."""
    font = (
        b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [.1 0 0 .1 0 0]"
        b" /FirstChar 65 /LastChar 65 /Widths [9] /CharProcs << /A 6 0 R >>"
        b" /Encoding << /Differences [65 /A] >> /Resources << /Font << /F1 5 0 R >> >> >>"
    )
    glyph = stream(b"9 0 d0 BT /F1 1 Tf (A) Tj ET")
    return pdf_page(
        b"BT /F1 12 Tf (A) Tj ET", resources=b"/Font << /F1 5 0 R >>", more=(font, glyph)
    )


def mask_of_itself() -> bytes:
    """An image that is its own mask."""
    return image_page(image_of(bytes(30_000), b"/ColorSpace /DeviceRGB /SMask 5 0 R"))


def many_annotations(count: int = 5000) -> bytes:
    """A page full of notes."""
    note = b"<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents (x) >>"
    return pdf_page(b"", entries=b"/Annots [" + note * count + b"]")


def patched(times: int = 200) -> bytes:
    """A PDF that was changed again and again, each time at its end."""
    out = bytearray(pdf_page(b""))
    for _ in range(times):
        start = out.rindex(b"startxref\n") + 10
        offset = bytes(out[start : out.index(b"\n", start)])
        here = len(out)
        out += b"xref\n0 0\ntrailer\n<< /Size 9 /Root 1 0 R /Prev %s >>\n" % offset
        out += b"startxref\n%d\n%%%%EOF\n" % here
    return bytes(out)


def _packed(content: bytes, filters: bytes) -> bytes:
    return pdf_page(content, content_entries=b"/Filter %s" % filters)


STRUCTURES = (
    (
        "pdf: runs a script",
        lambda: catalog(b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >>"),
        OPENS,
    ),
    ("pdf: starts a program", lambda: catalog(b"/OpenAction << /S /Launch /F (cmd.exe) >>"), OPENS),
    (
        "pdf: opens an address",
        lambda: catalog(b"/OpenAction << /S /URI /URI (http://192.0.2.1) >>"),
        OPENS,
    ),
    (
        "pdf: form by XML",
        lambda: catalog(b"/AcroForm << /XFA 4 0 R /Fields [] >>", stream(b"<xdp/>")),
        OPENS,
    ),
    (
        "pdf: outline that loops",
        lambda: catalog(b"/Outlines 4 0 R", b"<< /First 4 0 R /Next 4 0 R >>"),
        OPENS,
    ),
    (
        "pdf: names that loop",
        lambda: catalog(b"/Names << /EmbeddedFiles 4 0 R >>", b"<< /Kids [4 0 R] >>"),
        OPENS,
    ),
    (
        "pdf: attachment that is none",
        lambda: catalog(
            b"/Names << /EmbeddedFiles << /Names [(factur-x.xml) 4 0 R] >> >>", b"<< /F (x) >>"
        ),
        OPENS,
    ),
    ("pdf: table of objects that loops", endless_cross_references, OPENS),
    ("pdf: page that inherits from itself", own_parent, OPENS),
    ("pdf: glyph that shows itself", glyph_that_shows_itself, OPENS),
    ("pdf: image that masks itself", mask_of_itself, OPENS),
    ("pdf: 5,000 notes", many_annotations, OPENS),
    ("pdf: changed 200 times", patched, OPENS),
    ("pdf: turned by 7 degrees", lambda: pdf_page(b"", entries=b"/Rotate 7"), OPENS),
    ("pdf: unit of a million", lambda: pdf_page(b"", entries=b"/UserUnit 1000000"), OPENS),
    (
        "pdf: a million saved states",
        lambda: _packed(zlib.compress(b"q " * 1_000_000), b"/FlateDecode"),
        OPENS,
    ),
    (
        "pdf: content in twenty filters",
        lambda: _packed(b"00>", b"[" + b"/ASCIIHexDecode " * 20 + b"]"),
        OPENS,
    ),
    ("pdf: content of a filter nobody knows", lambda: _packed(b"x", b"/NoDecode"), OPENS),
    ("pdf: content that is no Flate", lambda: _packed(b"no zlib", b"/FlateDecode"), OPENS),
    ("pdf: length below zero", lambda: pdf_page(b"").replace(b"/Length 0", b"/Length -9"), OPENS),
    (
        "pdf: length beyond the file",
        lambda: pdf_page(b"").replace(b"/Length 0", b"/Length 999999999"),
        OPENS,
    ),
    (
        "pdf: image of broken JPEG",
        lambda: image_page(
            image_of(b"\xff\xd8nothing", b"/ColorSpace /DeviceRGB /Filter /DCTDecode")
        ),
        OPENS,
    ),
    (
        "pdf: image of broken JPEG 2000",
        lambda: image_page(image_of(b"\0\0\0\x0cjP  ", b"/Filter /JPXDecode")),
        OPENS,
    ),
    (
        "pdf: image of broken JBIG2",
        lambda: image_page(
            image_of(b"\x97JB2\r\n", b"/ColorSpace /DeviceGray /Filter /JBIG2Decode")
        ),
        OPENS,
    ),
    (
        "pdf: image of broken fax",
        lambda: image_page(
            image_of(b"\xff" * 99, b"/ColorSpace /DeviceGray /Filter /CCITTFaxDecode")
        ),
        OPENS,
    ),
    ("pdf: text from right to left", lambda: text_page(b"\\342\\200\\256 99.1 latoT"), OPENS),
    (
        "pdf: control characters as text",
        lambda: text_page(bytes(range(1, 32)).replace(b"\r", b"").replace(b"\n", b"")),
        OPENS,
    ),
    ("pdf: text of zero width", lambda: text_page(b"Total 19.90", before=b"0 Tz "), OPENS),
    (
        "pdf: text of a font size of 1e9",
        lambda: pdf_page(b"BT /F1 1000000000 Tf (A) Tj ET", resources=HELVETICA),
        OPENS,
    ),
    (
        "pdf: 100,000 words on one spot",
        lambda: pdf_page(
            b"BT /F1 1 Tf " + b"(a b) Tj 0 0 Td " * 50_000 + b"ET", resources=HELVETICA
        ),
        OPENS,
    ),
    ("pdf: version 9.9", lambda: sound_pdf().replace(b"%PDF-1", b"%PDF-9", 1), OPENS),
    ("pdf: no trailer", lambda: sound_pdf().replace(b"trailer", b"nothing"), UNREADABLE),
    (
        "pdf: root that is a number",
        lambda: sound_pdf().replace(b"/Root ", b"/Root 7 % "),
        UNREADABLE,
    ),
)
