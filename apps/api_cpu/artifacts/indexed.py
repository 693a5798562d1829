"""A store that notes every artifact in the index once written, and forgets what is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

from apps.api_cpu import logs
from apps.api_cpu.artifacts.index import ArtifactIndex, ArtifactKind, entry_of
from apps.api_cpu.artifacts.store import ArtifactStore, PresignedPut, Source, Spooled, Stored
from apps.api_cpu.wire import load_for_index
from lib.errors import Error

_REVISED = frozenset({ArtifactKind.BATCHES.value, ArtifactKind.EVALS.value})


class IndexedStore:
    """An `ArtifactStore` around another one. Inputs have an index of their own."""

    def __init__(self, store: ArtifactStore, index: ArtifactIndex) -> None:
        self._store = store
        self._index = index
        self.name = store.name

    @property
    def spooled(self) -> Spooled:
        """See `ArtifactStore.spooled`."""
        return self._store.spooled

    def put(self, key: str, data: bytes) -> None:
        """See `ArtifactStore.put`. An artifact that could not be noted is kept all the same."""
        self._store.put(key, data)
        if not _is_artifact(key):
            return
        try:
            self._index.note(entry_of(key, load_for_index(data)))
        except Error as error:
            logs.warning("an artifact was not noted in the index", key=key, code=error.code)

    def put_file(self, key: str, source: Source, sha256: str, size: int) -> None:
        """See `ArtifactStore.put_file`: for inputs."""
        self._store.put_file(key, source, sha256, size)

    def get(self, key: str) -> bytes:
        """See `ArtifactStore.get`; also by the key that something had before it was revised."""
        try:
            return self._store.get(key)
        except Error as error:
            revised = self._revision(key) if error.code == "not_found" else None
            if revised is None:
                raise
            return self._store.get(revised)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """See `ArtifactStore.open`."""
        return self._store.open(key)

    def exists(self, key: str) -> bool:
        """See `ArtifactStore.exists`."""
        return self._store.exists(key)

    def stat(self, key: str) -> Stored:
        """See `ArtifactStore.stat`."""
        return self._store.stat(key)

    def delete(self, key: str) -> None:
        """See `ArtifactStore.delete`."""
        self._store.delete(key)
        if _is_artifact(key):
            self._index.forget(key)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ArtifactStore.list`."""
        return self._store.list(prefix)

    def presign_put(
        self, key: str, sha256: str, size: int, expires_in_s: int
    ) -> PresignedPut | None:
        """See `ArtifactStore.presign_put`."""
        return self._store.presign_put(key, sha256, size, expires_in_s)

    def presign_get(self, key: str, expires_in_s: int) -> str | None:
        """See `ArtifactStore.presign_get`."""
        return self._store.presign_get(key, expires_in_s)

    def _revision(self, key: str) -> str | None:
        """Where a run or an evaluation is that was written again without what was erased."""
        folder, _, name = key.partition("/")
        if folder not in _REVISED:
            return None
        stem = name.partition("/")[2].removesuffix(".json")
        found = self._index.of_id(ArtifactKind(folder), stem)
        return None if found is None or found.artifact_rel == key else found.artifact_rel

    def require_room(self, size: int = 0) -> None:
        """See `ArtifactStore.require_room`."""
        self._store.require_room(size)

    def probe(self) -> None:
        """See `ArtifactStore.probe`."""
        self._store.probe()


def _is_artifact(key: str) -> bool:
    return not key.startswith("inputs/")
