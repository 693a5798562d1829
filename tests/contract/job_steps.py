"""What the histories of jobs are made of: a step of a process, and what the model makes of it."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from job_model import Accepted, Item, Key, Model
from job_world import (
    LEASE_S,
    QUEUED_PER_KEY,
    RETRY_FOR_S,
    Deed,
    Execution,
    Killed,
    Parts,
    Process,
    Reading,
    Table,
    World,
)

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.service import Stored
from apps.api_cpu.jobs.rows import Job, Kind, NewItem, Status
from lib.errors import Error
from lib.errors import Kind as ErrorKind


def answer(reading: Reading, draft: Draft) -> dict[str, Any]:
    """The document is read and its artifact written."""
    response = {
        "artifact_rel": draft.artifact_rel,
        "document_type": "receipt",
        "backend": f"attempt {draft.attempt}",
        "result": {},
        "fields": {},
        "needs_review": draft.attempt % 2 == 0,
    }
    reading.put(draft, Stored(200, response))
    return response


def answer_and_die(reading: Reading, draft: Draft) -> dict[str, Any]:
    """The artifact is written, and nobody hears of it."""
    with suppress(Error):  # another one was faster
        answer(reading, draft)
    raise Killed


def fail_for_good(_reading: Reading, _draft: Draft) -> dict[str, Any]:
    """The document itself is bad."""
    raise Error("unreadable_document", ErrorKind.UNPROCESSABLE, "Damaged.")


def find_it_away(_reading: Reading, _draft: Draft) -> dict[str, Any]:
    """What it needs is away; also what work says that was told to stop."""
    raise Error("inference_unavailable", ErrorKind.UNAVAILABLE, "Away.", retryable=True)


DEEDS: Sequence[Deed] = (answer, answer_and_die, fail_for_good, find_it_away)


class JobSteps(RuleBasedStateMachine):
    """Two processes and their work. `table` and `parts` are given by who runs it."""

    table: Table
    parts = Parts()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="job-machine-"))
        self.table.clear()
        self.world = World(self.table, self.folder, self.parts)
        self.model = Model()
        self.world.is_alive = lambda worker_id: self.model.is_alive(worker_id, self.world.now)
        self.numbers = itertools.count(1)
        self.processes: list[Process] = []
        self.dead: list[Process] = []
        self.is_sound = True

    def _started(self) -> Process:
        process = Process(self.world, next(self.numbers))
        self.model.leases[process.presence.worker_id] = self.world.now + LEASE_S
        return process

    def _submit(self, owner: str, size: int, concurrency: int | None) -> None:
        job_id = f"job-{next(self.numbers):06}"
        has_room = self.model.waiting_of(owner) + size <= QUEUED_PER_KEY
        kind = Kind.EXTRACT if size == 1 else Kind.BATCH_EXTRACT
        job = Job(
            job_id, kind, owner, Role.CLIENT, self.world.now, "auto", {}, total=size,
            concurrency=concurrency,
        )  # fmt: skip
        items = [NewItem(f"{job_id}-{number}", input_ref=job_id) for number in range(1, size + 1)]
        self.world.hold(None, owner, None, job_id)  # type: ignore[arg-type]
        try:
            self._process().service.submit(job, items)
        except Error as error:
            self._expect(error.code == "too_many_jobs" and not has_room, f"refused: {error.code}")
            return
        self._expect(has_room, "accepted beyond the limit of a key")
        rows = {number: Item(item.request_id) for number, item in enumerate(items, 1)}
        self.model.jobs[job_id] = Accepted(owner, size > 1, concurrency, rows)

    def _take(self, process: Process, *, stops: bool = False) -> None:
        worker_id, now = process.presence.worker_id, self.world.now
        allowed = self.model.next_items(now)
        execution = process.begin(process.runner.run_next, stops_at_end=stops)
        key = execution.claimed
        if key is None:
            self._expect(not allowed, f"nothing was taken of {allowed}")
            return
        self._expect(key in allowed, f"{key} was taken, not one of {allowed}")
        self.model.claimed(key, worker_id, execution, now)
        item = self._item(key)
        must_not_read = item.is_given_up or self._is_written(item.request_id)
        self._expect((execution.waits_at == "reading") is not must_not_read, f"{key} is read")
        if must_not_read:
            self._settled(execution, answer)

    def _look(self, process: Process, *, stops: bool = False) -> None:
        process.begin(process.reaper.look, stops_at_end=stops)
        self.model.reaped(self.world.now)

    def _kill(self, process: Process, *, is_noticed: bool) -> None:
        """It ends wherever it is, and a new one takes its place. `is_noticed`: by a neighbour."""
        process.kill()
        self.dead.append(process)
        if is_noticed:
            process.leases.end(process.presence.worker_id)
            del self.model.leases[process.presence.worker_id]
        place = self.processes.index(process)
        self.processes[place] = self._started()

    def _read(
        self,
        execution: Execution,
        deed: Deed,
        *,
        stops: bool = False,
        database_is_away: bool = False,
    ) -> None:
        execution.stops_at_end, execution.database_is_away = stops, database_is_away
        was_written = self._is_written(execution.draft.request_id)
        execution.go_on(deed)
        execution.database_is_away = False
        execution.deed, execution.has_raised = deed, deed is not answer or was_written
        if deed is answer_and_die:
            self._kill(execution.process, is_noticed=False)
        elif not database_is_away:
            self._settled(execution, deed)

    def _settled(self, execution: Execution, deed: Deed) -> None:
        """What an execution's end makes of its item, if it is still its own."""
        if not self._owns(execution):
            return
        key: Key = execution.claimed
        item, now = self._item(key), self.world.now
        if execution.has_raised and execution.draft.cancellation.is_set:
            self.model.given_back(key, now)
        elif deed is find_it_away and now - item.started_at < RETRY_FOR_S:
            self.model.given_back(key, now, vain=True)
        else:
            self._expect(self._is_written(item.request_id), f"{key} has ended without an artifact")
            is_answered = self._stored(item.request_id).status == 200
            self.model.ended(key, Status.SUCCEEDED if is_answered else Status.FAILED)

    def _owns(self, execution: Execution) -> bool:
        key = execution.claimed
        if key is None or key[0] not in self.model.jobs:
            return False
        return self._item(key).holder is execution

    def _item(self, key: Key) -> Item:
        return self.model.jobs[key[0]].items[key[1]]

    def _stored(self, request_id: str) -> Any:
        found = self.world.reading.artifacts.items()
        return next((stored for rel, stored in found if rel.endswith(f"/{request_id}.json")), None)

    def _is_written(self, request_id: str) -> bool:
        return self._stored(request_id) is not None

    def _over(self) -> list[str]:
        return sorted(job_id for job_id, job in self.model.jobs.items() if job.final is not None)

    def _waiting(self, point: str) -> list[Execution]:
        every = (e for process in self.processes for e in process.executions)
        return [execution for execution in every if execution.waits_at == point]

    def _adoptable(self) -> list[Execution]:
        every = (e for process in self.processes for e in process.executions)
        return [execution for execution in every if execution.work is not None]

    def _process(self) -> Process:
        return self._one_of(self.processes)

    def _one_of(self, options: Sequence[Any]) -> Any:
        return options[self.draw(st.integers(0, len(options) - 1))]

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.is_sound = False
            raise AssertionError(otherwise)
