"""Limits that only a process has: its connections, the patience with a request, a job's time."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from server_process import PATIENCE_S, ROOT, ServerProcess, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

INVOICE = ROOT / "samples" / "invoice_xrechnung.xml"
# Of a request whose body does not come.
_BEGINNING = (
    b"POST /v1/extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


@contextmanager
def _connected(server: ServerProcess) -> Iterator[socket.socket]:
    _, _, port = server.url.rpartition(":")
    with socket.create_connection(("127.0.0.1", int(port)), timeout=PATIENCE_S) as connection:
        yield connection


def _answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and body of an answer whose end the server's hanging up is, or its length."""
    received = b""
    while True:
        head, _, body = received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if length and len(body) >= int(length):
            return int(head.split()[1]), json.loads(body)
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk


def _kept(server: ServerProcess, error: dict[str, Any]) -> Any:
    """The artifact of a failure."""
    path = server.data_root / "artifacts" / error["details"]["artifact_rel"]
    eventually(path.is_file, "the failure's artifact")
    return json.loads(path.read_bytes())


def test_one_connection_too_many_is_told_so(start: Callable[..., ServerProcess]) -> None:
    server = start(MAX_CONNECTIONS="8", BODY_PATIENCE_S="600")
    with ExitStack() as held:
        for _ in range(8):
            # A connection that is served is ended by nobody, however long the others take.
            held.enter_context(_connected(server)).sendall(_BEGINNING)
        status, body = _answer(held.enter_context(_connected(server)))
        assert (status, body["error"]["code"]) == (503, "inference_unavailable")
        assert body["error"]["details"]["reason"] == "overloaded"
    eventually(lambda: "version" in server.health(), "room again")


def test_a_head_too_long_and_a_body_that_stops_are_refused(
    start: Callable[..., ServerProcess],
) -> None:
    server = start(BODY_PATIENCE_S="0.5")
    with _connected(server) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nX: " + b"x" * (33 << 10))
        status, body = _answer(connection)
        assert (status, body["error"]["code"]) == (400, "bad_request")
    with _connected(server) as connection:
        connection.sendall(_BEGINNING)
        status, body = _answer(connection)
        assert (status, body["error"]["code"]) == (400, "bad_request")
        assert _kept(server, body["error"])["status"] == 400


def test_a_job_has_the_time_of_its_setting_and_a_request_its_own(
    start: Callable[..., ServerProcess],
) -> None:
    server = start(JOB_DEADLINE_S="0.000001")
    document = {"file": INVOICE.read_bytes()}
    accepted = server.client.post("/v1/extract_async", files=document)
    assert accepted.status_code == 202, accepted.text
    job = server.ended_job(accepted.json()["poll_url"])
    assert (job["status"], job["error"]["code"]) == ("failed", "inference_timeout")
    assert _kept(server, job["error"])["status"] == 504
    answer = server.client.post("/v1/extract", files=document)
    assert answer.status_code == 200, answer.text
