"""Processes on one table of jobs, run step by step: what they do goes on when it is told to.

Everything of jobs is the product's own: table, leases, runner, finishing, service, adopted
requests. What stands in is what lies around it: reading, artifacts, inputs, the clock. Reading and
writing an end are where work waits, and where it may be killed. It is done on greenlets in place of
threads, so that one history is always the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from greenlet import getcurrent, greenlet
from pydantic import SecretStr
from sqlalchemy import delete, event, select
from sqlalchemy.exc import OperationalError

from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.db.engine import Durability, Schema, open_database, reading, writing
from apps.api_cpu.db.tables import job_items, job_workers, jobs
from apps.api_cpu.errors import envelope
from apps.api_cpu.extractions.body import Submission
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.promise import MovableWork
from apps.api_cpu.extractions.schemas import ExtractRequest
from apps.api_cpu.extractions.service import Order, Stored
from apps.api_cpu.jobs.adopting import JobPromises
from apps.api_cpu.jobs.changes import Changes
from apps.api_cpu.jobs.erasing import JobEraser
from apps.api_cpu.jobs.extract_job import ExtractFinisher, ExtractJobs
from apps.api_cpu.jobs.finishing import Ended, Finisher, Finishing
from apps.api_cpu.jobs.leases import WorkerLeases
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.reaper import Reaper
from apps.api_cpu.jobs.rows import Job, JobItem, Kind, Status, item_of, job_of
from apps.api_cpu.jobs.runner import Runner, RunnerLimits
from apps.api_cpu.jobs.service import JobService
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.jobs.transitions import ITEM, JOB
from apps.api_cpu.request_context import RequestContext
from lib.domain.deadline import Deadline
from lib.domain.task import Task
from lib.errors import Error
from lib.errors import Kind as ErrorKind

LEASE_S = 20.0
RETRY_FOR_S = 100.0
QUEUED_PER_KEY = 8
ADMIN = Caller("admin", Role.ADMIN)
_START = 1_700_000_000.0
_TASK = Task("auto", "Chooses", None, ())

Deed = Callable[["Reading", Draft], dict[str, Any]]
"""What reading a document comes to: a response, an `Error`, or a death."""


class Killed(BaseException):
    """The process has ended, wherever it was."""


class Execution(greenlet):
    """Work of a process: runs from pause to pause, while whoever started it waits."""

    def __init__(
        self, process: Process, work: Callable[[], object], *, stops_at_end: bool = False
    ) -> None:
        super().__init__()
        self.process = process
        self.stops_at_end = stops_at_end
        self.claimed: tuple[str, int] | None = None
        self.draft: Draft | None = None
        self.work: MovableWork | None = None
        self.deed: Deed | None = None
        self.has_raised = False
        self.database_is_away = False
        self.waits_at: str | None = None
        self.result: object = None
        self.error: Error | None = None
        self._does = work
        self.switch()

    def run(self) -> None:
        try:
            self.result = self._does()
        except Killed:
            pass
        except Error as error:
            self.error = error

    def pause(self, point: str) -> Any:
        """Wait there; returns what `go_on` is given."""
        self.waits_at = point
        try:
            return self.parent.switch()
        finally:
            self.waits_at = None

    def go_on(self, order: object = None) -> None:
        """Have it go on to its next pause or its end."""
        self.switch(order)

    def kill(self) -> None:
        """End it where it waits: nothing more of it reaches the table."""
        if self.waits_at is not None:
            self.throw(Killed)


def here() -> Execution:
    """The one that runs."""
    execution = getcurrent()
    assert isinstance(execution, Execution)
    return execution


@dataclass(frozen=True)
class Parts:
    """The product's classes, and what else is said to the database in place of its statements."""

    store: type[JobStore] = JobStore
    leases: type[WorkerLeases] = WorkerLeases
    presence: type[Presence] = Presence
    runner: type[Runner] = Runner
    finishing: type[Finishing] = Finishing
    statements: Mapping[str, str] = field(default_factory=dict)


class Table:
    """A database of jobs, and what was said to it."""

    def __init__(self, location: Path | SecretStr, statements: Mapping[str, str]) -> None:
        self.engine = open_database(location, Schema.JOBS, Durability.CRASH)
        self._watched = open_database(location, Schema.JOBS, Durability.CRASH)
        self._statements = {re.compile(pattern): new for pattern, new in statements.items()}
        self.replaced: Counter[str] = Counter()
        event.listen(self.engine, "before_cursor_execute", self._before, retval=True)

    def close(self) -> None:
        self.engine.dispose()
        self._watched.dispose()

    def clear(self) -> None:
        with writing(self._watched) as connection:
            for table in (job_items, jobs, job_workers):
                connection.execute(delete(table))

    def rows(self) -> tuple[dict[str, Job], dict[tuple[str, int], JobItem]]:
        """All jobs and items, read beside what is said to the database otherwise."""
        with reading(self._watched) as connection:
            found = [job_of(row) for row in connection.execute(select(*JOB)).mappings()]
            items = [item_of(row) for row in connection.execute(select(*ITEM)).mappings()]
        return {job.job_id: job for job in found}, {
            (item.job_id, item.number): item for item in items
        }

    def _before(
        self, _connection: object, _cursor: object, statement: str, parameters: Any, *_: object
    ) -> tuple[str, Any]:
        execution = getcurrent()
        if isinstance(execution, Execution) and execution.database_is_away:
            raise OperationalError(statement, None, Exception("away"))
        for pattern, new in self._statements.items():
            statement, count = pattern.subn(new, statement)
            self.replaced[pattern.pattern] += count
        return statement, parameters


class Reading:
    """In place of the extraction service: an artifact is written once, like the real ones."""

    def __init__(self) -> None:
        self.artifacts: dict[str, Stored] = {}

    def extract(self, draft: Draft, _order: Order, _deadline: Deadline) -> dict[str, Any]:
        execution = here()
        execution.draft = draft
        deed: Deed = execution.pause("reading")
        return deed(self, draft)

    def put(self, draft: Draft, stored: Stored) -> None:
        if draft.artifact_rel in self.artifacts:
            raise Error("conflict", ErrorKind.CONFLICT, "Written already.")
        self.artifacts[draft.artifact_rel] = stored

    def fail(self, draft: Draft, exc: Exception) -> Error:
        if not isinstance(exc, Error):
            raise exc
        details = {**exc.details, "artifact_rel": draft.artifact_rel}
        named = Error(exc.code, exc.kind, exc.message, details, retryable=exc.retryable)
        try:
            self.put(draft, Stored(422, envelope(named, draft.request_id)))
        except Error:
            return exc
        return named

    def recorded(self, draft: Draft) -> Stored | None:
        return self.artifacts.get(draft.artifact_rel)

    def response(self, artifact_rel: str) -> dict[str, Any]:
        return self.artifacts[artifact_rel].body

    def accept(self, draft: Draft) -> None:
        draft.accepted = True

    def hold_id(self, draft: Draft) -> None:
        pass


class World:
    """What all processes share, the clock among it."""

    def __init__(self, table: Table, folder: Path, parts: Parts) -> None:
        self.table, self.folder, self.parts = table, folder, parts
        self.now = _START
        self.reading = Reading()
        self.held: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.ends: list[tuple[str, Execution, str | None]] = []
        self.eraser = JobEraser(table.engine)
        self.is_alive: Callable[[str | None], bool] = lambda _worker_id: True

    def clock(self) -> float:
        return self.now

    def job_ended(self, _connection: object, job: Job) -> None:
        """`Outbox`."""
        self.told[job.job_id] += 1

    def an_end_is_written(self, job_id: str, by: Execution, worker_id: str | None) -> None:
        """By one process at a time, of those whose lease is not over."""
        if any(name == job_id and self.is_alive(worker) for name, _, worker in self.ends):
            self.wrong.append(f"two write the end of {job_id}")
        self.ends.append((job_id, by, worker_id))

    def hold(self, _content: object, _owner: str, _created_at: datetime, holder: str) -> str:
        """`Inputs` of requests that become jobs."""
        self.held[holder] += 1
        return holder

    def read(self, input_ref: str, _caller: Caller) -> bytes:
        """`InputReading`: a document must be there for as long as its job may read it."""
        if not self.held[input_ref]:
            self.wrong.append(f"the document of {input_ref} was let go and is asked for")
        return b"a document"

    def release(self, holder: str) -> None:
        """`Releasing`."""
        self.held[holder] = 0


class Process:
    """A server or a worker: the product's classes, put together as `build_jobs` does."""

    name = "stepped"  # as a backend

    def __init__(self, world: World, number: int) -> None:
        parts, engine, now = world.parts, world.table.engine, world.clock
        self.world = world
        self.executions: list[Execution] = []
        self.unknown: set[tuple[str, int, int]] = set()
        store = parts.store(engine, outbox=world)
        self.store = _Claims(store)
        self.leases = parts.leases(engine)
        folder = world.folder / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        self.presence = parts.presence(self.leases, store, LEASE_S, folder, now)
        self.presence.register()
        finishers: dict[Kind, Finisher] = {
            Kind.EXTRACT: _Pausing(world, ExtractFinisher(world.reading)),  # type: ignore[arg-type]
            Kind.BATCH_EXTRACT: _Pausing(world, _BatchFinisher()),
        }
        self.finishing = parts.finishing(
            store, finishers, world, lambda: self.presence.worker_id, now
        )
        self.runner = parts.runner(
            self.store,  # type: ignore[arg-type]
            self.presence,
            world.reading,  # type: ignore[arg-type]
            world,
            self.finishing,
            {"auto": _TASK},
            RunnerLimits(3600.0, RETRY_FOR_S),
            now,
        )
        self.service = JobService(
            store,
            Changes(),
            self,
            self.finishing,
            self.presence,
            QUEUED_PER_KEY,
            lambda _url: None,
            now,
        )
        self.reaper = Reaper(store, self.leases, self.presence, self.finishing, self, now)
        extract_jobs = ExtractJobs(world.reading, world, self.service)  # type: ignore[arg-type]
        self.promises = JobPromises(
            extract_jobs, self.service, self.runner, self.presence, 3600.0, now
        )

    def ring(self, count: int) -> None:
        """`JobsBackend`: the machine decides who takes what."""

    def begin(self, work: Callable[[], object], *, stops_at_end: bool = False) -> Execution:
        execution = Execution(self, work, stops_at_end=stops_at_end)
        self.executions = [e for e in self.executions if e.waits_at or e.work]  # others have ended
        self.executions.append(execution)
        return execution

    def ask(self, request_id: str, owner: str) -> Execution:
        """A synchronous request, that has begun to read its document."""
        draft = Draft(
            RequestContext(request_id, owner),
            Caller(owner, Role.CLIENT),
            created_at=datetime.fromtimestamp(self.world.now, UTC),
            submission=Submission(ExtractRequest(), b"a document", None),
        )
        order = Order(_TASK, ExtractRequest(), b"a document")
        work = MovableWork(self.world.reading, draft, order, Deadline.after(3600.0))  # type: ignore[arg-type]
        execution = self.begin(work.run)
        execution.work = work
        return execution

    def kill(self) -> None:
        for execution in self.executions:
            execution.kill()


class _Claims:
    """A store that notes what was claimed by whom."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def claim(self, worker_id: str, now: float) -> Any:
        claim = self._store.claim(worker_id, now)
        if claim is not None:
            here().claimed = (claim.item.job_id, claim.item.number)
        return claim

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _Pausing:
    """A finisher that may be stopped, killed or fail before it writes what it writes."""

    def __init__(self, world: World, finisher: Finisher) -> None:
        self._world, self._finisher = world, finisher

    def finish(self, job: Job, items: Callable[[], Iterable[JobItem]]) -> Ended:
        execution = here()
        self._world.an_end_is_written(job.job_id, execution, job.finisher)
        try:
            if execution.stops_at_end and isinstance(execution.pause("ending"), Error):
                raise Error("storage_unavailable", ErrorKind.UNAVAILABLE, "Away.", retryable=True)
            if not all(item.status.is_final for item in items()):
                self._world.wrong.append(f"the end of {job.job_id} is written before it has ended")
            return self._finisher.finish(job, items)
        finally:
            self._world.ends.remove((job.job_id, execution, job.finisher))

    def result(self, job: Job) -> dict[str, Any] | None:
        return self._finisher.result(job)


class _BatchFinisher:
    """As the real one decides."""

    def finish(self, job: Job, _items: Callable[[], Iterable[JobItem]]) -> Ended:
        is_canceled = job.cancel_requested_at is not None
        return Ended(Status.CANCELED if is_canceled else Status.SUCCEEDED, f"batches/{job.job_id}")

    def result(self, _job: Job) -> dict[str, Any] | None:
        return None
