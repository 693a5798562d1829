"""The workers that hold items: their leases, and what becomes of items whose worker is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, func, insert, or_, select, update

from apps.api_cpu.db.engine import reading, writing
from apps.api_cpu.db.tables import job_items, job_workers
from apps.api_cpu.jobs.rows import JobItem, Json, item_of
from apps.api_cpu.jobs.transitions import IS_RUNNING, ITEM, lock, requeue
from apps.api_cpu.wire import timestamp

# A document that has ended so many workers is not tried again.
MOST_DEATHS = 3
WORKER_DIED: Json = {
    "code": "unreadable_document",
    "message": "Reading the document ended the process that read it.",
    "details": {"reason": "worker_died"},
}
_FORGOTTEN_AFTER_S = 3600.0
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that works on items. Times in Unix seconds."""

    worker_id: str
    host: str
    pid: int
    started_at: float
    lease_until: float


class WorkerLeases:
    """One row a process, renewed while it lives. Safe to share between threads and processes."""

    def __init__(
        self, engine: Engine, changed: Callable[[str], None] = lambda _job_id: None
    ) -> None:
        self._engine = engine
        self._changed = changed

    def register(self, worker: Worker) -> None:
        """A worker begins."""
        values = {name: getattr(worker, name) for name in Worker.__dataclass_fields__}
        with writing(self._engine) as connection:
            connection.execute(insert(job_workers).values(**values))

    def renew(self, worker_id: str, now: float, until: float) -> bool:
        """Hold on until then; False when the lease was over already, and with it the worker."""
        mine = job_workers.c.worker_id == worker_id
        statement = update(job_workers).where(mine, job_workers.c.lease_until >= now)
        with writing(self._engine) as connection:
            return connection.execute(statement.values(lease_until=until)).rowcount == 1

    def end(self, worker_id: str) -> None:
        """A worker is over, or was found dead: what it still holds is up for others."""
        statement = delete(job_workers).where(job_workers.c.worker_id == worker_id)
        with writing(self._engine) as connection:
            connection.execute(statement)

    def of_host(self, host: str) -> list[Worker]:
        """The workers of a host, dead ones included."""
        query = select(job_workers).where(job_workers.c.host == host)
        with reading(self._engine) as connection:
            return [Worker(**row) for row in connection.execute(query).mappings()]

    def alive(self, now: float) -> int:
        """How many workers have a lease."""
        query = select(func.count()).where(job_workers.c.lease_until >= now)
        with reading(self._engine) as connection:
            return int(connection.scalar(query) or 0)

    def reap(self, now: float) -> int:
        """Put back what is held by workers whose lease is over; how many items that were."""
        reaped = self.put_back(self._abandoned(now), now)
        if reaped == 0:
            self._forget(now)
        return reaped

    def held_by(self, worker_id: str) -> list[JobItem]:
        """What a worker holds."""
        query = select(*ITEM).where(IS_RUNNING, job_items.c.worker_id == worker_id)
        with reading(self._engine) as connection:
            return [item_of(row) for row in connection.execute(query).mappings()]

    def put_back(self, held: Sequence[JobItem], now: float) -> int:
        """Queue items whose work was lost, counting a death; how many were still held so.

        At the last death that is allowed the next worker finds its error in the item.
        """
        count = 0
        for job_id in {item.job_id for item in held}:
            with writing(self._engine) as connection:
                job = lock(connection, job_id)
                for item in held:
                    if job is None or item.job_id != job_id:
                        continue
                    died = _death(item, now)
                    error = WORKER_DIED if item.deaths + 1 >= MOST_DEATHS else None
                    after = requeue(connection, job, item, now, died=died, error=error)
                    count += after is not None
                    job = after or job
            self._changed(job_id)
        return count

    def _abandoned(self, now: float) -> list[JobItem]:
        over = or_(job_workers.c.worker_id.is_(None), job_workers.c.lease_until < now)
        query = (
            select(*ITEM)
            .outerjoin(job_workers, job_workers.c.worker_id == job_items.c.worker_id)
            .where(IS_RUNNING, over)
            .limit(_AT_ONCE)
        )
        with reading(self._engine) as connection:
            return [item_of(row) for row in connection.execute(query).mappings()]

    def _forget(self, now: float) -> None:
        old = job_workers.c.lease_until < now - _FORGOTTEN_AFTER_S
        with reading(self._engine) as connection:
            if connection.scalar(select(job_workers.c.worker_id).where(old).limit(1)) is None:
                return
        with writing(self._engine) as connection:
            connection.execute(delete(job_workers).where(old))


def _death(item: JobItem, now: float) -> Json:
    """The attempt that ended with its worker, as an artifact lists it."""
    return {
        "number": item.attempts,
        "ended_at": timestamp(datetime.fromtimestamp(now, UTC)),
        "error": "worker_died",
    }
