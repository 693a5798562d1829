"""Broken and hostile images."""

from __future__ import annotations

import io
import struct
import zlib

from hostile_case import OPENS, UNREADABLE, half
from hostile_pdfs import sound_pdf
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

register_heif_opener()


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


def heic_of_size(width: int, height: int) -> bytes:
    """A HEIC whose spatial extents property claims that size (ISO/IEC 23008-12, 6.5.3)."""
    sound = bytearray(encoded(picture(), "HEIF"))
    struct.pack_into("!II", sound, sound.index(b"ispe") + 8, width, height)
    return bytes(sound)


def jpeg_that_is_a_pdf_as_well() -> bytes:
    """A JPEG that many readers would open as a PDF."""
    return encoded(picture(), "JPEG") + sound_pdf()


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", checksum)


IMAGES = (
    ("png: claims 100,000 a side", lambda: png_of_size(100_000, 100_000), "page_too_large"),
    ("png: claims 81 megapixels", lambda: png_of_size(9_000, 9_000), "page_too_large"),
    ("png: claims no width", lambda: png_of_size(0, 10), UNREADABLE),
    ("png: too little data", lambda: png_of_size(5_000, 5_000), UNREADABLE),
    ("png: comment of 200 MB", png_text_bomb, UNREADABLE),
    ("png: cut in half", lambda: half(encoded(picture(), "PNG")), UNREADABLE),
    ("tiff: claims 60,000 a side", lambda: tiff_of_size(60_000, 60_000), "page_too_large"),
    ("tiff: too little data", lambda: tiff_of_size(5_000, 5_000), UNREADABLE),
    ("tiff: directory that follows itself", cyclic_tiff, OPENS),
    ("tiff: too many pages", lambda: tiff_of_pages(51), "too_many_pages"),
    ("tiff: only the magic", lambda: b"II*\0", UNREADABLE),
    ("webp: claims 16,000 a side", lambda: webp_of_size(16_000, 16_000), "page_too_large"),
    ("webp: cut in half", lambda: half(encoded(picture(), "WEBP")), UNREADABLE),
    ("bmp: claims 30,000 a side", lambda: bmp_of_size(30_000, 30_000), "page_too_large"),
    ("bmp: negative width", lambda: bmp_of_size(-200, 100), "page_too_large"),
    ("jpeg: claims 65,000 a side", lambda: jpeg_of_size(65_000, 65_000), "page_too_large"),
    ("jpeg: cut in half", lambda: half(encoded(picture(2000, 1000), "JPEG")), UNREADABLE),
    ("jpeg: a PDF as well", jpeg_that_is_a_pdf_as_well, OPENS),
    ("heic: claims 30,000 a side", lambda: heic_of_size(30_000, 30_000), "page_too_large"),
    ("heic: other size than coded", lambda: heic_of_size(5_000, 5_000), UNREADABLE),
    ("heic: only the brand", lambda: b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", UNREADABLE),
    ("heic: cut in half", lambda: half(encoded(picture(), "HEIF")), UNREADABLE),
)
