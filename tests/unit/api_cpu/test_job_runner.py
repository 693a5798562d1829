"""What becomes of an item: answered, failed, tried again, handed back; with a reader that obeys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.service import Order, Stored
from apps.api_cpu.jobs.extract_job import ExtractFinisher
from apps.api_cpu.jobs.finishing import Ended, Finishing
from apps.api_cpu.jobs.leases import WORKER_DIED, WorkerLeases
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.rows import Job, JobItem, Kind, Status
from apps.api_cpu.jobs.runner import Runner, RunnerLimits
from apps.api_cpu.jobs.store import JobStore
from lib.domain.deadline import Deadline
from lib.domain.task import Task
from lib.errors import Error
from lib.errors import Kind as ErrorKind

RESPONSE: dict[str, Any] = {
    "artifact_rel": "extracts/2023-11-14/r1.json",
    "document_type": "receipt",
    "backend": "cpu",
    "result": {},
    "fields": {},
    "needs_review": True,
}


def away() -> Error:
    return Error("inference_unavailable", ErrorKind.UNAVAILABLE, "Away.", retryable=True)


class Reader:
    """In place of the extraction service: does what it is told, call by call."""

    def __init__(self) -> None:
        self.will: list[dict[str, Any] | Exception | Callable[[Draft], None]] = []
        self.drafts: list[Draft] = []
        self.kept: Stored | None = None
        self.can_keep = True
        self.can_look = True

    def extract(self, draft: Draft, order: Order, deadline: Deadline) -> dict[str, Any]:
        self.drafts.append(draft)
        action = self.will.pop(0)
        if isinstance(action, Exception):
            raise action
        if isinstance(action, dict):
            return action
        action(draft)
        raise AssertionError("it was told to stop, and did not")

    def fail(self, draft: Draft, exc: Exception) -> Error:
        assert isinstance(exc, Error)
        if not self.can_keep:
            return exc
        details = {**exc.details, "artifact_rel": draft.artifact_rel}
        return Error(exc.code, exc.kind, exc.message, details, retryable=exc.retryable)

    def recorded(self, draft: Draft) -> Stored | None:
        if not self.can_look:
            raise Error("storage_unavailable", ErrorKind.UNAVAILABLE, "Away.", retryable=True)
        return self.kept


class Inputs:
    """One document, whatever is asked for."""

    def __init__(self) -> None:
        self.released: list[str] = []

    def read(self, input_ref: str, caller: Caller) -> bytes:
        return b"a document"

    def release(self, holder: str) -> None:
        self.released.append(holder)


class Finisher:
    """Says of a job what its item says."""

    def finish(self, job: Job, items: Callable[[], Iterator[JobItem]]) -> Ended:
        (item,) = items()
        return Ended(item.status)

    def result(self, job: Job) -> None:
        return None


class Place:
    """A table, a runner on it, and a clock."""

    def __init__(self, folder: Path) -> None:
        engine = open_database(folder / "jobs.sqlite3", Schema.JOBS, Durability.CRASH)
        self.now = 1_700_000_000.0
        self.store = JobStore(engine)
        self.reader = Reader()
        self.inputs = Inputs()
        leases = WorkerLeases(engine)
        presence = Presence(leases, self.store, 20.0, folder / "workers", self.clock)
        self.presence = presence
        finishing = Finishing(
            self.store,
            {Kind.EXTRACT: Finisher()},
            self.inputs,
            lambda: presence.worker_id,
            self.clock,
        )
        self.runner = Runner(
            self.store,
            presence,
            self.reader,  # type: ignore[arg-type]
            self.inputs,
            finishing,
            {"auto": Task("auto", "Chooses", None, ())},
            RunnerLimits(deadline_s=60.0, retry_for_s=100.0),
            self.clock,
        )
        self.presence.start()

    def clock(self) -> float:
        return self.now

    def submit(
        self, error: dict[str, Any] | None = None, options: dict[str, Any] | None = None
    ) -> None:
        job = Job(
            "j1", Kind.EXTRACT, "alice", Role.CLIENT, self.now, "auto", options or {}, total=1
        )
        item = JobItem("j1", 1, "alice", "r1", file="a.pdf", input_ref="x", error=error)
        self.store.submit(job, [item], 10)

    @property
    def job(self) -> Job:
        found = self.store.get("j1")
        assert found is not None
        return found

    @property
    def item(self) -> JobItem:
        (found,) = self.store.items("j1")
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.presence.stop()


def test_an_answer_ends_the_item_and_its_job(place: Place) -> None:
    place.submit()
    place.reader.will = [RESPONSE]
    assert place.runner.run_next()
    assert not place.runner.run_next()
    assert (place.job.status, place.job.ok, place.job.needs_review) == ("succeeded", 1, 1)
    assert place.item.outcome is not None
    assert place.item.outcome["file"] == "a.pdf"
    assert place.inputs.released == ["j1"]


def test_what_is_away_is_asked_again_later(place: Place) -> None:
    place.submit()
    place.reader.will = [away(), away(), RESPONSE]
    assert place.runner.run_next()
    assert (place.job.status, place.job.stage) == ("running", "retrying")
    assert not place.runner.run_next()
    place.now += 2
    assert place.runner.run_next()
    place.now += 4
    assert place.runner.run_next()
    assert (place.job.status, place.job.attempts) == ("succeeded", 3)
    errors = [attempt["error"] for attempt in place.reader.drafts[-1].vain]
    assert errors == ["inference_unavailable"] * 2
    assert place.reader.drafts[-1].attempt == 3


def test_what_stays_away_fails_in_the_end(place: Place) -> None:
    place.submit()
    place.reader.will = [away(), away()]
    assert place.runner.run_next()
    place.now += 101
    assert place.runner.run_next()
    assert place.job.status is Status.FAILED
    assert place.item.outcome is not None
    assert place.item.outcome["error"]["code"] == "inference_unavailable"


@pytest.mark.parametrize(
    "error",
    [
        Error("unreadable_document", ErrorKind.UNPROCESSABLE, "Damaged.", retryable=True),
        Error("inference_unavailable", ErrorKind.UNAVAILABLE, "For good.", retryable=False),
    ],
)
def test_what_would_fail_again_is_not_tried_again(place: Place, error: Error) -> None:
    place.submit()
    place.reader.will = [error]
    assert place.runner.run_next()
    assert (place.job.status, place.job.attempts) == ("failed", 1)


def test_what_an_earlier_attempt_wrote_is_not_read_again(place: Place) -> None:
    place.submit()
    dead = place.store.claim("dead", place.now)
    assert dead is not None
    place.store.put_back(dead, place.now)
    place.reader.kept = Stored(200, RESPONSE)
    assert place.runner.run_next()
    assert place.reader.drafts == []
    assert (place.job.status, place.job.attempts) == ("succeeded", 2)


def test_a_failure_that_an_earlier_attempt_wrote_stays_one(place: Place) -> None:
    place.submit()
    place.reader.will = [Error("conflict", ErrorKind.CONFLICT, "Written already.")]
    place.reader.can_keep = False
    error = {"code": "encrypted_document", "message": "Locked.", "details": {"artifact_rel": "x"}}
    place.reader.kept = Stored(422, {"error": error})
    assert place.runner.run_next()
    assert place.item.outcome is not None
    assert place.item.outcome["error"]["code"] == "encrypted_document"


def test_a_document_known_to_kill_is_not_read(place: Place) -> None:
    place.submit(error=dict(WORKER_DIED))
    assert place.runner.run_next()
    assert place.reader.drafts == []
    assert place.item.outcome is not None
    assert place.item.outcome["error"]["details"]["reason"] == "worker_died"


def test_options_of_another_version_end_the_item_and_not_the_worker(place: Place) -> None:
    place.submit(options={"an_option_of_tomorrow": 1})
    assert place.runner.run_next()
    assert place.reader.drafts == []
    assert place.item.outcome is not None
    assert place.item.outcome["error"]["code"] == "validation_error"
    assert place.job.status is Status.FAILED


def test_a_failure_that_cannot_be_kept_is_tried_again(place: Place) -> None:
    place.submit()
    place.reader.will = [Error("empty_document", ErrorKind.UNPROCESSABLE, "Empty.")] * 2
    place.reader.can_keep = False
    assert place.runner.run_next()
    assert place.job.stage == "retrying"
    place.reader.can_keep = True
    place.now += 2
    assert place.runner.run_next()
    assert place.job.status is Status.FAILED


def test_a_store_that_keeps_and_tells_nothing_is_no_death_of_the_worker(place: Place) -> None:
    place.submit()
    place.reader.will = [Error("empty_document", ErrorKind.UNPROCESSABLE, "Empty.")] * 2
    place.reader.can_keep = place.reader.can_look = False
    assert place.runner.run_next()
    assert (place.job.stage, place.item.deaths) == ("retrying", 0)
    place.now += 101
    assert place.runner.run_next()
    assert (place.job.status, place.item.deaths) == ("failed", 0)


def test_work_that_is_interrupted_is_handed_back_and_not_in_vain(place: Place) -> None:
    def interrupted(draft: Draft) -> None:
        place.runner.interrupt()
        assert draft.cancellation.is_set
        raise away()

    place.submit()
    place.reader.will = [interrupted]
    assert place.runner.run_next()
    assert (place.job.status, place.item.history, place.item.deaths) == ("queued", (), 0)


def test_a_cancel_stops_the_work_and_ends_the_job(place: Place) -> None:
    def canceled(draft: Draft) -> None:
        place.store.request_cancel("j1", place.now)
        place.presence.cancel("j1")
        raise away()

    place.submit()
    place.reader.will = [canceled]
    assert place.runner.run_next()
    assert (place.job.status, place.job.canceled) == ("canceled", 1)


def test_a_canceled_document_has_its_artifact_before_its_job_ends(place: Place) -> None:
    place.submit()
    place.store.request_cancel("j1", place.now)
    finisher = ExtractFinisher(place.reader)  # type: ignore[arg-type]
    place.reader.can_keep = False
    with pytest.raises(Error, match="storage_unavailable"):
        finisher.finish(place.job, lambda: [place.item])
    place.reader.can_keep = True
    ended = finisher.finish(place.job, lambda: [place.item])
    assert (ended.status, ended.result_rel) == ("canceled", "extracts/2023-11-14/r1.json")


def test_an_item_that_was_lost_meanwhile_changes_nothing(place: Place) -> None:
    def taken_over(draft: Draft) -> None:
        place.runner.hand_back()
        other = place.store.claim("other", place.now)
        assert other is not None
        place.store.end(other, Status.SUCCEEDED, {"by": "other"}, place.now)
        raise Error("empty_document", ErrorKind.UNPROCESSABLE, "Late.")

    place.submit()
    place.reader.will = [taken_over]
    assert place.runner.run_next()
    assert place.item.outcome == {"by": "other"}
    assert (place.job.done, place.job.failed) == (1, 0)
