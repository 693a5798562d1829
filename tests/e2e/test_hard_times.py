"""The server as a process: workers killed and stopped, a stop at work, a locked database."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from server_process import PATIENCE_S, RECEIPT, SCAN, ServerProcess, eventually

pytestmark = pytest.mark.slow
Start = Callable[..., ServerProcess]


def _send(server: ServerProcess, path: Path, **fields: str) -> httpx.Response:
    with path.open("rb") as file:
        return httpx.post(
            f"{server.url}/v1/extract",
            files={"file": (path.name, file)},
            data=fields,
            timeout=PATIENCE_S,
        )


def _in_background(server: ServerProcess, path: Path) -> tuple[threading.Thread, list[Any]]:
    """Send a document without waiting; returns when the server works on it."""
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(_send(server, path)))
    thread.start()
    eventually(lambda: server.health()["jobs"]["running"] == 1, "a running extraction")
    return thread, outcome


def _error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code
    return error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_outlasts_its_grace(start: Start, number: signal.Signals) -> None:
    server = start(SHUTDOWN_GRACE_S="1", OCR_WORKERS="1")
    server.wait_ready()
    workers = server.ocr_workers()
    for worker in workers:
        worker.suspend()
    thread, outcome = _in_background(server, RECEIPT)
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    head = b"POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, port), timeout=PATIENCE_S) as half_sent:
        half_sent.sendall(head + b"X-Request-ID: half\r\nContent-Length: 5000\r\n\r\n{")
        eventually(
            lambda: len(psutil.Process(server.process.pid).net_connections("tcp")) > 1,
            "the half-sent request",
        )
        started = time.monotonic()
        server.stop(number)
        # The grace and the ten seconds that a supervisor is told to wait beyond it.
        assert time.monotonic() - started < 11
        assert b'"shutting_down"' in half_sent.recv(65536)
    thread.join()
    error = _error(outcome[0], 503, "shutting_down")
    assert outcome[0].headers["retry-after"]
    gone, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
    assert (len(gone), alive) == (1, [])
    restarted = start(OCR_WORKERS="1").client
    for request_id in (error["request_id"], "half"):
        kept = restarted.get(f"/v1/extracts/{request_id}")
        assert _error(kept, 503, "shutting_down")["details"]["artifact_rel"]


def test_killed_workers_cost_their_document_and_no_other(start: Start) -> None:
    server = start(OCR_WORKERS="1")
    server.wait_ready()
    (worker,) = server.ocr_workers()
    worker.suspend()
    thread, outcome = _in_background(server, RECEIPT)
    worker.kill()
    thread.join()
    # It may have been handed the page already, or have been replaced before.
    assert outcome[0].status_code in {200, 422}
    if outcome[0].status_code == 422:
        error = _error(outcome[0], 422, "unreadable_document")
        assert error["details"]["artifact_rel"]
    for helper in psutil.Process(server.process.pid).children():
        if "lib.loading" in " ".join(helper.cmdline()):
            helper.kill()
    assert _send(server, SCAN).status_code == 200
    assert _send(server, RECEIPT).status_code == 200
    server.stop()
    log = (Path(server.data_root) / "server.log").read_text()
    assert "an OCR worker is replaced" in log
    assert "Traceback" not in log


def test_a_locked_database_is_a_named_error_and_passes(start: Start, tmp_path: Path) -> None:
    server = start(OCR_WORKERS="1")
    server.wait_ready()
    other = sqlite3.connect(tmp_path / "index.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        answer = _send(server, RECEIPT, request_id="locked-out")
        _error(answer, 503, "storage_unavailable")
        assert answer.headers["retry-after"]
        assert server.client.get("/v1/health").status_code == 200
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert _send(server, RECEIPT, request_id="locked-out").status_code == 200


@pytest.mark.parametrize("pause", [False, True])
def test_a_body_of_broken_chunks_is_answered_and_kept_under_its_id(
    start: Start, pause: bool
) -> None:
    server = start(OCR_WORKERS="1")
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    head = b"POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"X-Request-ID: garbled\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
        connection.sendall(head + b"1\r\n{\r\n")
        if pause:
            time.sleep(0.3)
        connection.sendall(b"no length\r\n")
        assert b"x-request-id: garbled" in connection.recv(65536).lower()
    eventually(
        lambda: server.client.get("/v1/extracts/garbled").status_code == 400, "the kept failure"
    )
