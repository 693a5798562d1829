"""Broken and hostile documents as bytes, each with what must become of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from fpdf import FPDF
from fpdf.enums import EncryptionMethod
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

OPENS = "opens"
register_heif_opener()


@dataclass(frozen=True)
class Hostile:
    """One document.

    `expected` is the code of the right error, or `OPENS` where every page can be read.
    """

    name: str
    build: Callable[[], bytes]
    expected: str


def hostile_documents() -> tuple[Hostile, ...]:
    """All of them."""
    return tuple(Hostile(*case) for case in (*_PDFS, *_IMAGES, *_XMLS, *_OTHERS))


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


def picture(width: int = 200, height: int = 100) -> Image.Image:
    """A white picture with a black bar at its top."""
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).rectangle((0, 0, width, height // 4), fill="black")
    return image


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    """An image file."""
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


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
    """Millions of page-wide curves in a few kilobytes: processor time without end."""
    curves = b"0 0 m 900 9 -900 800 595 842 c S\n" * strokes
    return pdf_page(
        b"9 w 1 0 0 RG " and zlib.compress(b"9 w\n" + curves, 9),
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


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims that size."""
    header = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + _png_chunk(b"IEND", b"")
    )


def png_text_bomb() -> bytes:
    """A PNG whose compressed comment unpacks to 200 MB."""
    sound = encoded(picture(), "PNG")
    comment = _png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 200_000_000, 9))
    return sound[:33] + comment + sound[33:]


def tiff_of_size(width: int, height: int) -> bytes:
    """An uncompressed TIFF whose directory claims that size."""
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    tags += [(278, height), (279, width * height & 0xFFFFFFFF)]
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + b"\0" * 64


def cyclic_tiff() -> bytes:
    """A TIFF whose first directory is followed by itself."""
    sound = bytearray(encoded(picture().convert("L"), "TIFF"))
    start = struct.unpack_from("<I", sound, 4)[0]
    entries = struct.unpack_from("<H", sound, start)[0]
    struct.pack_into("<I", sound, start + 2 + 12 * entries, start)
    return bytes(sound)


def tiff_of_pages(count: int) -> bytes:
    """A TIFF of that many small pages."""
    pages = [picture(40 + number, 30) for number in range(count)]
    return encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])


def webp_of_size(width: int, height: int) -> bytes:
    """A lossless WebP whose header claims that size (14 bits each, after the signature byte)."""
    sound = bytearray(encoded(picture(), "WEBP", lossless=True))
    start = sound.index(b"VP8L") + 9
    flags = struct.unpack_from("<I", sound, start)[0] >> 28
    struct.pack_into("<I", sound, start, flags << 28 | (height - 1) << 14 | (width - 1))
    return bytes(sound)


def bmp_of_size(width: int, height: int) -> bytes:
    """A BMP whose header claims that size."""
    sound = bytearray(encoded(picture(), "BMP"))
    struct.pack_into("<ii", sound, 18, width, height)
    return bytes(sound)


def jpeg_of_size(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims that size."""
    sound = bytearray(encoded(picture(), "JPEG"))
    start = sound.index(b"\xff\xc0")
    struct.pack_into("!HH", sound, start + 5, height, width)
    return bytes(sound)


def jpeg_that_is_a_pdf_as_well() -> bytes:
    """A JPEG that many readers would open as a PDF."""
    return encoded(picture(), "JPEG") + sound_pdf()


def billion_laughs() -> bytes:
    """Entities that expand to gigabytes."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return (
        f'<?xml version="1.0"?><!DOCTYPE Invoice [<!ENTITY e0 "lol">{levels}]>'
        '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">&e9;</Invoice>'
    ).encode()


def external_entity() -> bytes:
    """An entity that names a file of the server."""
    return (
        b'<?xml version="1.0"?><!DOCTYPE Invoice [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" '
        b'xmlns:b="urn:b"><b:ID>&x;</b:ID></Invoice>'
    )


def external_subset() -> bytes:
    """A document type that lives on another host."""
    return (
        b'<?xml version="1.0"?><!DOCTYPE Invoice SYSTEM "http://192.0.2.1/invoice.dtd">'
        b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>'
    )


def ubl_invoice(body: str) -> bytes:
    """A UBL invoice with that content."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" '
        'xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">'
        f"{body}</Invoice>"
    ).encode()


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", checksum)


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


_CRASH = "unreadable_document"

_PDFS = (
    ("pdf: a form that draws itself", recursive_form_pdf, OPENS),
    ("pdf: a form that draws itself twice", lambda: recursive_form_pdf(b"/X Do /X Do"), _CRASH),
    ("pdf: a pattern painted with itself", recursive_pattern_pdf, _CRASH),
    ("pdf: double flate bomb", flate_bomb_pdf, _CRASH),
    ("pdf: endless drawing", endless_drawing_pdf, _CRASH),
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
    ("pdf: page tree with itself as a child", cyclic_page_tree_pdf, _CRASH),
    ("pdf: page tree that boasts", boastful_page_tree_pdf, OPENS),
    ("pdf: image of 10,000 megapixels", huge_image_pdf, OPENS),
    ("pdf: arrays 100,000 deep", deep_array_pdf, OPENS),
    ("pdf: user password", lambda: encrypted_pdf("secret"), "encrypted_document"),
    ("pdf: owner password only", lambda: encrypted_pdf(None), OPENS),
    ("pdf: cut in half", lambda: _half(sound_pdf(pages=3)), _CRASH),
    ("pdf: only the first bytes", lambda: b"%PDF-1.7\n", _CRASH),
    ("pdf: noise after the magic", lambda: b"%PDF-1.7\n" + bytes(range(256)) * 400, _CRASH),
    ("pdf: bytes before the magic", lambda: b"\0\0" + sound_pdf(), "unsupported_media_type"),
)

_IMAGES = (
    ("png: claims 100,000 a side", lambda: png_of_size(100_000, 100_000), "page_too_large"),
    ("png: claims 81 megapixels", lambda: png_of_size(9_000, 9_000), "page_too_large"),
    ("png: claims no width", lambda: png_of_size(0, 10), _CRASH),
    ("png: too little data", lambda: png_of_size(5_000, 5_000), _CRASH),
    ("png: comment of 200 MB", png_text_bomb, _CRASH),
    ("png: cut in half", lambda: _half(encoded(picture(), "PNG")), _CRASH),
    ("tiff: claims 60,000 a side", lambda: tiff_of_size(60_000, 60_000), "page_too_large"),
    ("tiff: too little data", lambda: tiff_of_size(5_000, 5_000), _CRASH),
    ("tiff: directory that follows itself", cyclic_tiff, OPENS),
    ("tiff: too many pages", lambda: tiff_of_pages(51), "too_many_pages"),
    ("tiff: only the magic", lambda: b"II*\0", _CRASH),
    ("webp: claims 16,000 a side", lambda: webp_of_size(16_000, 16_000), "page_too_large"),
    ("webp: cut in half", lambda: _half(encoded(picture(), "WEBP")), _CRASH),
    ("bmp: claims 30,000 a side", lambda: bmp_of_size(30_000, 30_000), "page_too_large"),
    ("bmp: negative width", lambda: bmp_of_size(-200, 100), "page_too_large"),
    ("jpeg: claims 65,000 a side", lambda: jpeg_of_size(65_000, 65_000), "page_too_large"),
    ("jpeg: cut in half", lambda: _half(encoded(picture(2000, 1000), "JPEG")), _CRASH),
    ("jpeg: a PDF as well", jpeg_that_is_a_pdf_as_well, OPENS),
    ("heic: only the brand", lambda: b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", _CRASH),
    ("heic: cut in half", lambda: _half(encoded(picture(), "HEIF")), _CRASH),
)

_XMLS = (
    ("xml: billion laughs", billion_laughs, _CRASH),
    ("xml: external entity", external_entity, _CRASH),
    ("xml: external subset", external_subset, _CRASH),
    ("xml: 200,000 deep", lambda: ubl_invoice("<a>" * 200_000 + "</a>" * 200_000), _CRASH),
    ("xml: one text of 15 MB", lambda: ubl_invoice(f"<cbc:ID>{'a' * 15_000_000}</cbc:ID>"), _CRASH),
    ("xml: cut in half", lambda: _half(ubl_invoice("<cbc:ID>4711</cbc:ID>")), _CRASH),
    ("xml: number of 5,000 digits", lambda: ubl_invoice(f"<cbc:ID>{'9' * 5000}</cbc:ID>"), OPENS),
    (
        "xml: UTF-16",
        lambda: (
            ubl_invoice("<cbc:ID>1</cbc:ID>").decode().replace("UTF-8", "UTF-16").encode("utf-16")
        ),
        OPENS,
    ),
    (
        "xml: another vocabulary",
        lambda: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        "unsupported_media_type",
    ),
    (
        "xml: an order",
        lambda: b"<?xml version='1.0'?><SCRDMCCBDACIOMessageStructure/>",
        "unsupported_media_type",
    ),
    (
        "html",
        lambda: b"<!DOCTYPE html><html><body><p>Invoice<br></body></html>",
        "unsupported_media_type",
    ),
)

_OTHERS = (
    ("no bytes", lambda: b"", "empty_document"),
    ("zero bytes", lambda: bytes(1000), "unsupported_media_type"),
    ("white space", lambda: b" " * 1000, "unsupported_media_type"),
    ("gif", lambda: encoded(picture(), "GIF"), "unsupported_media_type"),
    ("zip", lambda: b"PK\x05\x06" + bytes(18), "unsupported_media_type"),
    ("text", lambda: b"BMW invoice 4711", "unsupported_media_type"),
    ("too many bytes", lambda: b"%PDF-1.7\n" + bytes(20_000_000), "payload_too_large"),
)
