"""A document on its way into the store: its bytes or its file, and what names it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from lib.loading.media_type import MediaType, detect_media_type

_EXTENSIONS = {
    MediaType.PDF: "pdf",
    MediaType.JPEG: "jpg",
    MediaType.PNG: "png",
    MediaType.WEBP: "webp",
    MediaType.TIFF: "tif",
    MediaType.BMP: "bmp",
    MediaType.HEIC: "heic",
    MediaType.XML: "xml",
}
HEAD_BYTES = 1024
"""As much of a document as is needed to judge its type."""


@dataclass(frozen=True, slots=True)
class Content:
    """`source` is the document's bytes, or a file that stays unchanged while it is stored."""

    sha256: str
    size: int
    extension: str
    source: bytes | Path = field(repr=False)

    @staticmethod
    def of_bytes(data: bytes, sha256: str | None = None) -> Content:
        """The content in memory; `sha256` where it is known already."""
        digest = sha256 or hashlib.sha256(data).hexdigest()
        return Content(digest, len(data), extension_of(data), data)

    @staticmethod
    def of_file(path: Path, sha256: str, size: int) -> Content:
        """The content of a file. Raises OSError."""
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        return Content(sha256, size, extension_of(head), path)


def extension_of(head: bytes) -> str:
    """The extension of a document that begins so, by its magic; `bin` for what is none."""
    media_type = detect_media_type(head)
    return "bin" if media_type is None else _EXTENSIONS[media_type]


def extension_for(mime_type: str | None) -> str:
    """The extension that a client's own word stands for; `bin` for any other."""
    known = {media_type.value: extension for media_type, extension in _EXTENSIONS.items()}
    return known.get((mime_type or "").partition(";")[0].strip().lower(), "bin")


def media_type_of(input_ref: str) -> str:
    """The media type that a reference's extension stands for; `application/octet-stream`."""
    extension = input_ref.rpartition(".")[2]
    for media_type, known in _EXTENSIONS.items():
        if known == extension:
            return media_type.value
    return "application/octet-stream"
