"""Real processes: a receiver that is told, and a server that dies while it works under a key."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_process import (
    OCR,
    PATIENCE_S,
    SMALL,
    ServerProcess,
    environment,
    eventually,
)
from standardwebhooks import Webhook

pytestmark = pytest.mark.slow

# Fails once, as a receiver that restarts does, then writes down what it hears, a line each.
_RECEIVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    calls = 0
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        Handler.calls += 1
        self.send_response(503 if Handler.calls == 1 else 204)
        if Handler.calls == 1:
            self.send_header("Retry-After", "1")
        self.end_headers()
        headers = {name.lower(): value for name, value in self.headers.items()}
        print(json.dumps([headers, body]), flush=True)
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@pytest.fixture
def receiver() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def _heard(receiver: subprocess.Popen[str]) -> tuple[dict[str, str], str]:
    assert receiver.stdout is not None
    headers, body = json.loads(receiver.stdout.readline())
    return headers, body


def test_a_receiver_that_was_down_is_told_and_can_verify(
    start: Callable[..., ServerProcess], receiver: subprocess.Popen[str]
) -> None:
    assert receiver.stdout is not None
    url = f"http://127.0.0.1:{int(receiver.stdout.readline())}/hook"
    server = start(WEBHOOK_ALLOW_PRIVATE="1")
    server.wait_ready()
    with SMALL.open("rb") as file:
        accepted = server.client.post(
            "/v1/extract_async", files={"file": file}, data={"callback_url": url}
        )
    assert accepted.status_code == 202
    first, second = _heard(receiver), _heard(receiver)
    shown = subprocess.run(
        [OCR, "webhooks", "secret"],
        env=environment(server.data_root),
        cwd=server.data_root,
        capture_output=True,
        text=True,
        check=True,
    )
    payload = Webhook(shown.stdout.strip()).verify(second[1], second[0])
    assert payload["job"]["job_id"] == accepted.json()["job_id"]
    assert payload["event"] == "job.succeeded"
    assert first[1] == second[1]
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    deliveries = "/v1/webhooks/deliveries?state=delivered"
    eventually(lambda: server.client.get(deliveries).json()["deliveries"], "a delivery")


def test_a_key_whose_server_was_killed_is_answered_by_the_next(
    start: Callable[..., ServerProcess],
) -> None:
    server = start(OCR_WORKERS="1")
    server.wait_ready()
    (worker,) = server.ocr_workers()
    worker.suspend()  # so that it is still being read when its server is killed
    headers = {"Idempotency-Key": "order-4711", "X-Request-ID": "order-4711"}
    document = SMALL.read_bytes()

    def send(to: ServerProcess) -> httpx.Response:
        return to.client.post("/v1/extract", files={"file": document}, headers=headers)

    def send_in_vain() -> None:
        with pytest.raises(httpx.HTTPError):
            send(server)

    doomed = threading.Thread(target=send_in_vain)
    doomed.start()
    eventually(lambda: _is_taken(server.data_root), "the first request to begin")
    server.stop(signal.SIGKILL)
    worker.kill()
    doomed.join()

    successor = start()
    successor.wait_ready()
    # Until the dead server's lease is over, 409 says that the first request is still running.
    answer = eventually(lambda: _unless_busy(send(successor)), "the dead server's lease to end")
    assert answer.status_code == 200, answer.text
    assert answer.json()["request_id"] == "order-4711"
    again = send(successor)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content == answer.content
    kept = list((successor.data_root / "artifacts" / "extracts").rglob("order-4711.json"))
    assert len(kept) == 1


def _unless_busy(response: httpx.Response) -> Any:
    if response.status_code != 409:
        return response
    assert response.json()["error"]["code"] == "idempotency_in_progress"
    return None


def _is_taken(data_root: Path) -> bool:
    """Whether the index knows the request: its work has begun."""
    with closing(sqlite3.connect(data_root / "index.sqlite3", timeout=PATIENCE_S)) as index:
        query = "select 1 from extracts where request_id = 'order-4711'"
        return index.execute(query).fetchone() is not None
