"""Jobs of real servers that are killed, stopped, and told to end in the middle of a document."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from server_process import PATIENCE_S, SMALL, ServerProcess, eventually

pytestmark = pytest.mark.slow
Start = Callable[..., ServerProcess]
ONE = {"OCR_WORKERS": "1"}


def _accept(server: ServerProcess, **fields: str) -> str:
    with SMALL.open("rb") as file:
        answer = server.client.post("/v1/extract_async", files={"file": file}, data=fields)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def _job(server: ServerProcess, url: str) -> dict[str, Any]:
    body: dict[str, Any] = server.client.get(url).json()
    return body


def _in_the_middle(server: ServerProcess, **fields: str) -> tuple[str, psutil.Process]:
    """A job whose document is being read, by an OCR worker that makes no progress."""
    server.wait_ready()
    (worker,) = server.ocr_workers()
    worker.suspend()
    url = _accept(server, **fields)
    eventually(lambda: _job(server, url)["status"] == "running", "a running job")
    return url, worker


def _ended_once(server: ServerProcess, url: str, folder: Path) -> dict[str, Any]:
    """The job's artifact, of which there is one; the job has succeeded."""
    job = server.ended_job(url)
    assert (job["status"], job["progress"]["done"]) == ("succeeded", 1), job
    files = list((folder / "artifacts" / "extracts").rglob("*.json"))
    assert [file.name for file in files] == [Path(job["result_rel"]).name]
    artifact: dict[str, Any] = json.loads(files[0].read_bytes())
    return artifact


def _stop_between_writes(server: ServerProcess, folder: Path) -> None:
    """SIGSTOP, at a moment at which the server holds none of the files: SQLite has one writer, and
    waits for one that was stopped.
    """

    def is_free() -> bool:
        server.process.send_signal(signal.SIGSTOP)
        if all(_can_be_written(file) for file in folder.glob("*.sqlite3")):
            return True
        server.process.send_signal(signal.SIGCONT)
        return False

    eventually(is_free, "a moment without a write")


def _can_be_written(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=5.0)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


def test_a_server_that_is_killed_goes_on_where_it_was(start: Start, tmp_path: Path) -> None:
    first = start(**ONE)
    url, worker = _in_the_middle(first, request_id="killed")
    first.stop(signal.SIGKILL)
    worker.kill()
    second = start(**ONE)
    artifact = _ended_once(second, url, tmp_path)
    assert [attempt["error"] for attempt in artifact["attempts"]] == ["worker_died", None]
    assert second.client.get("/v1/extracts/killed").status_code == 200


def test_who_was_stopped_for_longer_than_the_lease_records_nothing(
    start: Start, tmp_path: Path
) -> None:
    # Long enough that a busy machine does not take it from a server that nobody has stopped yet.
    stopped = start(**ONE, JOBS_LEASE_S="10")
    other = start(**ONE, JOBS_MAX_CONCURRENCY="0")
    url, worker = _in_the_middle(stopped)
    _stop_between_writes(stopped, tmp_path)
    eventually(lambda: _job(other, url)["status"] == "queued", "the end of the lease")
    third = start(**ONE)
    artifact = _ended_once(third, url, tmp_path)
    with suppress(psutil.NoSuchProcess):  # killed with its page, when the lease was lost before
        worker.resume()
    stopped.process.send_signal(signal.SIGCONT)
    log = tmp_path / "server.log"
    eventually(lambda: "this worker lost its lease" in log.read_text(), "the loss to be noticed")
    stopped.wait_ready()
    assert stopped.ended_job(_accept(stopped))["status"] == "succeeded"
    numbers = [attempt["number"] for attempt in artifact["attempts"]]
    # More than two where the machine stood still for longer than the lease before the test did it.
    assert len(numbers) >= 2
    assert numbers == list(range(1, len(numbers) + 1))
    assert _job(third, url)["attempts"] == len(numbers)


def test_a_server_that_is_told_to_end_hands_its_document_back(start: Start, tmp_path: Path) -> None:
    first = start(**ONE, SHUTDOWN_GRACE_S="0.5")
    url, worker = _in_the_middle(first)
    first.stop()
    gone, alive = psutil.wait_procs([worker], timeout=PATIENCE_S)
    assert (len(gone), alive) == (1, [])
    second = start(**ONE)
    artifact = _ended_once(second, url, tmp_path)
    # It was not tried in vain: only handed on.
    assert [attempt["number"] for attempt in artifact["attempts"]] == [2]


def test_a_cancel_frees_the_worker_that_reads(start: Start) -> None:
    server = start(**ONE)
    url, worker = _in_the_middle(server, request_id="canceled")
    assert server.client.post(url + "/cancel").status_code == 202
    job = server.ended_job(url)
    assert (job["status"], job["progress"]["canceled"]) == ("canceled", 1)
    with suppress(psutil.NoSuchProcess):  # killed with its page, unless it had not got it yet
        worker.resume()
    kept = server.client.get("/v1/extracts/canceled")
    assert (kept.status_code, kept.json()["error"]["code"]) == (409, "canceled")
    assert server.ended_job(_accept(server))["status"] == "succeeded"


def test_a_request_that_takes_too_long_goes_on_as_a_job(start: Start, tmp_path: Path) -> None:
    # Its reader stands still, so it passes whatever deadline that is long enough to send the photo.
    server = start(**ONE, SYNC_DEADLINE_S="5")
    server.wait_ready()
    (worker,) = server.ocr_workers()
    worker.suspend()
    with SMALL.open("rb") as file:
        answer = server.client.post("/v1/extract", files={"file": file})
    assert answer.status_code == 202, answer.text
    worker.resume()
    artifact = _ended_once(server, answer.headers["location"], tmp_path)
    assert [attempt["number"] for attempt in artifact["attempts"]] == [1]
