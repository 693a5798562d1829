"""Broken and hostile PDFs."""

from __future__ import annotations

import zlib

from fpdf import FPDF
from fpdf.enums import EncryptionMethod
from hostile_case import OPENS, UNREADABLE, half


def pdf_of(objects: list[bytes], *, size: int | None = None) -> bytes:
    """A PDF of these objects, numbered from 1; object 1 is the catalog."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    count = len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % count
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        size or count,
        start,
    )
    return bytes(out)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def pdf_page(
    content: bytes,
    *,
    box: bytes = b"0 0 595 842",
    resources: bytes = b"",
    entries: bytes = b"",
    content_entries: bytes = b"",
    more: tuple[bytes, ...] = (),
) -> bytes:
    """A PDF of one page with that content stream; further objects are numbered from 5."""
    return pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents 4 0 R"
            b" /Resources << %s >> %s >>" % (box, resources, entries),
            stream(content, content_entries),
            *more,
        ]
    )


HELVETICA = b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"


def sound_pdf(pages: int = 1, text: str = "Invoice 4711") -> bytes:
    """A PDF that is in order."""
    document = FPDF()
    document.set_font("Helvetica", size=12)
    for number in range(1, pages + 1):
        document.add_page()
        document.cell(text=f"{text} page {number}")
    return bytes(document.output())


def encrypted_pdf(user_password: str | None) -> bytes:
    """A PDF with an owner password, and a user password where one is given."""
    document = FPDF()
    document.set_encryption(
        owner_password="owner", user_password=user_password, encryption_method=EncryptionMethod.RC4
    )
    document.add_page()
    document.set_font("Helvetica", size=12)
    document.cell(text="Invoice 4711")
    return bytes(document.output())


def recursive_form_pdf(content: bytes = b"/X Do") -> bytes:
    """A form XObject that draws itself; drawing itself twice takes exponential time."""
    form = stream(
        content,
        b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >>",
    )
    return pdf_page(b"/X Do", resources=b"/XObject << /X 5 0 R >>", more=(form,))


def recursive_pattern_pdf() -> bytes:
    """A tiling pattern that is painted with itself."""
    pattern = stream(
        b"/Pattern cs /P scn 0 0 9 9 re f",
        b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 9"
        b" /YStep 9 /Resources << /Pattern << /P 5 0 R >> >>",
    )
    return pdf_page(
        b"/Pattern cs /P scn 0 0 500 500 re f",
        resources=b"/Pattern << /P 5 0 R >>",
        more=(pattern,),
    )


def flate_bomb_pdf() -> bytes:
    """Content that unpacks twice, to one gigabyte."""
    packer = zlib.compressobj(9)
    inner = b"".join(packer.compress(b"\0" * 10_000_000) for _ in range(100)) + packer.flush()
    return pdf_page(zlib.compress(inner, 9), content_entries=b"/Filter [/FlateDecode /FlateDecode]")


def endless_drawing_pdf(strokes: int = 3_000_000) -> bytes:
    """Millions of page-wide curves in 300 kB: processor time without end."""
    curves = b"0 0 m 900 9 -900 800 595 842 c S\n" * strokes
    return pdf_page(
        zlib.compress(b"9 w\n" + curves, 9),
        content_entries=b"/Filter /FlateDecode",
    )


def cyclic_page_tree_pdf() -> bytes:
    """A page tree that is its own child."""
    return pdf_of(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"]
    )


def boastful_page_tree_pdf() -> bytes:
    """One page, and a page tree that claims two thousand million."""
    return sound_pdf().replace(b"/Count 1\n", b"/Count 2000000000\n", 1)


def huge_image_pdf() -> bytes:
    """A page with an image of 100,000 x 100,000 pixels and four bytes of data."""
    image = stream(
        b"\0\0\0\0",
        b"/Type /XObject /Subtype /Image /Width 100000 /Height 100000 /BitsPerComponent 8"
        b" /ColorSpace /DeviceRGB",
    )
    return pdf_page(
        b"500 0 0 500 0 0 cm /X Do", resources=b"/XObject << /X 5 0 R >>", more=(image,)
    )


def deep_array_pdf() -> bytes:
    """Arrays in arrays, 100,000 deep."""
    return pdf_page(b"", entries=b"/Rotate " + b"[" * 100_000 + b"]" * 100_000)


PDFS = (
    ("pdf: a form that draws itself", recursive_form_pdf, OPENS),
    ("pdf: a form that draws itself twice", lambda: recursive_form_pdf(b"/X Do /X Do"), UNREADABLE),
    ("pdf: a pattern painted with itself", recursive_pattern_pdf, UNREADABLE),
    ("pdf: double flate bomb", flate_bomb_pdf, UNREADABLE),
    ("pdf: endless drawing", endless_drawing_pdf, UNREADABLE),
    ("pdf: page a kilometre wide", lambda: pdf_page(b"", box=b"0 0 2834646 842"), "page_too_large"),
    ("pdf: page box beyond integers", lambda: pdf_page(b"", box=b"0 0 1e38 9e99"), OPENS),
    ("pdf: page box turned inside out", lambda: pdf_page(b"", box=b"595 842 0 0"), OPENS),
    ("pdf: page box empty", lambda: pdf_page(b"", box=b"0 0 0 0"), OPENS),
    (
        "pdf: no pages",
        lambda: pdf_of(
            [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"]
        ),
        "empty_document",
    ),
    ("pdf: too many pages", lambda: sound_pdf(pages=51), "too_many_pages"),
    ("pdf: page tree with itself as a child", cyclic_page_tree_pdf, UNREADABLE),
    ("pdf: page tree that boasts", boastful_page_tree_pdf, OPENS),
    ("pdf: image of 10,000 megapixels", huge_image_pdf, OPENS),
    ("pdf: arrays 100,000 deep", deep_array_pdf, OPENS),
    ("pdf: user password", lambda: encrypted_pdf("secret"), "encrypted_document"),
    ("pdf: owner password only", lambda: encrypted_pdf(None), OPENS),
    ("pdf: cut in half", lambda: half(sound_pdf(pages=3)), UNREADABLE),
    ("pdf: only the first bytes", lambda: b"%PDF-1.7\n", UNREADABLE),
    ("pdf: noise after the magic", lambda: b"%PDF-1.7\n" + bytes(range(256)) * 400, UNREADABLE),
    ("pdf: bytes before the magic", lambda: b"\0\0" + sound_pdf(), "unsupported_media_type"),
)
