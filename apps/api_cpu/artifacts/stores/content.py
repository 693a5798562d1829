"""Content on its way into a store: opened, read in pieces, and checked against its hash."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from apps.api_cpu.artifacts.store import Source

CHUNK_BYTES = 1024 * 1024


def in_memory(data: bytes) -> tuple[BinaryIO, str, int]:
    """`data` as `put_file` takes it: a file, its SHA-256 and its size."""
    return io.BytesIO(data), hashlib.sha256(data).hexdigest(), len(data)


@contextmanager
def reopened(source: Source) -> Iterator[BinaryIO]:
    """The source as a file at its start; closed again if it was a path."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


def checked_chunks(file: BinaryIO, sha256: str, size: int) -> Iterator[bytes]:
    """All of the file. Raises `ValueError` after the last chunk if it is another than promised."""
    digest, seen = hashlib.sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        seen += len(chunk)
        yield chunk
    if seen != size or digest.hexdigest() != sha256:
        raise ValueError("the content is not what its hash and its size say")
