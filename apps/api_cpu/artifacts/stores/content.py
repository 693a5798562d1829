"""Content on its way into a store: opened, read in pieces, and checked against its hash."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

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


class Lent(io.RawIOBase):
    """A file lent to a thread that may be given up: after `take_back` it reads nothing more."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._lock = threading.Lock()
        self._is_ours = False

    def take_back(self) -> None:
        """From now on only the owner moves in the file."""
        with self._lock:
            self._is_ours = True

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises `OSError` once it has been taken back."""
        with self._lock:
            data = self._lent().read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Raises `OSError` once it has been taken back."""
        with self._lock:
            return self._lent().seek(offset, whence)

    def tell(self) -> int:
        """Raises `OSError` once it has been taken back."""
        with self._lock:
            return self._lent().tell()

    def _lent(self) -> BinaryIO:
        if self._is_ours:
            raise OSError("the file has been taken back")
        return self._file
