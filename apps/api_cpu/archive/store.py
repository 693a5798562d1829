"""The table of erasures: what was erased, when and by whom, and what is still to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, Row, select, update

from apps.api_cpu.db.engine import reading, upsert, writing
from apps.api_cpu.db.tables import artifact_items, erasures


@dataclass(frozen=True, slots=True)
class Erasure:
    """A tombstone. Times in Unix seconds; `artifact_rel` is where the extraction's artifact was."""

    request_id: str
    owner_key_id: str
    artifact_rel: str
    erased_by: str
    erased_at: float
    done_at: float | None = None


_COLUMNS = [erasures.c[name] for name in Erasure.__dataclass_fields__]


class ErasureIndex:
    """Reads and writes tombstones. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, erasure: Erasure) -> Erasure:
        """Set the tombstone, from when on the id is gone; the one that was there, if any."""
        values = {name: getattr(erasure, name) for name in Erasure.__dataclass_fields__}
        with writing(self._engine) as connection:
            statement = upsert(connection, erasures).values(**values)
            connection.execute(statement.on_conflict_do_nothing())
        return self.find(erasure.request_id) or erasure

    def done(self, request_id: str, now: float) -> None:
        """Note that nothing of it is left."""
        row = erasures.c.request_id == request_id
        with writing(self._engine) as connection:
            connection.execute(update(erasures).where(row).values(done_at=now))

    def find(self, request_id: str) -> Erasure | None:
        """The tombstone of an id."""
        found = self._all(erasures.c.request_id == request_id, 1)
        return found[0] if found else None

    def unfinished(self, limit: int) -> Sequence[Erasure]:
        """Those that a crash or an unavailable store interrupted, the oldest first."""
        return self._all(erasures.c.done_at.is_(None), limit)

    def still_repeated(self, limit: int, request_id: str | None = None) -> Sequence[str]:
        """Artifacts of runs and evaluations that still hold an erased extraction, or that one."""
        query = (
            select(artifact_items.c.artifact_rel)
            .join(erasures, erasures.c.request_id == artifact_items.c.request_id)
            .distinct()
            .limit(limit)
        )
        if request_id is not None:
            query = query.where(artifact_items.c.request_id == request_id)
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def erased_among(self, artifact_rel: str) -> frozenset[str]:
        """The erased extractions that an artifact still holds."""
        query = (
            select(artifact_items.c.request_id)
            .join(erasures, erasures.c.request_id == artifact_items.c.request_id)
            .where(artifact_items.c.artifact_rel == artifact_rel)
        )
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query))

    def _all(self, condition: object, limit: int) -> Sequence[Erasure]:
        query = select(*_COLUMNS).where(condition).order_by(erasures.c.erased_at).limit(limit)  # type: ignore[arg-type]
        with reading(self._engine) as connection:
            return [_from_row(row) for row in connection.execute(query)]


def _from_row(row: Row[tuple[object, ...]]) -> Erasure:
    return Erasure(**row._mapping)
