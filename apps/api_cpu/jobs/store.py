"""The tables of jobs and items: each change is one transaction that a worker must still own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from apps.api_cpu.db.engine import reading, writing
from apps.api_cpu.db.tables import job_items, job_workers, jobs
from apps.api_cpu.jobs.rows import (
    Claim,
    Job,
    JobItem,
    Json,
    Stage,
    Status,
    as_text,
    item_of,
    job_of,
    to_row,
)
from apps.api_cpu.jobs.transitions import (
    IS_ACTIVE,
    IS_QUEUED,
    IS_RUNNING,
    ITEM,
    JOB,
    change_item,
    change_job,
    fairest,
    find,
    lock,
    requeue,
    take,
)
from lib.errors import Error, Kind

_IS_READ = jobs.c.done + jobs.c.canceled >= jobs.c.total
# Asked every second, so made once.
_COUNTS = select(
    select(func.count()).select_from(job_items).where(IS_RUNNING).scalar_subquery(),
    select(func.coalesce(func.sum(jobs.c.total - jobs.c.done - jobs.c.canceled), 0))
    .where(IS_ACTIVE)
    .scalar_subquery(),
    select(func.min(jobs.c.created_at))
    .where(IS_ACTIVE, jobs.c.status == Status.QUEUED)
    .scalar_subquery(),
)
_CLAIM_TRIES = 4
_PAGE = 500
_RETRY_AFTER_S = 10


class Outbox(Protocol):
    """Told of every end within the transaction that records it."""

    def job_ended(self, connection: Connection, job: Job) -> None:
        """Note what is to be sent for the job, in the same transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Counts:
    """Items of all jobs; `oldest_at`: when the oldest job was accepted of which nothing has begun,
    in Unix seconds.
    """

    queued: int
    running: int
    oldest_at: float | None = None


class JobStore:
    """Queries only. Safe to share between threads and processes.

    Every change locks its job's row first, so that changes of one job come one after the other and
    never wait for each other in a circle. `changed` is called with a job's id after each commit.
    """

    def __init__(
        self,
        engine: Engine,
        changed: Callable[[str], None] = lambda _job_id: None,
        outbox: Outbox | None = None,
    ) -> None:
        self._engine = engine
        self._changed = changed
        self._outbox = outbox

    def submit(self, job: Job, items: Sequence[JobItem], limit: int) -> None:
        """Keep a job and its items. Raises `too_many_jobs` when its owner has over `limit` items
        that have not ended, these included.
        """
        with writing(self._engine) as connection:
            if _left_of(connection, job.owner_key_id) + len(items) > limit:
                raise _too_many(limit)
            connection.execute(insert(jobs).values(**to_row(job)))
            if items:
                connection.execute(insert(job_items), [to_row(item) for item in items])
        self._changed(job.job_id)

    def require_room(self, owner_key_id: str, limit: int) -> None:
        """Raise `too_many_jobs` as `submit` would for one item more."""
        with reading(self._engine) as connection:
            if _left_of(connection, owner_key_id) >= limit:
                raise _too_many(limit)

    def get(self, job_id: str) -> Job | None:
        """One job."""
        with reading(self._engine) as connection:
            return find(connection, job_id)

    def page(
        self,
        owner_key_id: str | None,
        statuses: Sequence[Status] = (),
        before: str | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """Newest first, those of one owner or all; `before`: the last id of the page before."""
        query = select(*JOB)
        if owner_key_id is not None:
            query = query.where(jobs.c.owner_key_id == owner_key_id)
        if statuses:
            query = query.where(jobs.c.status.in_(statuses))
        if before is not None:
            query = query.where(jobs.c.job_id < before)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(jobs.c.job_id.desc()).limit(limit))
            return [job_of(row) for row in rows.mappings()]

    def items(self, job_id: str, after: int = 0) -> Iterator[JobItem]:
        """The items of a job in their order, after the `after`th, read a page at a time."""
        while True:
            query = select(*ITEM).where(job_items.c.job_id == job_id, job_items.c.number > after)
            with reading(self._engine) as connection:
                rows = connection.execute(query.order_by(job_items.c.number).limit(_PAGE))
                found = [item_of(row) for row in rows.mappings()]
            yield from found
            if len(found) < _PAGE:
                return
            after = found[-1].number

    def ended_items(self, job_id: str, after: int, limit: int) -> list[JobItem]:
        """Items that succeeded or failed, in the order in which they did, after the `after`th."""
        query = select(*ITEM).where(job_items.c.job_id == job_id, job_items.c.ended > after)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(job_items.c.ended).limit(limit))
            return [item_of(row) for row in rows.mappings()]

    def jobs_ahead(self, job: Job) -> int:
        """How many jobs were accepted before this one and wait as it does."""
        query = select(func.count()).where(
            IS_ACTIVE, jobs.c.status == Status.QUEUED, jobs.c.job_id < job.job_id
        )
        with reading(self._engine) as connection:
            return int(connection.scalar(query) or 0)

    def counts(self) -> Counts:
        """Items waiting and running, and how long ago the next job came."""
        with reading(self._engine) as connection:
            under_way, left, oldest = connection.execute(_COUNTS).one()
        return Counts(int(left) - under_way, under_way, oldest)

    def claim(self, worker_id: str, now: float) -> Claim | None:
        """Take the next item, or None when there is none to take.

        Fair between owners: of those with items that may run the one with the fewest running; then
        its oldest job that may have one more; then the item that waits longest in it.
        """
        for _ in range(_CLAIM_TRIES):
            with writing(self._engine) as connection:
                job_id = fairest(connection, now)
                if job_id is None:
                    return None
                claim = take(connection, job_id, worker_id, now)
            if claim is not None:
                self._changed(job_id)
                return claim
        return None

    def end(
        self,
        claim: Claim,
        status: Status,
        outcome: Json | None,
        now: float,
        *,
        needs_review: bool = False,
        finisher: str | None = None,
    ) -> Job | None:
        """Record the end of an item and count it; None when the worker no longer owned it.

        With `finisher`, that worker is who writes the job's end if the item was the last one.
        """
        with writing(self._engine) as connection:
            job = lock(connection, claim.job.job_id)
            if job is None:
                return None
            counts: dict[str, Any] = {"canceled": job.canceled + 1}
            ended = None
            if status is not Status.CANCELED:
                ended = job.done + 1
                name = "ok" if status is Status.SUCCEEDED else "failed"
                counts = {"done": ended, name: getattr(job, name) + 1}
                counts["needs_review"] = job.needs_review + needs_review
            change = {
                "status": status,
                "outcome": as_text(outcome),
                "finished_at": now,
                "worker_id": None,
                "ended": ended,
            }
            if not change_item(connection, claim.item, change):
                return None
            last = replace(job, **counts).is_read and job.finisher is None
            if finisher is not None and last:
                counts |= _writing_the_end(finisher)
            after = change_job(connection, job, counts)
        self._changed(after.job_id)
        return after

    def put_back(
        self, claim: Claim, now: float, *, run_after: float = 0.0, vain: Json | None = None
    ) -> Job | None:
        """Give an item up for another worker, or for later; None when it was not owned any more.

        `vain` is the attempt to remember. An item of a job that is to be canceled is canceled.
        """
        with writing(self._engine) as connection:
            job = lock(connection, claim.job.job_id)
            if job is None:
                return None
            after = requeue(connection, job, claim.item, now, run_after=run_after, vain=vain)
        if after is not None:
            self._changed(after.job_id)
        return after

    def request_cancel(self, job_id: str, now: float) -> Job | None:
        """Cancel what waits and have the rest stopped. A job that has ended stays as it is."""
        with writing(self._engine) as connection:
            job = lock(connection, job_id)
            if job is None or job.status.is_final or job.cancel_requested_at is not None:
                return job
            waiting = update(job_items).where(job_items.c.job_id == job_id, IS_QUEUED)
            canceled = connection.execute(waiting.values(status=Status.CANCELED, finished_at=now))
            change = {"cancel_requested_at": now, "canceled": job.canceled + canceled.rowcount}
            after = change_job(connection, job, change)
        self._changed(job_id)
        return after

    def forget(self, ended_before: float, limit: int = 100) -> int:
        """Delete jobs that ended before that moment, with their items; how many that were."""
        old = select(jobs.c.job_id).where(jobs.c.finished_at < ended_before).limit(limit)
        with reading(self._engine) as connection:
            ids = list(connection.scalars(old))
        if ids:
            with writing(self._engine) as connection:
                connection.execute(delete(job_items).where(job_items.c.job_id.in_(ids)))
                connection.execute(delete(jobs).where(jobs.c.job_id.in_(ids)))
        return len(ids)

    def to_cancel(self, job_ids: Iterable[str]) -> frozenset[str]:
        """Those of these jobs that are to be canceled."""
        query = select(jobs.c.job_id).where(
            jobs.c.job_id.in_(list(job_ids)), jobs.c.cancel_requested_at.is_not(None)
        )
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query))

    def to_finish(self, now: float, worker_id: str = "", limit: int = 50) -> list[str]:
        """Jobs whose items have all ended and whose end nobody is writing but this worker."""
        query = select(jobs.c.job_id).where(*_finishable(now, worker_id)).order_by(jobs.c.job_id)
        with reading(self._engine) as connection:
            return list(connection.scalars(query.limit(limit)))

    def claim_end(self, job_id: str, worker_id: str, now: float) -> Job | None:
        """Become the one who writes a job's end; None when it has one, or is not read yet.

        Who is that already becomes it again: it could not write the end before.
        """
        with writing(self._engine) as connection:
            job = lock(connection, job_id, *_finishable(now, worker_id))
            if job is None:
                return None
            after = change_job(connection, job, _writing_the_end(worker_id))
        self._changed(job_id)
        return after

    def postpone_end(self, job_id: str, worker_id: str, until: float) -> None:
        """Let a job's end be written by anybody, from `until` on."""
        with writing(self._engine) as connection:
            job = lock(connection, job_id, IS_ACTIVE, jobs.c.finisher == worker_id)
            if job is not None:
                change_job(connection, job, {"finisher": None, "finish_after": until})

    def finish(
        self,
        job_id: str,
        worker_id: str,
        status: Status,
        now: float,
        *,
        result_rel: str | None = None,
        error: Json | None = None,
    ) -> Job | None:
        """Set a job's final state; None when another one writes its end by now."""
        with writing(self._engine) as connection:
            job = lock(connection, job_id, IS_ACTIVE, jobs.c.finisher == worker_id)
            if job is None:
                return None
            change = {
                "status": status,
                "finished_at": now,
                "stage": Stage.ENDED,
                "finisher": None,
                "result_rel": result_rel,
                "error": error,
            }
            after = change_job(connection, job, change)
            if self._outbox is not None:
                self._outbox.job_ended(connection, after)
        self._changed(job_id)
        return after


def _left_of(connection: Connection, owner_key_id: str) -> int:
    """Items of an owner that have not ended."""
    left = select(func.coalesce(func.sum(jobs.c.total - jobs.c.done - jobs.c.canceled), 0))
    mine = left.where(IS_ACTIVE, jobs.c.owner_key_id == owner_key_id)
    return int(connection.scalar(mine) or 0)


def _writing_the_end(worker_id: str) -> dict[str, Any]:
    return {"finisher": worker_id, "stage": Stage.FINISHING, "current": None}


def _finishable(now: float, worker_id: str) -> tuple[ColumnElement[bool], ...]:
    alive = select(job_workers.c.worker_id).where(job_workers.c.lease_until >= now)
    finisher = jobs.c.finisher
    nobody = or_(finisher.is_(None), finisher == worker_id, finisher.not_in(alive))
    return IS_ACTIVE, _IS_READ, jobs.c.finish_after <= now, nobody


def _too_many(limit: int) -> Error:
    return Error(
        "too_many_jobs",
        Kind.RATE_LIMITED,
        "Too many documents of this key are waiting.",
        {"limit": limit, "retry_after_s": _RETRY_AFTER_S},
        retryable=True,
    )
