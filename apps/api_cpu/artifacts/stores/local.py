"""Artifacts as files below one folder."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.api_cpu.artifacts.store import (
    already_written,
    no_such_artifact,
    require_key,
    store_unavailable,
)

_INCOMING = ".incoming"
_ABANDONED_AFTER_S = 3600.0


class LocalArtifactStore:
    """A file is written aside, synced, and then linked to its name, which fails if it exists.

    So a reader sees a whole artifact or none, also after a crash, and of two writers one wins.
    """

    name = "local"

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
        path = self._path(key)
        with _translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._incoming)
            unfinished = Path(name)
            try:
                _write_and_sync(handle, data)
                if self._allow_overwrite:
                    unfinished.replace(path)
                else:
                    os.link(unfinished, path)
            except FileExistsError:
                raise already_written() from None
            finally:
                unfinished.unlink(missing_ok=True)
            _sync_folder(path.parent)

    def get(self, key: str) -> bytes:
        """See `ArtifactStore.get`."""
        with _translated():
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise no_such_artifact() from None

    def exists(self, key: str) -> bool:
        """See `ArtifactStore.exists`."""
        with _translated():
            return self._path(key).is_file()

    def probe(self) -> None:
        """See `ArtifactStore.probe`."""
        with _translated(), tempfile.TemporaryFile(dir=self._incoming) as file:
            file.write(b"probe")

    def _path(self, key: str) -> Path:
        return self._folder / require_key(key)

    def _remove_abandoned(self) -> None:
        # Young ones may belong to another process that is writing at this moment.
        oldest = time.time() - _ABANDONED_AFTER_S
        for path in self._incoming.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def _write_and_sync(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
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
