"""Artifacts as files below one folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from apps.api_cpu.artifacts.store import (
    PresignedPut,
    Source,
    Spooled,
    Stored,
    already_written,
    is_key,
    no_room,
    no_such_artifact,
    require_key,
    require_prefix,
    store_unavailable,
)
from apps.api_cpu.artifacts.stores.content import checked_chunks, reopened
from lib.errors import Error

_INCOMING = ".incoming"
_ABANDONED_AFTER_S = 3600.0
# Work is not begun on a disk with less: what is in hand must still fit.
_KEPT_FREE_BYTES = 64 * 1024 * 1024


class LocalArtifactStore:
    """A file is written aside, synced, and then linked to its name, which fails if it exists.

    So a reader sees a whole artifact or none, also after a crash, and of two writers one wins.
    """

    name = "local"
    spooled = Spooled()

    def __init__(self, folder: Path, *, allow_overwrite: bool = False) -> None:
        """Create the folder, remove what a crash left. Raises `storage_unavailable`."""
        self._folder = folder
        self._incoming = folder / _INCOMING
        self._allow_overwrite = allow_overwrite
        with _translated():
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned()

    def put(self, key: str, data: bytes) -> None:
        """See `ArtifactStore.put`."""
        self._put(key, [data], lambda there: there.read(len(data) + 1) == data)

    def put_file(self, key: str, source: Source, sha256: str, size: int) -> None:
        """See `ArtifactStore.put_file`."""

        def is_same(there: BufferedReader) -> bool:
            return hashlib.file_digest(there, "sha256").hexdigest() == sha256

        with _translated(), reopened(source) as opened:
            self._put(key, checked_chunks(opened, sha256, size), is_same)

    def _put(
        self, key: str, content: Iterable[bytes], is_same: Callable[[BufferedReader], bool]
    ) -> None:
        """Write it. `is_same`: whether a file that has the name already is this one."""
        path = self._path(key)
        with _translated():
            make_folder(path.parent)
            with self._written_aside(content) as unfinished:
                if self._allow_overwrite:
                    unfinished.replace(path)
                else:
                    _link(unfinished, path, is_same)
            sync_folder(path.parent)

    def get(self, key: str) -> bytes:
        """See `ArtifactStore.get`."""
        with _translated():
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise no_such_artifact() from None

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """See `ArtifactStore.open`."""
        with _translated():
            try:
                return self._path(key).open("rb")
            except (FileNotFoundError, NotADirectoryError):
                raise no_such_artifact() from None

    def exists(self, key: str) -> bool:
        """See `ArtifactStore.exists`."""
        with _translated():
            return self._path(key).is_file()

    def stat(self, key: str) -> Stored:
        """See `ArtifactStore.stat`."""
        with _translated():
            try:
                found = self._path(key).stat()
            except (FileNotFoundError, NotADirectoryError):
                raise no_such_artifact() from None
        return Stored(key, found.st_size, found.st_mtime)

    def delete(self, key: str) -> None:
        """See `ArtifactStore.delete`."""
        path = self._path(key)
        with _translated():
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            sync_folder(path.parent)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ArtifactStore.list`."""
        folder = self._folder / require_prefix(prefix)
        with _translated():
            keys = (path.relative_to(self._folder).as_posix() for path in folder.rglob("*"))
            found = sorted(key for key in keys if is_key(key))
        for key in found:
            try:
                yield self.stat(key)
            except Error as error:
                if error.code != "not_found":
                    raise

    def presign_put(
        self,
        key: str,
        sha256: str,
        size: int,
        expires_in_s: int,
    ) -> PresignedPut | None:
        """None: a file has no URL."""
        require_key(key)
        return None

    def presign_get(self, key: str, expires_in_s: int) -> str | None:
        """None: a file has no URL."""
        require_key(key)
        return None

    def require_room(self, size: int = 0) -> None:
        """See `ArtifactStore.require_room`; asked of the disk, since a new file costs far more."""
        with _translated():
            # With the slash only a folder will do; a disk that became read-only is told as well.
            if not os.access(f"{self._incoming}/", os.W_OK | os.X_OK):
                raise store_unavailable()
            disk = os.statvfs(self._folder)
            has_inodes = disk.f_files == 0 or disk.f_favail > 0  # 0: it does not count them
            if not has_inodes or shutil.disk_usage(self._folder).free < size + _KEPT_FREE_BYTES:
                raise no_room()

    def probe(self) -> None:
        """See `ArtifactStore.probe`."""
        with _translated():
            handle, name = tempfile.mkstemp(dir=self._incoming)
            try:
                os.write(handle, b"probe")
            finally:
                os.close(handle)
                Path(name).unlink(missing_ok=True)

    @contextmanager
    def _written_aside(self, content: Iterable[bytes]) -> Iterator[Path]:
        handle, name = tempfile.mkstemp(dir=self._incoming)
        unfinished = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in content:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            yield unfinished
        finally:
            unfinished.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / require_key(key)

    def _remove_abandoned(self) -> None:
        # Young ones may belong to another process that is writing at this moment.
        oldest = time.time() - _ABANDONED_AFTER_S
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):  # it has been written, and has its name now
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _link(unfinished: Path, path: Path, is_same: Callable[[BufferedReader], bool]) -> None:
    while True:
        try:
            os.link(unfinished, path)
        except FileExistsError:
            with suppress(FileNotFoundError), path.open("rb") as file:
                if is_same(file):
                    return
                raise already_written() from None
        else:
            return


def make_folder(folder: Path) -> None:
    """Create a folder and those above it, so that they survive a power loss."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise store_unavailable() from None
