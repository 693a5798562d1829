"""The type of a document, judged by its first bytes and never by its name."""

from __future__ import annotations

from enum import StrEnum


class MediaType(StrEnum):
    """The types that can be opened."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    TIFF = "image/tiff"
    BMP = "image/bmp"
    HEIC = "image/heic"
    XML = "application/xml"


_PREFIXES = (
    (b"%PDF-", MediaType.PDF),
    (b"\xff\xd8\xff", MediaType.JPEG),
    (b"\x89PNG\r\n\x1a\n", MediaType.PNG),
    (b"II*\x00", MediaType.TIFF),
    (b"MM\x00*", MediaType.TIFF),
    (b"II+\x00", MediaType.TIFF),
    (b"MM\x00+", MediaType.TIFF),
)

# ISO/IEC 23008-12: brands of HEVC-coded still images and image collections.
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

_XML_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_XML_SPACE = b" \t\r\n"


def detect_media_type(data: bytes) -> MediaType | None:
    """The type whose magic stands at offset 0, or None.

    Only XML may begin with a byte order mark or white space. Any text that begins with `<` counts
    as XML here; whether it is an invoice shows when it is parsed.
    """
    for prefix, media_type in _PREFIXES:
        if data.startswith(prefix):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return MediaType.WEBP
    # 'BM' alone is two letters of text: the reserved words at offset 6 must be zero as well.
    if data[:2] == b"BM" and data[6:10] == b"\0\0\0\0":
        return MediaType.BMP
    if data[4:8] == b"ftyp" and _is_heif(data):
        return MediaType.HEIC
    return MediaType.XML if _looks_like_xml(data) else None


def _is_heif(data: bytes) -> bool:
    """Whether the `ftyp` box names a HEIF brand, as major or as compatible brand."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, size, 4)}
    return bool(brands & _HEIF_BRANDS)


def _looks_like_xml(data: bytes) -> bool:
    head = data[:1024]
    for mark in _XML_MARKS:
        if head.startswith(mark):
            head = head[len(mark) :]
            break
    return head.replace(b"\0", b"").lstrip(_XML_SPACE).startswith(b"<")
