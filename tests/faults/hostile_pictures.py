"""Odd and broken pictures: colour modes, EXIF, frames, damaged structures."""

from __future__ import annotations

import io
import struct
import zlib

from hostile_case import OPENS, UNREADABLE
from hostile_images import encoded, picture
from PIL import Image


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))


def png_with(kind: bytes, data: bytes) -> bytes:
    """A sound PNG with one chunk more, behind its header."""
    sound = encoded(picture(), "PNG")
    return sound[:33] + _png_chunk(kind, data) + sound[33:]


def png_header(width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG whose header says that, with some data."""
    header = struct.pack("!IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", zlib.compress(bytes(1000)))
        + _png_chunk(b"IEND", b"")
    )


def png_bad_checksum() -> bytes:
    """A PNG whose data does not fit its checksum."""
    sound = bytearray(encoded(picture(), "PNG"))
    sound[sound.index(b"IDAT") + 6] ^= 0xFF
    return bytes(sound)


def animated(image_format: str, frames: int) -> bytes:
    """A film."""
    more = [picture(200, 100 + n % 2) for n in range(frames - 1)]
    more = [frame.resize((200, 100)) for frame in more]
    return encoded(picture(), image_format, save_all=True, append_images=more)


def exif_jpeg(orientation: int) -> bytes:
    """A JPEG that says how it is turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(), "JPEG", exif=exif)


def raw_exif_jpeg(payload: bytes) -> bytes:
    """A JPEG with these bytes as EXIF."""
    return encoded(picture(), "JPEG", exif=b"Exif\0\0" + payload)


def looping_exif() -> bytes:
    """EXIF whose first directory is followed by itself."""
    directory = struct.pack("<HHHII", 1, 0x0112, 3, 1, 6) + struct.pack("<I", 8)
    return raw_exif_jpeg(b"II*\0" + struct.pack("<I", 8) + directory)


def many_scans_jpeg(scans: int = 2000) -> bytes:
    """A progressive JPEG whose last scan comes again and again: time out of little data."""
    sound = encoded(picture(2000, 2000), "JPEG", progressive=True)
    last = sound.rindex(b"\xff\xda")
    return sound[:last] + sound[last:-2] * scans + sound[-2:]


def flipped_jpeg() -> bytes:
    """A JPEG with its picture data overwritten here and there."""
    sound = bytearray(encoded(picture(1000, 500), "JPEG"))
    for at in range(len(sound) // 2, len(sound) - 2, 37):
        sound[at] ^= 0x55
    return bytes(sound)


def tiff_of(entries: int, offset: int) -> bytes:
    """A TIFF whose directory lies there and has that many entries."""
    return b"II*\0" + struct.pack("<I", offset) + struct.pack("<H", entries) + bytes(64)


def top_down_bmp() -> bytes:
    """A BMP whose rows go from the top, as a negative height says."""
    sound = bytearray(encoded(picture(), "BMP"))
    struct.pack_into("<i", sound, 22, -100)
    return bytes(sound)


def old_bmp() -> bytes:
    """A BMP of OS/2, with a header of 12 bytes."""
    rows = bytes(200 * 3 * 100)
    head = struct.pack("<2sIHHI", b"BM", 26 + len(rows), 0, 0, 26)
    return head + struct.pack("<IHHHH", 12, 200, 100, 1, 24) + rows


def _mode(mode: str, image_format: str, **options: object) -> bytes:
    return encoded(picture().convert(mode), image_format, **options)


def _see_through() -> Image.Image:
    return Image.new("RGBA", (200, 100), (0, 0, 0, 0))


def _deep_grey() -> bytes:
    out = io.BytesIO()
    Image.new("I;16", (200, 100), 60_000).save(out, "PNG")
    return out.getvalue()


PICTURES = (
    ("png: 16 bits of grey", _deep_grey, OPENS),
    ("png: one bit", lambda: _mode("1", "PNG"), OPENS),
    ("png: palette", lambda: _mode("P", "PNG"), OPENS),
    ("png: grey with alpha", lambda: _mode("LA", "PNG"), OPENS),
    ("png: nothing but transparent", lambda: encoded(_see_through(), "PNG"), OPENS),
    ("png: one pixel", lambda: encoded(picture(1, 1), "PNG"), OPENS),
    ("png: one row of 10,000", lambda: encoded(picture(10_000, 1), "PNG"), OPENS),
    ("png: a film of 60", lambda: animated("PNG", 60), OPENS),
    ("png: data does not fit its checksum", png_bad_checksum, OPENS),
    ("png: 3 bits", lambda: png_header(100, 100, 3, 2), UNREADABLE),
    ("png: colour type 9", lambda: png_header(100, 100, 8, 9), UNREADABLE),
    ("png: two headers", lambda: png_with(b"IHDR", bytes(13)), UNREADABLE),
    (
        "png: nonsense as a colour profile",
        lambda: png_with(b"iCCP", b"x\0\0" + b"\xff" * 99),
        OPENS,
    ),
    ("png: nonsense as EXIF", lambda: png_with(b"eXIf", b"\xff" * 99), OPENS),
    ("png: a chunk nobody knows", lambda: png_with(b"zzZz", bytes(100_000)), OPENS),
    ("png: no end", lambda: encoded(picture(), "PNG")[:-12], OPENS),
    ("png: a megabyte behind its end", lambda: encoded(picture(), "PNG") + bytes(10**6), OPENS),
    ("jpeg: CMYK", lambda: _mode("CMYK", "JPEG"), OPENS),
    ("jpeg: grey", lambda: _mode("L", "JPEG"), OPENS),
    ("jpeg: progressive", lambda: encoded(picture(), "JPEG", progressive=True), OPENS),
    ("jpeg: turned and mirrored", lambda: exif_jpeg(5), OPENS),
    ("jpeg: turned by 99", lambda: exif_jpeg(99), OPENS),
    ("jpeg: EXIF cut off", lambda: raw_exif_jpeg(b"II*\0\x08\0"), OPENS),
    ("jpeg: EXIF that loops", looping_exif, OPENS),
    ("jpeg: 60 kB of nonsense as EXIF", lambda: raw_exif_jpeg(b"MM\0*" + b"\xab" * 60_000), OPENS),
    ("jpeg: 2,000 scans", many_scans_jpeg, UNREADABLE),
    ("jpeg: overwritten", flipped_jpeg, OPENS),
    ("jpeg: only its magic", lambda: b"\xff\xd8\xff", UNREADABLE),
    ("jpeg: begins and ends", lambda: b"\xff\xd8\xff\xd9", UNREADABLE),
    ("tiff: CMYK", lambda: _mode("CMYK", "TIFF"), OPENS),
    ("tiff: floating point", lambda: _mode("F", "TIFF"), OPENS),
    ("tiff: 32 bits", lambda: _mode("I", "TIFF"), OPENS),
    ("tiff: Lab", lambda: _mode("LAB", "TIFF"), OPENS),
    ("tiff: fax", lambda: _mode("1", "TIFF", compression="group4"), OPENS),
    ("tiff: LZW", lambda: encoded(picture(), "TIFF", compression="tiff_lzw"), OPENS),
    ("tiff: JPEG inside", lambda: encoded(picture(), "TIFF", compression="jpeg"), OPENS),
    ("tiff: directory behind its end", lambda: tiff_of(9, 2**31), UNREADABLE),
    ("tiff: directory of 65,535 entries", lambda: tiff_of(65_535, 8), UNREADABLE),
    ("tiff: directory in its own header", lambda: tiff_of(9, 0), UNREADABLE),
    ("webp: a film of 30", lambda: animated("WEBP", 30), OPENS),
    ("webp: nothing but transparent", lambda: encoded(_see_through(), "WEBP"), OPENS),
    ("bmp: rows from the top", top_down_bmp, OPENS),
    ("bmp: of OS/2", old_bmp, OPENS),
    ("bmp: palette", lambda: _mode("P", "BMP"), OPENS),
    ("heic: transparent", lambda: encoded(_see_through(), "HEIF"), OPENS),
    ("heic: two pictures", lambda: animated("HEIF", 2), OPENS),
)
