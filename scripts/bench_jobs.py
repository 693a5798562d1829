"""Measures jobs: the empty job in the table, a job beside a synchronous call, a killed server.

    python scripts/bench_jobs.py                    # all three, on SQLite below a temporary folder
    python scripts/bench_jobs.py --table --jobs 500 --threads 4
    python scripts/bench_jobs.py --latency --rounds 30
    python scripts/bench_jobs.py --recovery --rounds 3

The empty job is a row of one item that is submitted, claimed, ended and finished, and nothing is
read. Latency and recovery are those of a real server with one OCR worker and a sample. Everything
else on the machine should rest; compared calls are interleaved.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import httpx
from rich.console import Console

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.jobs.rows import Job, JobItem, Kind, Status
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.request_context import new_request_id

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "receipt_photo.jpg"
PATIENCE_S = 120.0
console = Console()


def table(folder: Path, count: int, threads: int) -> None:
    """Jobs a second through the table, submitted by one thread beside those that work."""
    engine = open_database(folder / "jobs.sqlite3", Schema.JOBS, Durability.POWER_LOSS)
    store = JobStore(engine)
    left = threading.Semaphore(count)
    done: list[str] = []

    def work() -> None:
        while len(done) < count:
            claim = store.claim("worker", time.time())
            if claim is None:
                time.sleep(0.001)
                continue
            store.end(claim, Status.SUCCEEDED, {"ok": True}, time.time(), finisher="worker")
            job_id = claim.job.job_id
            store.finish(job_id, "worker", Status.SUCCEEDED, time.time())
            done.append(job_id)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    started = time.monotonic()
    for worker in workers:
        worker.start()
    while left.acquire(blocking=False):
        job_id = new_request_id()
        job = Job(job_id, Kind.EXTRACT, "bench", Role.CLIENT, time.time(), "auto", {}, total=1)
        store.submit(job, [JobItem(job_id, 1, "bench", job_id)], count + 1)
    submitted = time.monotonic() - started
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - started
    console.print(
        f"table: {count} empty jobs, {threads} threads: {count / seconds:.0f} jobs/s from submit "
        f"to end ({count / submitted:.0f} submitted a second meanwhile)"
    )
    engine.dispose()


class Server:
    """`ocr serve` on a free port."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "DATA_ROOT": str(folder), "OCR_WORKERS": "1"}
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("ocr"), "serve", "--port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        url = self._process.stdout.readline().split()[2]
        self.client = httpx.Client(base_url=url, timeout=PATIENCE_S)
        while self.client.get("/v1/health").json()["status"] != "ok":
            time.sleep(0.02)

    def read(self) -> None:
        """One synchronous request."""
        self._send("/v1/extract").raise_for_status()

    def accept(self) -> str:
        """One job; its address."""
        return str(self._send("/v1/extract_async").headers["location"])

    def wait(self, url: str) -> dict[str, object]:
        """The job, once it has ended."""
        while True:
            job: dict[str, object] = self.client.get(url, params={"wait": 30}).json()
            if job["finished_at"]:
                return job

    def end(self, number: signal.Signals) -> None:
        """End it so."""
        self._process.send_signal(number)
        self._process.wait()
        self.client.close()

    def _send(self, path: str) -> httpx.Response:
        with SAMPLE.open("rb") as file:
            return self.client.post(path, files={"file": file})


def latency(folder: Path, rounds: int) -> None:
    """Seconds of a synchronous call and of a job that is waited for."""
    server = Server(folder)
    server.read()
    calls: list[float] = []
    jobs: list[float] = []
    for _ in range(rounds):
        started = time.monotonic()
        server.read()
        calls.append(time.monotonic() - started)
        started = time.monotonic()
        server.wait(server.accept())
        jobs.append(time.monotonic() - started)
    server.end(signal.SIGTERM)
    added = [job - call for job, call in zip(jobs, calls, strict=True)]
    console.print(
        f"latency: {rounds} rounds: call {median(calls) * 1000:.0f} ms, "
        f"job {median(jobs) * 1000:.0f} ms, added {median(added) * 1000:.0f} ms (medians)"
    )


def recovery(folder: Path, rounds: int) -> None:
    """Seconds from a server's start after kill -9 until the job that it cut is begun again."""
    begun: list[float] = []
    for number in range(rounds):
        server = Server(folder)
        url = server.accept()
        while server.client.get(url).json()["status"] == "queued":
            time.sleep(0.002)
        server.end(signal.SIGKILL)
        started = time.monotonic()
        server = Server(folder)
        ready = time.monotonic()
        while server.client.get(url).json()["attempts"] < 2:
            time.sleep(0.01)
        begun.append(time.monotonic() - ready)
        job = server.wait(url)
        console.print(
            f"recovery {number + 1}: server ready after {ready - started:.1f} s, begun again "
            f"{begun[-1]:.2f} s later, {job['status']} after {time.monotonic() - started:.1f} s"
        )
        server.end(signal.SIGTERM)


def main() -> None:
    """Measure what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("table", "latency", "recovery"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    everything = not (given.table or given.latency or given.recovery)
    for wanted, measure in (
        (given.table, lambda folder: table(folder, given.jobs, given.threads)),
        (given.latency, lambda folder: latency(folder, given.rounds)),
        (given.recovery, lambda folder: recovery(folder, min(given.rounds, 3))),
    ):
        if wanted or everything:
            with tempfile.TemporaryDirectory() as folder:
                measure(Path(folder))


if __name__ == "__main__":
    main()
