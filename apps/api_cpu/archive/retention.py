"""Retention: what is older than its kind may be is deleted, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from apps.api_cpu.archive.indexes import Indexes
from apps.api_cpu.artifacts.index import ArtifactEntry, ArtifactFilter, ArtifactKind
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.inputs.service import InputStore

_BATCH = 100
INPUTS = "inputs"

Days = Mapping[str, int]
"""How many days each kind is kept; what is missing is kept for ever. 1: today and yesterday."""


class Retention:
    """Deletes by the index, so that it never lists a store. Safe to run in several processes.

    The artifact's own row goes last: a crash before is made up for by the next purge.
    """

    def __init__(
        self,
        days: Days,
        store: ArtifactStore,
        indexes: Indexes,
        inputs: InputStore,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._days = days
        self._store = store
        self._indexes = indexes
        self._inputs = inputs
        self._clock = clock

    def first_day(self, kind: str) -> str | None:
        """The first day that is kept, YYYY-MM-DD; None where all are."""
        days = self._days.get(kind)
        if days is None:
            return None
        return f"{self._clock() - timedelta(days=days):%Y-%m-%d}"

    def count(self, kind: ArtifactKind) -> int:
        """How many artifacts a purge would delete."""
        wanted = self._expired(kind)
        return 0 if wanted is None else self._indexes.artifacts.count(wanted)

    def purge(self) -> int:
        """One batch of whatever is too old; how much that was. Raises `storage_unavailable`."""
        for kind in ArtifactKind:
            wanted = self._expired(kind)
            if wanted is not None:
                entries = self._indexes.artifacts.in_order(wanted, ("", ""), _BATCH)
                for entry in entries:
                    self._delete(entry)
                if entries:
                    return len(entries)
        first = self.first_day(INPUTS)
        return 0 if first is None else self._inputs.expire(first)

    def _expired(self, kind: ArtifactKind) -> ArtifactFilter | None:
        first = self.first_day(kind.value)
        if first is None or kind is ArtifactKind.ERASURES:
            return None
        last = datetime.fromisoformat(first) - timedelta(days=1)
        return ArtifactFilter(kind=kind, last_day=f"{last:%Y-%m-%d}")

    def _delete(self, entry: ArtifactEntry) -> None:
        match entry.kind:
            case ArtifactKind.EXTRACTS:
                self._indexes.extracts.forget(entry.artifact_id, entry.artifact_rel)
            case ArtifactKind.CORRECTIONS:
                self._indexes.corrections.forget_one(entry.artifact_id)
            case ArtifactKind.BATCHES:
                self._indexes.runs.forget(entry.artifact_id)
        self._store.delete(entry.artifact_rel)
