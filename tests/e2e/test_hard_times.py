"""The server as a process: workers killed and stopped, a stop at work, a locked database."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from server_process import (
    PATIENCE_S,
    SMALL,
    ServerProcess,
    children_running,
    eventually,
)

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


def _until_the_end(connection: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


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
    thread, outcome = _in_background(server, SMALL)
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    head = b"POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, port), timeout=PATIENCE_S) as half_sent:
        head += b"X-Request-ID: half\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n"
        half_sent.sendall(head)
        # Now the body is waited for (RFC 9110, 10.1.1): the request is under way.
        assert half_sent.recv(65536).startswith(b"HTTP/1.1 100 ")
        half_sent.sendall(b"{")
        # It would never end if it waited for one of them.
        server.stop(number)
        assert b'"shutting_down"' in _until_the_end(half_sent)
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
    thread, outcome = _in_background(server, SMALL)
    worker.kill()
    thread.join()
    # It may have been handed the page already, or have been replaced before.
    assert outcome[0].status_code in {200, 422}
    if outcome[0].status_code == 422:
        error = _error(outcome[0], 422, "unreadable_document")
        assert error["details"]["artifact_rel"]
    for helper in children_running("lib.loading", server.process.pid):
        with suppress(psutil.NoSuchProcess):  # a decoder that has done its work
            helper.kill()
    for _ in range(2):
        assert _send(server, SMALL).status_code == 200
    server.stop()
    log = (Path(server.data_root) / "server.log").read_text()
    assert "an OCR worker is replaced" in log
    assert "Traceback" not in log


def test_a_locked_database_is_a_named_error_and_passes(start: Start, tmp_path: Path) -> None:
    server = start(OCR_WORKERS="1")
    server.wait_ready()
    index = tmp_path / "index.sqlite3"
    other = sqlite3.connect(index, isolation_level=None, timeout=PATIENCE_S)
    other.execute("BEGIN EXCLUSIVE")
    try:
        answer = _send(server, SMALL, request_id="locked-out")
        _error(answer, 503, "storage_unavailable")
        assert answer.headers["retry-after"]
        assert server.client.get("/v1/health").status_code == 200
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert _send(server, SMALL, request_id="locked-out").status_code == 200


@pytest.mark.parametrize("pause", [False, True])
def test_a_body_of_broken_chunks_is_answered_and_kept_under_its_id(
    start: Start, pause: bool
) -> None:
    server = start(OCR_WORKERS="1")
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    head = b"POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"X-Request-ID: garbled\r\nTransfer-Encoding: chunked\r\n"
    head += b"Expect: 100-continue\r\n\r\n" if pause else b"\r\n"
    with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
        connection.sendall(head)
        if pause:  # until the body is waited for
            assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"1\r\n{\r\nno length\r\n")
        assert b"x-request-id: garbled" in connection.recv(65536).lower()
    eventually(
        lambda: server.client.get("/v1/extracts/garbled").status_code == 400, "the kept failure"
    )
