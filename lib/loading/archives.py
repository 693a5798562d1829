"""ZIP archives: their members, each judged before it is unpacked and counted while it is.

Archives are read in the calling process: the reader of the standard library is no decoder of C that
crashes on bytes, and what it takes of memory and of disk is bounded here.
"""

from __future__ import annotations

import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import IO, Any

from lib.errors import Error, Kind

_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
"""A local file header, and the end of an archive without members (APPNOTE.TXT 4.3.7, 4.3.16)."""

_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 0x1 | 0x40
# The others take memory as their headers say (LZMA: up to 4 GB); no program writes them unasked.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# Below this a ratio says nothing: a small white page compresses a thousandfold.
_RATIO_COUNTS_FROM = 1024 * 1024
_CHUNK_BYTES = 256 * 1024
# An entry of the directory is 46 bytes, its name and a few extra fields.
_DIRECTORY_BYTES_A_MEMBER = 300
# What is read for the end of an archive is 64 KiB of comment and a little more.
_DIRECTORY_BYTES = 128 * 1024

_IGNORED_FOLDERS = frozenset({"__MACOSX"})
_IGNORED_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
# What office programs write is a ZIP of parts: one document that cannot be read, not many.
_PACKAGES = frozenset({"[Content_Types].xml", "mimetype"})

_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError,
    OverflowError, RuntimeError, OSError,
)  # fmt: skip
"""What the standard library raises for archives that are none, places outside the file included."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """`members`: of one archive; `document_bytes`: of one member; `ratio`: unpacked to packed."""

    members: int
    document_bytes: int
    ratio: float


@dataclass(frozen=True, slots=True)
class Member:
    """A document in an archive. `error`: why it is not unpacked."""

    name: str
    size: int
    error: Error | None
    info: zipfile.ZipInfo


def is_archive(head: bytes) -> bool:
    """Whether bytes begin as an archive does."""
    return head.startswith(_STARTS)


class Archive:
    """An archive that has been opened. A context manager; the file stays the caller's."""

    def __init__(self, file: IO[bytes], limits: ArchiveLimits) -> None:
        """Raises `unreadable_document`, `unsupported_media_type`, `too_many_files`."""
        self._limits = limits
        most = _DIRECTORY_BYTES + _DIRECTORY_BYTES_A_MEMBER * limits.members
        bounded: Any = _Bounded(file, most, limits.members)
        try:
            self._zip = zipfile.ZipFile(bounded)
        except _BROKEN:
            raise _unreadable("The archive is damaged.", "archive") from None
        self._size = file.seek(0, os.SEEK_END)
        names = {info.filename for info in self._zip.infolist()}
        if names & _PACKAGES:
            raise _unsupported("The content is an office document.", "office_document")
        entries = [info for info in self._zip.infolist() if not _is_ignored(info)]
        if len(entries) > limits.members:
            raise _too_many(limits.members)
        overlapping = _overlapping(self._zip.infolist())
        self._members = tuple(self._judged(info, overlapping) for info in entries)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._zip.close()

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def unpack(self, member: Member, write: Callable[[bytes], object]) -> None:
        """Hand the member's bytes to `write`, a piece at a time, no more than its size says.

        Raises `unreadable_document` for what is not as the directory says, its checksum included;
        and what `write` raises.
        """
        left = member.size
        try:
            with self._zip.open(member.info) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    left -= len(chunk)
                    write(chunk)
        except _BROKEN:
            raise _unreadable("The member of the archive is damaged.", "member") from None
        if left:
            raise _unreadable("The member of the archive is damaged.", "member")

    def _judged(self, info: zipfile.ZipInfo, overlapping: frozenset[int]) -> Member:
        error = self._refused(info)
        if error is None and info.header_offset in overlapping:
            error = _unreadable("Members of the archive overlap.", "overlap")
        return Member(info.filename, info.file_size, error, info)

    def _refused(self, info: zipfile.ZipInfo) -> Error | None:
        if not info.filename or leads_out(info.filename):
            message = "The member has no name, or one that leads out of the archive."
            return _unreadable(message, "member_path")
        mode = info.external_attr >> 16
        if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
            return _unsupported("The member of the archive is no file.", "not_a_file")
        if info.flag_bits & _ENCRYPTED:
            return Error(
                "encrypted_document",
                Kind.UNPROCESSABLE,
                "The member of the archive asks for a password.",
            )
        if info.compress_type not in _METHODS:
            return _unsupported("The member is compressed in a way not read here.", "compression")
        end = info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size
        if info.header_offset < 0 or end > self._size:
            return _unreadable("The member of the archive is damaged.", "member")
        if info.file_size > self._limits.document_bytes:
            return document_too_large(self._limits.document_bytes)
        packed = max(1, info.compress_size)
        if info.file_size >= _RATIO_COUNTS_FROM and info.file_size / packed > self._limits.ratio:
            return Error(
                "unreadable_document",
                Kind.UNPROCESSABLE,
                "The member of the archive unpacks to suspiciously much.",
                {"reason": "ratio", "limit": self._limits.ratio},
            )
        return None


class _Bounded:
    """The file as `zipfile` sees it: the directory, which it reads in one piece, is not large."""

    def __init__(self, file: IO[bytes], most: int, members: int) -> None:
        self._file = file
        self._most = most
        self._members = members
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        """Some bytes. Raises `too_many_files` for more at once than a directory may have."""
        if size > self._most:
            raise _too_many(self._members)
        data = self._file.read(size if size >= 0 else self._most + 1)
        if len(data) > self._most:
            raise _too_many(self._members)
        return data


def leads_out(name: str) -> bool:
    """Whether a name, taken for a path, is absolute, climbs up or has characters of no name."""
    parts = PurePosixPath(name.replace("\\", "/"))
    has_drive = len(name) > 1 and name[1] == ":"
    has_control = any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name)
    return parts.is_absolute() or has_drive or ".." in parts.parts or has_control


def document_too_large(limit: int) -> Error:
    """413 with the limit in bytes."""
    return Error(
        "payload_too_large", Kind.TOO_LARGE, "The document is too large.", {"limit": limit}
    )


def _is_ignored(info: zipfile.ZipInfo) -> bool:
    """Folders, and what systems add to every archive."""
    path = PurePosixPath(info.filename.replace("\\", "/"))
    return (
        info.filename.endswith(("/", "\\"))
        or bool(_IGNORED_FOLDERS.intersection(path.parts))
        or path.name in _IGNORED_FILES
        or path.name.startswith("._")
    )


def _overlapping(infos: Sequence[zipfile.ZipInfo]) -> frozenset[int]:
    """Offsets of members whose bytes reach into the next one's, as in no archive that was packed.

    D. Fifield, "A better zip bomb", WOOT 2019: one kernel of compressed bytes counts for many.
    """
    ordered = sorted(infos, key=lambda info: info.header_offset)
    found = set()
    for info, following in pairwise(ordered):
        if info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size > following.header_offset:
            found.add(info.header_offset)
    return frozenset(found)


def _too_many(limit: int) -> Error:
    return Error(
        "too_many_files",
        Kind.TOO_LARGE,
        "The archive has too many members.",
        {"limit": limit},
    )


def _unreadable(message: str, reason: str) -> Error:
    return Error("unreadable_document", Kind.UNPROCESSABLE, message, {"reason": reason})


def _unsupported(message: str, reason: str) -> Error:
    return Error("unsupported_media_type", Kind.UNSUPPORTED, message, {"reason": reason})
