"""Makes the index again from the artifacts themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from apps.api_cpu.archive.indexes import Indexes
from apps.api_cpu.archive.store import Erasure
from apps.api_cpu.artifacts.index import (
    ArtifactEntry,
    ArtifactFilter,
    ArtifactKind,
    entry_of,
)
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.runs.store import Counts, StoredRun
from apps.api_cpu.wire import load_for_index
from lib.errors import Error

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Reindexed:
    """`noted` were missing in the index and `gone` in the store; `unreadable` are no artifacts."""

    seen: int = 0
    noted: int = 0
    gone: int = 0
    unreadable: int = 0

    def plus(self, other: Reindexed) -> Reindexed:
        """Both together."""
        return Reindexed(
            self.seen + other.seen,
            self.noted + other.noted,
            self.gone + other.gone,
            self.unreadable + other.unreadable,
        )


class Reindexer:
    """Walks the store. What is noted already is not read again, so it goes on where it was ended.

    Holds one batch of keys and one artifact in memory at a time.
    """

    def __init__(
        self,
        store: ArtifactStore,
        indexes: Indexes,
        inputs: InputStore,
    ) -> None:
        self._store = store
        self._indexes = indexes
        self._inputs = inputs

    def run(self, since: str | None, progress: Callable[[Reindexed], None]) -> Reindexed:
        """Note what is missing, then forget what is gone; `since` is a day, YYYY-MM-DD.

        Raises `storage_unavailable`; what was done stays done.
        """
        total = Reindexed()
        # Tombstones first: what is erased must not become visible on the way.
        for kind in sorted(ArtifactKind, key=lambda kind: kind is not ArtifactKind.ERASURES):
            for batch in _batches(self._keys(kind, since)):
                total = total.plus(self._note(batch))
                progress(total)
        for gone in self._forget_gone(since):
            total = total.plus(Reindexed(gone=gone))
            progress(total)
        return total

    def _keys(self, kind: ArtifactKind, since: str | None) -> Iterator[str]:
        for stored in self._store.list(f"{kind.value}/"):
            if since is None or stored.key.split("/")[1] >= since:
                yield stored.key

    def _note(self, keys: Sequence[str]) -> Reindexed:
        known = self._indexes.artifacts.known(keys)
        noted = unreadable = 0
        for key in keys:
            if key in known:
                continue
            entry = self._restored(key)
            if entry is None:
                unreadable += 1
            else:
                self._indexes.artifacts.note(entry)
                noted += 1
        return Reindexed(len(keys), noted, 0, unreadable)

    def _restored(self, key: str) -> ArtifactEntry | None:
        """The entry of an artifact whose own tables have been told; None when it is none."""
        try:
            artifact = load_for_index(self._store.get(key))
            entry = entry_of(key, artifact)
            self._restore(entry, artifact)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        except Error as error:
            if error.code != "not_found":
                raise
            return None
        return entry

    def _restore(self, entry: ArtifactEntry, artifact: dict[str, Any]) -> None:
        match entry.kind:
            case ArtifactKind.EXTRACTS:
                # A refusal is kept under an id of its own, which is not the request's.
                if entry.artifact_id == entry.request_id:
                    owner, rel = entry.owner_key_id, entry.artifact_rel
                    self._indexes.extracts.restore(entry.artifact_id, owner, rel)
                kept = (artifact.get("input") or {}).get("input_ref")
                if kept is not None:
                    self._inputs.restore(kept, entry.owner_key_id, entry.sha256 or "")
            case ArtifactKind.CORRECTIONS if "correction_id" in artifact:
                about = artifact["request_id"]
                self._indexes.corrections.add(entry.artifact_id, about, entry.artifact_rel)
            case ArtifactKind.BATCHES if "run_id" in artifact:
                self._indexes.runs.restore(_run(entry, artifact))
            case ArtifactKind.ERASURES:
                self._restore_erasure(entry, artifact)

    def _restore_erasure(self, entry: ArtifactEntry, artifact: dict[str, Any]) -> None:
        request_id, owner, rel = entry.artifact_id, entry.owner_key_id, artifact["artifact_rel"]
        self._indexes.extracts.restore(request_id, owner, rel)
        # Whether all of it was done is not known: doing it again is safe.
        erased_by, erased_at = artifact["erased_by"], entry.created_at
        self._indexes.erasures.begin(Erasure(request_id, owner, rel, erased_by, erased_at))

    def _forget_gone(self, since: str | None) -> Iterator[int]:
        """Rows without an object, which a rule of the bucket may have removed."""
        after = ("", "")
        wanted = ArtifactFilter(first_day=since)
        while True:
            entries = self._indexes.artifacts.in_order(wanted, after, _BATCH)
            if not entries:
                return
            gone = [each for each in entries if not self._store.exists(each.artifact_rel)]
            for entry in gone:
                self._indexes.artifacts.forget(entry.artifact_rel)
            yield len(gone)
            after = (entries[-1].day, entries[-1].artifact_rel)


def _run(entry: ArtifactEntry, artifact: dict[str, Any]) -> StoredRun:
    counts = {name: artifact.get(name, 0) for name in Counts.__dataclass_fields__}
    return StoredRun(
        run_id=artifact["run_id"],
        owner_key_id=entry.owner_key_id,
        created_at=entry.created_at,
        lease_until=0.0,
        artifact_rel=entry.artifact_rel,
        task_id=artifact["task_id"],
        counts=Counts(**counts),
    )


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, _BATCH)):
        yield batch
