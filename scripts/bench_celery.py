"""Measures the empty job on Celery: PostgreSQL as the table, a broker as the bell.

    python -m scripts.bench_celery --broker redis --jobs 500 --threads 2
    python -m scripts.bench_celery --broker rabbitmq

The empty job is a row of one item that is submitted, rung for, claimed, ended and finished, and
nothing is read. Also: the time from a ring to the claim when nothing else is to do, and from the
last sign of life of a worker on another host to the moment when its item is queued again.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from statistics import median

from pydantic import SecretStr

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.jobs.backends.celery import CeleryBackend
from apps.api_cpu.jobs.leases import Worker, WorkerLeases
from apps.api_cpu.jobs.rows import Job, JobItem, Kind, Status
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.request_context import new_request_id
from scripts.service_processes import Peer

LEASE_S = 8.0
REAP_EVERY_S = 1.0


class EmptyRunner:
    """Ends whatever it claims."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.claimed: list[float] = []
        self.ended = threading.Semaphore(0)

    def run_next(self, taken: Callable[[], None] = lambda: None) -> bool:
        """Take an item and end it; False when there is none."""
        claim = self._store.claim("worker", time.time())
        if claim is None:
            return False
        taken()
        self.claimed.append(time.monotonic())
        self._store.end(claim, Status.SUCCEEDED, {"ok": True}, time.time(), finisher="worker")
        self._store.finish(claim.job.job_id, "worker", Status.SUCCEEDED, time.time())
        self.ended.release()
        return True

    def interrupt(self) -> None:
        """Nothing runs for longer than a moment."""

    def hand_back(self) -> None:
        """Nothing is held."""


def submit(store: JobStore) -> None:
    """One job with one item."""
    job_id = new_request_id()
    job = Job(job_id, Kind.EXTRACT, "bench", Role.CLIENT, time.time(), "auto", {}, total=1)
    store.submit(job, [JobItem(job_id, 1, "bench", job_id)], 1_000_000)


def recovery(store: JobStore, leases: WorkerLeases) -> float:
    """Seconds from a worker's last renewal until its item is queued again."""
    submit(store)
    now = time.time()
    leases.register(Worker("gone", "elsewhere", 1, now, now + LEASE_S))
    if store.claim("gone", now) is None:
        raise SystemExit("the item was not claimed")
    while not leases.reap(time.time()):
        time.sleep(REAP_EVERY_S)
    return time.time() - now


def main() -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--broker", choices=["redis", "rabbitmq"], default="redis")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    broker, postgres = Peer(given.broker), Peer("postgres")
    try:
        for peer in (broker, postgres):
            peer.start()
        database = SecretStr(postgres.new_database())
        engine = open_database(database, Schema.JOBS, Durability.POWER_LOSS)
        store = JobStore(engine)
        print(f"recovery by the lease: {recovery(store, WorkerLeases(engine)):.1f} s")
        runner = EmptyRunner(store)
        runner.run_next()
        backends = [
            CeleryBackend(SecretStr(broker.url), runner, lambda: store.counts().queued, n, 60.0)
            for n in (0, given.threads)
        ]
        for backend in backends:
            backend.start()
        runner.ended.acquire()
        delays = []
        for _ in range(20):
            submit(store)
            started = time.monotonic()
            backends[0].ring(1)
            runner.ended.acquire()
            delays.append(runner.claimed[-1] - started)
        print(f"{given.broker}: from the ring to the claim {median(delays) * 1000:.0f} ms (median)")
        started = time.monotonic()
        for _ in range(given.jobs):
            submit(store)
            backends[0].ring(1)
        submitted = time.monotonic() - started
        for _ in range(given.jobs):
            runner.ended.acquire()
        seconds = time.monotonic() - started
        print(
            f"{given.broker}: {given.jobs} empty jobs, {given.threads} threads: "
            f"{given.jobs / seconds:.0f} jobs/s from submit to end "
            f"({given.jobs / submitted:.0f} submitted a second meanwhile)"
        )
        for backend in backends:
            backend.stop(1.0)
    finally:
        broker.close()
        postgres.close()


if __name__ == "__main__":
    main()
