from __future__ import annotations

import pytest

from lib.loading.media_type import MediaType, detect_media_type


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"%PDF-1.4\n", MediaType.PDF),
        (b"\xff\xd8\xff\xe0", MediaType.JPEG),
        (b"\x89PNG\r\n\x1a\n", MediaType.PNG),
        (b"RIFF\x10\0\0\0WEBPVP8 ", MediaType.WEBP),
        (b"II*\0\x08\0\0\0", MediaType.TIFF),
        (b"MM\0*\0\0\0\x08", MediaType.TIFF),
        (b"II+\0\x08\0\0\0", MediaType.TIFF),
        (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0", MediaType.BMP),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", MediaType.HEIC),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", MediaType.HEIC),
        (b"<Invoice/>", MediaType.XML),
        (b"\xef\xbb\xbf\r\n\t <?xml version='1.0'?><a/>", MediaType.XML),
        ("\ufeff <a/>".encode("utf-16-le"), MediaType.XML),
        ("\ufeff<a/>".encode("utf-16-be"), MediaType.XML),
    ],
)
def test_supported_types(data: bytes, expected: MediaType) -> None:
    assert detect_media_type(data) is expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b" %PDF-1.4",
        b"\xef\xbb\xbf%PDF-1.4",
        b"BM and other cars",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"GIF89a",
        b"PK\x03\x04",
        b"\0\0\0\x18ftypmp42\0\0\0\0isommp42",
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"[:16],
        b"Invoice <total>",
        b" " * 2000 + b"<a/>",
    ],
)
def test_other_content(data: bytes) -> None:
    assert detect_media_type(data) is None
