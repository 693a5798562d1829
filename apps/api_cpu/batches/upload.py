"""The files of one upload: each to a temporary file, then to the input store, ZIPs by member."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Protocol, Self

from apps.api_cpu.artifacts.store import store_unavailable
from apps.api_cpu.batches.multipart import PartHead
from apps.api_cpu.errors import invalid
from apps.api_cpu.inputs.content import HEAD_BYTES, Content, extension_of
from apps.api_cpu.jobs import file_names
from apps.api_cpu.middleware import body_too_large
from lib.errors import Error, Kind
from lib.loading.archives import (
    Archive,
    ArchiveLimits,
    Member,
    document_too_large,
    is_archive,
)
from lib.loading.media_type import detect_media_type

FILES = "files"
_MOST_FIELDS = 40
_FIELD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """`files`: documents, members of archives included; `bytes`: of all of them, unpacked."""

    files: int
    bytes: int
    document_bytes: int
    archive_members: int
    archive_ratio: float

    @property
    def of_archive(self) -> ArchiveLimits:
        """What holds for an archive."""
        return ArchiveLimits(self.archive_members, self.document_bytes, self.archive_ratio)


class Keeper(Protocol):
    """Puts documents into the input store, on behalf of one upload."""

    def hold(self, content: Content) -> str:
        """The input's reference; its file is gone afterwards. Raises `storage_unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class UploadedDocument:
    """One document: where it is kept, or why it cannot be read. `file` is unique in its upload."""

    file: str
    input_ref: str | None
    error: Error | None


class Upload:
    """Takes the parts of a body (`PartSink`). A context manager that removes its files."""

    def __init__(
        self,
        folder: Path,
        limits: UploadLimits,
        keeper: Keeper,
        check_time: Callable[[], None],
    ) -> None:
        """`folder` takes the temporary files; `check_time` raises when the time is over."""
        self.fields: dict[str, str] = {}
        self.documents: list[UploadedDocument] = []
        self._folder = folder
        self._limits = limits
        self._keeper = keeper
        self._check_time = check_time
        self._bytes_left = limits.bytes
        self._names: dict[str, int] = {}
        self._head = PartHead("", None)
        self._field = bytearray()
        self._incoming: _Incoming | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._incoming is not None:
            self._incoming.close()

    def begin(self, head: PartHead) -> None:
        """See `PartSink.begin`. Raises `validation_error`, `too_many_files`."""
        self._head = head
        self._field.clear()
        if head.filename is None:
            if head.name == FILES:
                raise invalid(FILES, "must be files: each part needs a filename")
            if head.name in self.fields:
                raise invalid(head.name[:100], "is sent more than once")
            if len(self.fields) >= _MOST_FIELDS:
                raise invalid("", "has too many fields")
            return
        if head.name != FILES:
            raise invalid(head.name[:100], "must not be a file; documents are sent as `files`")
        self._incoming = _Incoming(self._folder)

    def data(self, data: bytes) -> None:
        """See `PartSink.data`. Raises `payload_too_large`, `storage_unavailable`."""
        if self._incoming is None:
            self._field += data
            if len(self._field) > _FIELD_BYTES:
                raise body_too_large(_FIELD_BYTES)
            return
        incoming = self._incoming
        # Of what is too long for a document, the rest passes by.
        if incoming.is_archive or incoming.size <= self._limits.document_bytes:
            incoming.write(data)
        if incoming.size > self._limits.bytes:
            raise body_too_large(self._limits.bytes)

    def end(self) -> None:
        """See `PartSink.end`. Raises `storage_unavailable`, `too_many_files`."""
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            self.fields[self._head.name] = self._field.decode("utf-8", "replace")
            return
        with incoming:
            name = printable_name(self._head.filename or "")
            if not name and not incoming.size:
                return  # a form's file input that was left empty
            if incoming.is_archive:
                self._take_archive(incoming, name)
            else:
                self._take(incoming, name)

    def _take(self, incoming: _Incoming, name: str) -> None:
        if len(self.documents) >= self._limits.files:
            raise too_many_files(self._limits.files)
        self._check_time()
        error = self._refused(incoming)
        reference = None
        if error is None:
            self._bytes_left -= incoming.size
            reference = self._keeper.hold(incoming.content())
        self._note(name, reference, error)

    def _refused(self, incoming: _Incoming) -> Error | None:
        if incoming.size == 0:
            return Error("empty_document", Kind.UNPROCESSABLE, "The document has no bytes.")
        if incoming.size > self._limits.document_bytes:
            return document_too_large(self._limits.document_bytes)
        if incoming.size > self._bytes_left:
            return body_too_large(self._limits.bytes)
        if incoming.is_archive:
            return _not_a_document("nested_archive")
        if not incoming.is_document:
            return _not_a_document("media_type")
        return None

    def _take_archive(self, incoming: _Incoming, name: str) -> None:
        try:
            archive = Archive(incoming.reread(), self._limits.of_archive)
        except Error as error:
            if error.code == "too_many_files":
                raise
            self._note(name, None, error)
            return
        with archive:
            if len(self.documents) + len(archive) > self._limits.files:
                raise too_many_files(self._limits.files)
            for member in archive:
                self._take_member(archive, member, name)

    def _take_member(self, archive: Archive, member: Member, archive_name: str) -> None:
        self._check_time()
        name = f"{archive_name}/{printable_name(member.name)}"
        error = member.error
        if error is None and member.size > self._bytes_left:
            error = body_too_large(self._limits.bytes)
        if error is not None:
            self._note(name, None, error)
            return
        with _Incoming(self._folder) as unpacked:
            try:
                archive.unpack(member, unpacked.write)
            except Error as damaged:
                if damaged.code == "storage_unavailable":
                    raise
                self._note(name, None, damaged)
                return
            self._take(unpacked, name)

    def _note(self, name: str, reference: str | None, error: Error | None) -> None:
        if len(self.documents) >= self._limits.files:
            raise too_many_files(self._limits.files)
        self.documents.append(UploadedDocument(self._unique(name or "file"), reference, error))

    def _unique(self, name: str) -> str:
        """The name, or `name (2).ext`: items are told apart by it, also by ground truth."""
        name = file_names.of_uploaded(name)
        path = PurePosixPath(name)
        candidate = name
        while candidate in self._names:
            self._names[name] += 1
            candidate = str(path.with_name(f"{path.stem} ({self._names[name]}){path.suffix}"))
        self._names[candidate] = 1
        return candidate


@dataclass(slots=True)
class _Incoming:
    """Bytes on their way through a temporary file. A context manager that removes it."""

    folder: Path
    size: int = 0
    head: bytes = b""
    _file: IO[bytes] = field(init=False)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        try:
            self._file = tempfile.NamedTemporaryFile(dir=self.folder)  # noqa: SIM115 closed by `close`
        except OSError:
            raise store_unavailable() from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def is_archive(self) -> bool:
        """Judged by the first bytes."""
        return is_archive(self.head)

    @property
    def is_document(self) -> bool:
        """Judged by the first bytes."""
        return detect_media_type(self.head) is not None

    def write(self, data: bytes) -> None:
        """Add bytes. Raises `storage_unavailable` when the disk is full."""
        try:
            self._file.write(data)
        except OSError:
            raise store_unavailable() from None
        if len(self.head) < HEAD_BYTES:
            self.head += data[: HEAD_BYTES - len(self.head)]
        self.size += len(data)
        self._digest.update(data)

    def content(self) -> Content:
        """All of it, as a document. Raises `storage_unavailable`."""
        try:
            self._file.flush()
        except OSError:
            raise store_unavailable() from None
        extension = extension_of(self.head)
        return Content(self._digest.hexdigest(), self.size, extension, Path(self._file.name))

    def reread(self) -> IO[bytes]:
        """The file from its beginning. Raises `storage_unavailable`."""
        try:
            self._file.seek(0, os.SEEK_SET)
        except OSError:
            raise store_unavailable() from None
        return self._file

    def close(self) -> None:
        """Remove the file."""
        try:
            self._file.close()
        except OSError:  # what was still to be written does not fit
            return


def too_many_files(limit: int) -> Error:
    """413 with the limit in files."""
    return Error(
        "too_many_files",
        Kind.TOO_LARGE,
        "The upload has too many files, counting the members of archives.",
        {"limit": limit},
    )


def _not_a_document(reason: str) -> Error:
    return Error(
        "unsupported_media_type",
        Kind.UNSUPPORTED,
        "The content is not a supported document.",
        {"reason": reason},
    )


def printable_name(name: str) -> str:
    """A name as it is shown: relative, on one line, of bounded length. No file is made of it."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    parts = PurePosixPath(printable.replace("\\", "/")).parts
    kept = [part for part in parts if part not in {"/", "//", "..", "."}]
    return "/".join(kept).strip()
