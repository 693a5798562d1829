"""The table of runs: ids are taken before work starts, counts are noted when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, and_, delete, or_, select, update

from apps.api_cpu.db.engine import reading, upsert, writing
from apps.api_cpu.db.tables import runs
from apps.api_cpu.runs.filters import EVERYTHING, Filter, Status


@dataclass(frozen=True, slots=True)
class Counts:
    """How a run ended, item by item. What was given up is neither ok nor failed."""

    item_count: int
    ok_count: int
    failed_count: int
    needs_review_count: int
    canceled_count: int = 0


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A row. `counts` is None until the run's artifact is written. Times in Unix seconds.

    `job_id` is None for runs of before there were jobs.
    """

    run_id: str
    owner_key_id: str
    created_at: float
    lease_until: float
    artifact_rel: str
    task_id: str
    job_id: str | None = None
    counts: Counts | None = None


_KEYS = [runs.c[name] for name in StoredRun.__dataclass_fields__ if name != "counts"]
_COUNTS = [runs.c[name] for name in Counts.__dataclass_fields__]
_IS_SHOWN = or_(runs.c.item_count.is_not(None), runs.c.job_id.is_not(None))


class RunIndex:
    """Reads and writes runs. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def reserve(self, run: StoredRun, is_abandoned: Callable[[StoredRun], bool]) -> bool:
        """Take a run id; False when it is taken.

        One whose lease is over without an end may be taken again if whoever held it has died
        before the job was sure: `is_abandoned` knows.
        """
        values = {column.name: getattr(run, column.name) for column in _KEYS}
        insertion = upsert(self._engine, runs).values(**values).on_conflict_do_nothing()
        with writing(self._engine) as connection:
            if connection.execute(insertion).rowcount == 1:
                return True
        held = self.find(run.run_id)
        if held is None or held.counts is not None or held.lease_until >= run.created_at:
            return False
        if not is_abandoned(held):
            return False
        same = (
            runs.c.run_id == run.run_id,
            runs.c.job_id.is_not_distinct_from(held.job_id),
            runs.c.item_count.is_(None),
        )
        with writing(self._engine) as connection:
            return connection.execute(update(runs).where(*same).values(**values)).rowcount == 1

    def release(self, run_id: str, owner_key_id: str) -> None:
        """End the lease of an id, for who knows that its holder has died."""
        mine = (runs.c.run_id == run_id, runs.c.owner_key_id == owner_key_id)
        with writing(self._engine) as connection:
            connection.execute(update(runs).where(*mine).values(lease_until=0.0))

    def finish(self, run_id: str, counts: Counts) -> None:
        """Note how a run ended; its artifact is written."""
        values = {name: getattr(counts, name) for name in Counts.__dataclass_fields__}
        with writing(self._engine) as connection:
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))

    def restore(self, run: StoredRun) -> None:
        """Note a run whose artifact was found in the store; what is noted already stays."""
        values: dict[str, Any] = {column.name: getattr(run, column.name) for column in _KEYS}
        if run.counts is not None:
            values |= {name: getattr(run.counts, name) for name in Counts.__dataclass_fields__}
        with writing(self._engine) as connection:
            statement = upsert(connection, runs).values(**values)
            connection.execute(statement.on_conflict_do_nothing())

    def forget(self, run_id: str) -> None:
        """Free the id of a run whose artifact was purged."""
        with writing(self._engine) as connection:
            connection.execute(delete(runs).where(runs.c.run_id == run_id))

    def find(self, run_id: str) -> StoredRun | None:
        """The run of that id."""
        query = select(*_KEYS, *_COUNTS).where(runs.c.run_id == run_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else _from_row(row)

    def page(
        self,
        owner_key_id: str | None,
        before: tuple[float, str] | None,
        limit: int,
        wanted: Filter = EVERYTHING,
    ) -> Sequence[StoredRun]:
        """Runs that go on or have ended, the newest first: of one key, or of all.

        `before`: creation time and id of the last run of the page before this one. The text of
        `wanted` is looked for in ids of runs and tasks.
        """
        query = select(*_KEYS, *_COUNTS).where(_IS_SHOWN, *_conditions(wanted))
        if owner_key_id is not None:
            query = query.where(runs.c.owner_key_id == owner_key_id)
        if before is not None:
            moment, run_id = before
            same = and_(runs.c.created_at == moment, runs.c.run_id < run_id)
            query = query.where(or_(runs.c.created_at < moment, same))
        newest = query.order_by(runs.c.created_at.desc(), runs.c.run_id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_from_row(row) for row in connection.execute(newest)]


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    match wanted.status:
        case Status.FAILED:
            yield runs.c.failed_count > 0
        case Status.NEEDS_REVIEW:
            yield runs.c.needs_review_count > 0
        case Status.OK:
            yield and_(runs.c.failed_count == 0, runs.c.needs_review_count == 0)
    if wanted.text:
        yield or_(
            runs.c.run_id.icontains(wanted.text, autoescape=True),
            runs.c.task_id.icontains(wanted.text, autoescape=True),
        )


def _from_row(row: Row[Any]) -> StoredRun:
    values = dict(row._mapping)
    counts = {name: values.pop(name) for name in Counts.__dataclass_fields__}
    counts["canceled_count"] = counts["canceled_count"] or 0
    ended = counts["item_count"] is not None
    return StoredRun(**values, counts=Counts(**counts) if ended else None)
