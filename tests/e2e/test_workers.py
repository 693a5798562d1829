"""`ocr worker` beside `ocr serve`: who reads, what a kill costs, how one ends."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from peers import Peer
from server_process import (
    OCR,
    PATIENCE_S,
    ROOT,
    SMALL,
    ServerProcess,
    end_whole,
    environment,
    eventually,
    ocr_workers_of,
)

pytestmark = pytest.mark.slow

INVOICE = next((ROOT / "samples").glob("*.xml"))


class WorkerProcess:
    """`ocr worker`, started."""

    def __init__(self, folder: Path, more: dict[str, str]) -> None:
        self.log = folder / "worker.log"
        self.suspended: list[psutil.Process] = []
        self.process = subprocess.Popen(
            [OCR, "worker"],
            env=environment(folder, more),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=self.log.open("ab"),
            text=True,
        )
        assert self.process.stdout is not None
        announced = self.process.stdout.readline()
        assert announced.startswith("Working on jobs: "), self.log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers on the server's data folder; ends what is left of them."""
    workers: list[WorkerProcess] = []

    def starting(**more: str) -> WorkerProcess:
        worker = WorkerProcess(tmp_path, more)
        workers.append(worker)
        return worker

    yield starting
    for worker in workers:
        end_whole(worker.process)
        for reading in worker.suspended:
            with suppress(psutil.NoSuchProcess):
                reading.kill()
        assert worker.process.stdout is not None
        worker.process.stdout.close()


Start = Callable[..., ServerProcess]
StartWorker = Callable[..., WorkerProcess]


@pytest.fixture(params=["local", "redis", "rabbitmq"])
def setup(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of server and workers: on a file, or on a broker and PostgreSQL."""
    if request.param == "local":
        return {"OCR_WORKERS": "1"}
    broker: Peer = request.getfixturevalue(request.param)
    postgres: Peer = request.getfixturevalue("postgres")
    return {
        "OCR_WORKERS": "1",
        "JOBS_BACKEND": "celery",
        "CELERY_BROKER_URL": broker.url,
        "JOBS_DB_PATH": postgres.new_database(),
    }


def _submit(server: ServerProcess, document: Path, **options: Any) -> str:
    with document.open("rb") as file:
        answer = server.client.post("/v1/extract_async", files={"file": file}, data=options)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


def _begun(server: ServerProcess, worker: WorkerProcess) -> str:
    """A job whose document the worker is reading, without making any progress."""
    (reading,) = eventually(lambda: ocr_workers_of(worker.process.pid), "an OCR worker")
    reading.suspend()
    worker.suspended.append(reading)
    job_id = _submit(server, SMALL)
    eventually(lambda: _job(server, job_id)["status"] == "running", "a start")
    return job_id


def _job(server: ServerProcess, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = server.client.get(f"/v1/jobs/{job_id}").json()
    return job


def _ended(server: ServerProcess, job_id: str) -> dict[str, Any]:
    return server.ended_job(f"/v1/jobs/{job_id}")


def test_a_worker_reads_what_the_server_accepts(
    start: Start, start_worker: StartWorker, setup: dict[str, str]
) -> None:
    server = start(**setup, JOBS_MAX_CONCURRENCY="0")
    first = _submit(server, INVOICE)
    health = server.health()["jobs"]
    assert health["backend"] == setup.get("JOBS_BACKEND", "local")
    worker = start_worker(**setup)
    job = _ended(server, first)
    assert job["status"] == "succeeded"
    assert job["result"]["result"]["document_number"]
    assert _ended(server, _submit(server, INVOICE))["status"] == "succeeded"
    assert worker.end() == 0
    log = worker.log.read_text()
    assert "Traceback" not in log
    assert "ocr:ocr" not in log + (server.data_root / "server.log").read_text()


def test_a_killed_workers_documents_are_read_by_another(
    start: Start, start_worker: StartWorker, setup: dict[str, str]
) -> None:
    server = start(**setup, JOBS_MAX_CONCURRENCY="0")
    worker = start_worker(**setup)
    job_id = _begun(server, worker)
    worker.process.kill()
    start_worker(**setup)
    job = _ended(server, job_id)
    assert (job["status"], job["attempts"]) == ("succeeded", 2)


def test_a_worker_that_is_told_to_end_hands_back_what_it_has_no_time_for(
    start: Start, start_worker: StartWorker, setup: dict[str, str]
) -> None:
    server = start(**setup, JOBS_MAX_CONCURRENCY="0")
    worker = start_worker(**setup, SHUTDOWN_GRACE_S="0")
    job_id = _begun(server, worker)
    # Its reader stands still: it would never end if it waited for the document.
    assert worker.end() == 0
    assert _job(server, job_id)["status"] == "queued"
    start_worker(**setup)
    assert _ended(server, job_id)["status"] == "succeeded"


@pytest.mark.skipif(sys.platform != "linux", reason="threads are addressed as on Linux")
def test_a_worker_hears_a_signal_that_another_thread_was_given(start_worker: StartWorker) -> None:
    process = start_worker(OCR_WORKERS="1").process
    (another, *_) = sorted(_threads_that_take(signal.SIGTERM, process.pid) - {process.pid})
    # The oldest: a young one may end before it has taken the signal, and with it the signal.
    assert ctypes.CDLL(None).tgkill(process.pid, another, signal.SIGTERM) == 0
    assert process.wait(PATIENCE_S) == 0


def _threads_that_take(number: signal.Signals, pid: int) -> set[int]:
    """The threads of a process that do not block a signal (proc_pid_status(5): SigBlk)."""
    taking = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            lines = (task / "status").read_text().splitlines()
            blocked = next(int(line.split()[1], 16) for line in lines if line.startswith("SigBlk"))
            if not blocked >> (number - 1) & 1:
                taking.add(int(task.name))
    return taking


def test_celery_on_a_file_says_that_all_workers_must_be_here(start: Start, redis: Peer) -> None:
    server = start(JOBS_BACKEND="celery", CELERY_BROKER_URL=redis.url, OCR_WORKERS="1")
    assert "all workers must be on this host" in (server.data_root / "server.log").read_text()


def test_a_worker_with_a_port_for_metrics_shows_what_it_read(
    start: Start, start_worker: StartWorker
) -> None:
    server = start(OCR_WORKERS="1", JOBS_MAX_CONCURRENCY="0")
    worker = start_worker(OCR_WORKERS="1", METRICS_PORT="0", LOG_FORMAT="json")
    assert _ended(server, _submit(server, INVOICE))["status"] == "succeeded"
    lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
    (port,) = (line["port"] for line in lines if line["message"] == "metrics")

    def settled() -> list[str]:
        """What it shows once it has counted the job and let go of it."""
        lines = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text.splitlines()
        ended = 'ocr_jobs_ended_total{kind="extract",status="succeeded"} 1.0'
        return lines if {ended, "ocr_job_leases_held 0.0"} <= set(lines) else []

    shown = eventually(settled, "the job among the worker's metrics")
    assert 'ocr_documents_total{backend="einvoice",document_type="invoice"} 1.0' in shown
    assert any(line.startswith("process_resident_memory_bytes ") for line in shown)
    assert worker.end() == 0
