"""What happens to the rows within a transaction: locking, changing, claiming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal_column, select, update

from apps.api_cpu.db.tables import job_items, jobs
from apps.api_cpu.jobs.rows import (
    ITEM_COLUMNS,
    JOB_COLUMNS,
    Claim,
    Job,
    JobItem,
    Json,
    Stage,
    Status,
    as_text,
    columns,
    item_of,
    job_of,
)

JOB = [jobs.c[name] for name in JOB_COLUMNS]
ITEM = [job_items.c[name] for name in ITEM_COLUMNS]
# Written out, not bound: a partial index serves only a condition that is known when it is planned.
IS_QUEUED = job_items.c.status == literal_column("'queued'")
IS_RUNNING = job_items.c.status == literal_column("'running'")
IS_ACTIVE = jobs.c.finished_at.is_(None)


def find(connection: Connection, job_id: str) -> Job | None:
    """The job as this transaction sees it."""
    row = connection.execute(select(*JOB).where(jobs.c.job_id == job_id)).mappings().first()
    return None if row is None else job_of(row)


def lock(connection: Connection, job_id: str, *conditions: ColumnElement[bool]) -> Job | None:
    """The job, its row locked until the transaction ends; None unless the conditions hold.

    SQLite's transactions hold the lock of the whole database already and ignore this one.
    """
    row = select(*JOB).where(jobs.c.job_id == job_id, *conditions).with_for_update()
    found = connection.execute(row).mappings().first()
    return None if found is None else job_of(found)


def change_job(connection: Connection, job: Job, change: Mapping[str, Any]) -> Job:
    """Write these fields of a locked job; the job as it is then."""
    values = {**change, "version": job.version + 1}
    row = columns(values)
    connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(**row))
    return replace(job, **values)


def requeue(
    connection: Connection,
    job: Job,
    item: JobItem,
    now: float,
    *,
    run_after: float = 0.0,
    vain: Json | None = None,
    died: Json | None = None,
    error: Json | None = None,
) -> Job | None:
    """A running item of a locked job goes back to the queue; canceled if its job is to be.

    `died` counts a death and is the attempt to remember, as `vain` is without one; with `error` the
    next worker records that failure instead of reading. None when the item is not owned any more.
    """
    attempt = died or vain
    change: dict[str, Any] = {
        "status": Status.QUEUED,
        "run_after": run_after,
        "worker_id": None,
        "deaths": item.deaths + (died is not None),
    }
    if attempt is not None:
        change["history"] = as_text([*item.history, attempt])
    if error is not None:
        change["error"] = as_text(error)
    of_job: dict[str, Any] = {"stage": Stage.RETRYING if vain else job.stage}
    if job.cancel_requested_at is not None:
        change |= {"status": Status.CANCELED, "finished_at": now}
        of_job["canceled"] = job.canceled + 1
    if not change_item(connection, item, change):
        return None
    idle = job.done == 0 and not _running_in(connection, job.job_id)
    if idle and vain is None and job.cancel_requested_at is None:
        of_job |= {"status": Status.QUEUED, "stage": Stage.QUEUED}
    return change_job(connection, job, of_job)


def change_item(connection: Connection, item: JobItem, change: Mapping[str, Any]) -> bool:
    """Change an item that is still run by the same worker in the same attempt."""
    owned = update(job_items).where(
        job_items.c.job_id == item.job_id,
        job_items.c.number == item.number,
        IS_RUNNING,
        job_items.c.worker_id == item.worker_id,
        job_items.c.attempts == item.attempts,
    )
    return connection.execute(owned.values(**change)).rowcount == 1


def fairest(connection: Connection, now: float) -> str | None:
    """The job that the next item comes from."""
    running: dict[str, int] = {}
    full: list[str] = []
    count = func.count().label("running")
    busy = (
        select(jobs.c.owner_key_id, jobs.c.job_id, jobs.c.concurrency, count)
        .join(job_items, job_items.c.job_id == jobs.c.job_id)
        .where(IS_RUNNING)
        .group_by(jobs.c.owner_key_id, jobs.c.job_id, jobs.c.concurrency)
    )
    for owner, job_id, concurrency, number in connection.execute(busy):
        running[owner] = running.get(owner, 0) + number
        if concurrency is not None and number >= concurrency:
            full.append(job_id)
    oldest = func.min(jobs.c.job_id)
    owners = select(jobs.c.owner_key_id, oldest).where(IS_ACTIVE).group_by(jobs.c.owner_key_id)
    waiting = connection.execute(owners).all()
    for owner, _ in sorted(waiting, key=lambda row: (running.get(row[0], 0), row[1])):
        may_run = exists().where(
            job_items.c.job_id == jobs.c.job_id, IS_QUEUED, job_items.c.run_after <= now
        )
        query = select(jobs.c.job_id).where(
            IS_ACTIVE,
            jobs.c.owner_key_id == owner,
            jobs.c.cancel_requested_at.is_(None),
            jobs.c.job_id.not_in(full),
            may_run,
        )
        found = connection.scalar(query.order_by(jobs.c.job_id).limit(1))
        if found is not None:
            return str(found)
    return None


def take(connection: Connection, job_id: str, worker_id: str, now: float) -> Claim | None:
    """One item of this job; None when others were faster."""
    job = lock(connection, job_id, IS_ACTIVE, jobs.c.cancel_requested_at.is_(None))
    if job is None:
        return None
    if job.concurrency is not None and _running_in(connection, job_id) >= job.concurrency:
        return None
    query = (
        select(*ITEM)
        .where(job_items.c.job_id == job_id, IS_QUEUED, job_items.c.run_after <= now)
        .order_by(job_items.c.run_after, job_items.c.number)
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    item = item_of(row)
    taken: dict[str, Any] = {
        "status": Status.RUNNING,
        "attempts": item.attempts + 1,
        "worker_id": worker_id,
        "started_at": item.started_at or now,
    }
    where = and_(job_items.c.job_id == job_id, job_items.c.number == item.number)
    connection.execute(update(job_items).where(where).values(**taken))
    change = {
        "status": Status.RUNNING,
        "started_at": job.started_at or now,
        "attempts": max(job.attempts, item.attempts + 1),
        "stage": Stage.EXTRACTING,
        "current": item.file,
    }
    return Claim(change_job(connection, job, change), replace(item, **taken))


def _running_in(connection: Connection, job_id: str) -> int:
    query = select(func.count()).where(job_items.c.job_id == job_id, IS_RUNNING)
    return int(connection.scalar(query) or 0)
