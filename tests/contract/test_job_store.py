"""What the table of jobs must do; one suite, every database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.jobs.leases import MOST_DEATHS, Worker, WorkerLeases
from apps.api_cpu.jobs.rows import Claim, Job, JobItem, Kind, Status
from apps.api_cpu.jobs.store import JobStore
from lib.errors import Error

T = TypeVar("T")
NOW = 1_700_000_000.0
LEASE = 20.0


@pytest.fixture
def engine(location: Path | SecretStr) -> Iterator[Engine]:
    opened = open_database(location, Schema.JOBS, Durability.POWER_LOSS)
    yield opened
    opened.dispose()


@pytest.fixture
def store(engine: Engine) -> JobStore:
    return JobStore(engine)


@pytest.fixture
def leases(engine: Engine) -> WorkerLeases:
    return WorkerLeases(engine)


def submit(
    store: JobStore,
    job_id: str,
    items: int = 1,
    *,
    owner: str = "alice",
    concurrency: int | None = None,
    limit: int = 1000,
) -> Job:
    job = Job(
        job_id,
        Kind.BATCH_EXTRACT,
        owner,
        Role.CLIENT,
        NOW,
        "auto",
        {"language": "de"},
        total=items,
        concurrency=concurrency,
    )
    rows = [
        JobItem(job_id, number, owner, f"{job_id}-{number}", file=f"{number}.jpg")
        for number in range(1, items + 1)
    ]
    store.submit(job, rows, limit)
    return job


def register(leases: WorkerLeases, worker_id: str, until: float = NOW + LEASE) -> None:
    leases.register(Worker(worker_id, "here", 1, NOW, until))


def take(store: JobStore, worker_id: str = "w1", now: float = NOW) -> Claim:
    claim = store.claim(worker_id, now)
    assert claim is not None
    return claim


def names(claims: list[Claim]) -> list[str]:
    return [claim.item.request_id for claim in claims]


def test_a_job_is_kept_as_it_was_given(store: JobStore) -> None:
    job = submit(store, "j1", 2)
    assert store.get("j1") == job
    assert [item.file for item in store.items("j1")] == ["1.jpg", "2.jpg"]
    assert store.get("j2") is None
    assert (store.counts().queued, store.counts().running) == (2, 0)


def test_an_item_is_claimed_once_and_its_job_has_begun(store: JobStore) -> None:
    submit(store, "j1")
    claim = take(store)
    assert (claim.item.status, claim.item.attempts, claim.item.worker_id) == ("running", 1, "w1")
    assert (claim.job.status, claim.job.started_at, claim.job.current) == ("running", NOW, "1.jpg")
    assert claim.job == store.get("j1")
    assert [claim.item] == list(store.items("j1"))
    assert store.claim("w2", NOW) is None
    assert (store.counts().queued, store.counts().running) == (0, 1)


def test_threads_claim_each_item_once(store: JobStore) -> None:
    submit(store, "j1", 20)
    submit(store, "j2", 20, owner="bob")
    taken: list[str] = []

    def patiently(act: Callable[[], T]) -> T:
        """A lock that is not got in seconds, on a disk that others keep, is asked for again."""
        while True:
            try:
                return act()
            except Error as error:
                assert error.code == "storage_unavailable"

    def work() -> None:
        while (claim := patiently(lambda: store.claim("w1", NOW))) is not None:
            taken.append(claim.item.request_id)
            patiently(partial(store.end, claim, Status.SUCCEEDED, {"ok": True}, NOW))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 40
    for job_id in ("j1", "j2"):
        job = store.get(job_id)
        assert job is not None
        assert (job.done, job.ok, job.is_read) == (20, 20, True)


def test_turns_are_taken_between_owners_and_jobs_of_one_come_in_order(store: JobStore) -> None:
    submit(store, "j1", 3)
    submit(store, "j2", 1)
    submit(store, "j3", 2, owner="bob")
    claims = [take(store) for _ in range(6)]
    assert names(claims) == ["j1-1", "j3-1", "j1-2", "j3-2", "j1-3", "j2-1"]


def test_a_job_runs_no_more_items_than_it_may(store: JobStore) -> None:
    submit(store, "j1", 3, concurrency=1)
    submit(store, "j2", 1)
    first, second = take(store), take(store)
    assert names([first, second]) == ["j1-1", "j2-1"]
    assert store.claim("w1", NOW) is None
    store.end(first, Status.SUCCEEDED, {}, NOW)
    assert take(store).item.request_id == "j1-2"


def test_ends_are_counted_and_listed_in_their_order(store: JobStore) -> None:
    submit(store, "j1", 3)
    claims = [take(store) for _ in range(3)]
    store.end(claims[2], Status.SUCCEEDED, {"n": 3}, NOW + 1, needs_review=True)
    store.end(claims[0], Status.FAILED, {"n": 1}, NOW + 2)
    job = store.end(claims[1], Status.SUCCEEDED, {"n": 2}, NOW + 3)
    assert job is not None
    assert (job.done, job.ok, job.failed, job.needs_review, job.is_read) == (3, 2, 1, 1, True)
    assert [item.outcome for item in store.ended_items("j1", 0, 10)] == [
        {"n": 3},
        {"n": 1},
        {"n": 2},
    ]
    assert [item.number for item in store.ended_items("j1", 1, 1)] == [1]


def test_who_lost_an_item_records_nothing(store: JobStore) -> None:
    submit(store, "j1")
    claim = take(store)
    store.put_back(claim, NOW)
    again = take(store, "w2")
    assert again.item.attempts == 2
    assert store.end(claim, Status.SUCCEEDED, {}, NOW) is None
    assert store.put_back(claim, NOW) is None
    ended = store.end(again, Status.FAILED, {}, NOW)
    assert ended is not None
    assert (ended.job_id, ended.done, ended.failed) == ("j1", 1, 1)
    assert store.end(again, Status.SUCCEEDED, {}, NOW) is None
    job = store.get("j1")
    assert job is not None
    assert (job.done, job.failed, job.attempts) == (1, 1, 2)


def test_an_item_that_is_put_off_waits_and_its_attempt_is_remembered(store: JobStore) -> None:
    submit(store, "j1", 2)
    vain = {"number": 1, "error": "inference_unavailable"}
    job = store.put_back(take(store), NOW, run_after=NOW + 5, vain=vain)
    assert job is not None
    assert (job.status, job.stage) == ("running", "retrying")
    assert take(store).item.number == 2
    assert store.claim("w1", NOW + 4) is None
    later = take(store, now=NOW + 5)
    assert (later.item.number, later.item.history, later.item.deaths) == (1, [vain], 0)


def test_an_item_that_is_handed_back_has_its_job_queued_again(store: JobStore) -> None:
    submit(store, "j1")
    job = store.put_back(take(store), NOW)
    assert job is not None
    assert job.status is Status.QUEUED


@pytest.mark.parametrize("ended", [Status.SUCCEEDED, Status.FAILED, Status.CANCELED])
def test_no_state_that_is_final_is_left(store: JobStore, engine: Engine, ended: Status) -> None:
    submit(store, "j1")
    claim = take(store)
    if ended is Status.CANCELED:
        store.request_cancel("j1", NOW)
        store.put_back(claim, NOW)
    else:
        store.end(claim, ended, {}, NOW)
    assert store.claim_end("j1", "w1", NOW) is not None
    assert store.finish("j1", "w1", ended, NOW) is not None
    for table in ("jobs", "job_items"):
        with pytest.raises(DatabaseError), engine.begin() as connection:
            connection.execute(text(f"UPDATE {table} SET status = 'queued'"))
    job = store.get("j1")
    assert job is not None
    assert job.status is ended


def test_a_cancel_ends_what_waits_and_flags_what_runs(store: JobStore) -> None:
    submit(store, "j1", 3)
    running = take(store)
    job = store.request_cancel("j1", NOW)
    assert job is not None
    assert (job.canceled, job.is_read, job.status) == (2, False, "running")
    assert store.to_cancel(["j1", "j2"]) == {"j1"}
    assert store.claim("w1", NOW) is None
    assert store.request_cancel("j1", NOW) == job
    after = store.put_back(running, NOW)
    assert after is not None
    assert (after.canceled, after.is_read) == (3, True)


def test_an_item_that_ends_in_spite_of_a_cancel_is_kept(store: JobStore) -> None:
    submit(store, "j1")
    running = take(store)
    store.request_cancel("j1", NOW)
    job = store.end(running, Status.SUCCEEDED, {}, NOW)
    assert job is not None
    assert (job.ok, job.canceled, job.is_read) == (1, 0, True)


def test_a_lease_is_renewed_until_it_is_over(leases: WorkerLeases) -> None:
    register(leases, "w1")
    assert leases.renew("w1", NOW + 19, NOW + 39)
    assert not leases.renew("w1", NOW + 40, NOW + 60)
    assert not leases.renew("unknown", NOW, NOW + 1)
    assert [worker.worker_id for worker in leases.of_host("here")] == ["w1"]
    leases.end("w1")
    assert leases.of_host("here") == []


def test_what_a_dead_worker_held_is_queued_again(store: JobStore, leases: WorkerLeases) -> None:
    submit(store, "j1", 2)
    register(leases, "w1")
    register(leases, "w2", NOW + 100)
    dead, alive = take(store, "w1"), take(store, "w2")
    assert leases.reap(NOW + LEASE) == 0
    assert leases.reap(NOW + LEASE + 1) == 1
    again = take(store, "w2")
    assert (again.item.number, again.item.attempts, again.item.deaths) == (1, 2, 1)
    assert again.item.history[0]["error"] == "worker_died"
    assert store.end(dead, Status.SUCCEEDED, {}, NOW) is None
    assert store.end(alive, Status.SUCCEEDED, {}, NOW) is not None


def test_a_document_that_kills_is_given_up(store: JobStore, leases: WorkerLeases) -> None:
    submit(store, "j1")
    for death in range(1, MOST_DEATHS + 1):
        claim = take(store, f"w{death}")
        assert claim.item.error is None
        assert leases.reap(NOW) == 1
    last = take(store, "w9")
    assert last.item.deaths == MOST_DEATHS
    assert last.item.error is not None
    assert last.item.error["details"] == {"reason": "worker_died"}


def test_a_canceled_job_does_not_run_again_when_its_worker_dies(
    store: JobStore, leases: WorkerLeases
) -> None:
    submit(store, "j1")
    take(store)
    store.request_cancel("j1", NOW)
    assert leases.reap(NOW) == 1
    job = store.get("j1")
    assert job is not None
    assert (job.canceled, job.is_read) == (1, True)
    assert store.to_finish(NOW) == ["j1"]


def test_one_worker_writes_the_end(store: JobStore, leases: WorkerLeases) -> None:
    submit(store, "j1")
    register(leases, "w1")
    assert store.claim_end("j1", "w1", NOW) is None
    store.end(take(store), Status.SUCCEEDED, {}, NOW)
    assert store.to_finish(NOW) == ["j1"]
    assert store.claim_end("j1", "w1", NOW) is not None
    assert store.claim_end("j1", "w2", NOW) is None
    assert store.to_finish(NOW) == []
    # Its lease is over: another one may.
    assert store.claim_end("j1", "w2", NOW + LEASE + 1) is not None
    assert store.finish("j1", "w1", Status.SUCCEEDED, NOW) is None
    job = store.finish("j1", "w2", Status.SUCCEEDED, NOW, result_rel="x", error=None)
    assert job is not None
    assert (job.status, job.finished_at, job.result_rel) == ("succeeded", NOW, "x")
    assert store.finish("j1", "w2", Status.FAILED, NOW) is None


def test_who_ends_the_last_item_may_write_the_end_and_try_again(
    store: JobStore, leases: WorkerLeases
) -> None:
    submit(store, "j1", 2)
    register(leases, "w1")
    first, last = take(store), take(store)
    job = store.end(first, Status.SUCCEEDED, {}, NOW, finisher="w1")
    assert job is not None
    assert job.finisher is None
    job = store.end(last, Status.FAILED, {}, NOW, finisher="w1")
    assert job is not None
    assert (job.finisher, job.stage) == ("w1", "finishing")
    assert job == store.get("j1")
    assert store.to_finish(NOW) == []
    assert store.claim_end("j1", "w2", NOW) is None
    assert store.to_finish(NOW, "w1") == ["j1"]
    assert store.claim_end("j1", "w1", NOW) is not None
    assert store.finish("j1", "w1", Status.SUCCEEDED, NOW, error={"code": "x"}) == store.get("j1")


def test_an_end_that_could_not_be_written_is_put_off(store: JobStore) -> None:
    submit(store, "j1")
    store.end(take(store), Status.SUCCEEDED, {}, NOW)
    assert store.claim_end("j1", "w1", NOW) is not None
    store.postpone_end("j1", "w1", NOW + 5)
    assert store.to_finish(NOW + 4) == []
    assert store.to_finish(NOW + 5) == ["j1"]


def test_more_than_an_owner_may_have_waiting_is_refused(store: JobStore) -> None:
    submit(store, "j1", 2, limit=3)
    submit(store, "j2", 3, owner="bob", limit=3)
    with pytest.raises(Error, match="too_many_jobs"):
        submit(store, "j3", 2, limit=3)
    assert store.get("j3") is None
    store.end(take(store), Status.SUCCEEDED, {}, NOW)
    submit(store, "j3", 2, limit=3)


def test_every_change_is_told_and_numbered(engine: Engine) -> None:
    told: list[str] = []
    store = JobStore(engine, told.append)
    submit(store, "j1")
    store.end(take(store), Status.SUCCEEDED, {}, NOW)
    job = store.get("j1")
    assert job is not None
    assert (told, job.version) == (["j1"] * 3, 3)


def test_what_an_outbox_fails_to_note_is_not_ended(engine: Engine) -> None:
    class Failing:
        def job_ended(self, connection: object, job: Job) -> None:
            raise ValueError

    store = JobStore(engine, outbox=Failing())
    submit(store, "j1")
    store.end(take(store), Status.SUCCEEDED, {}, NOW)
    store.claim_end("j1", "w1", NOW)
    with pytest.raises(ValueError):
        store.finish("j1", "w1", Status.SUCCEEDED, NOW)
    job = store.get("j1")
    assert job is not None
    assert job.status is Status.RUNNING


def test_jobs_that_ended_long_ago_are_forgotten(store: JobStore) -> None:
    for job_id in ("j1", "j2"):
        submit(store, job_id)
    store.end(take(store), Status.SUCCEEDED, {}, NOW, finisher="w1")
    store.finish("j1", "w1", Status.SUCCEEDED, NOW)
    assert store.forget(NOW) == 0
    assert store.forget(NOW + 1) == 1
    assert (store.get("j1"), list(store.items("j1"))) == (None, [])
    assert store.get("j2") is not None


def test_text_that_no_database_keeps_is_kept_readable(store: JobStore) -> None:
    job = Job("j1", Kind.EXTRACT, "alice", Role.CLIENT, NOW, "auto", {}, total=1)
    item = JobItem("j1", 1, "alice", "r1", file="a\x00\ud800.pdf")
    store.submit(job, [item], 10)
    claim = take(store)
    assert claim.item.file == claim.job.current == "a\ufffd\ufffd.pdf"
    store.end(claim, Status.SUCCEEDED, {"text": "\x00"}, NOW)
    (kept,) = store.items("j1")
    assert kept.outcome == {"text": "\x00"}
