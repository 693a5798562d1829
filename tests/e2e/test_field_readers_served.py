"""Field readers beside a server and a worker: killed, stopped, and gone with their process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
import psutil
import pytest
from server_process import ROOT, ServerProcess, children_running, eventually

pytestmark = pytest.mark.slow
Start = Callable[..., ServerProcess]
INVOICE = ROOT / "samples" / "invoice_digital.pdf"
# So long a stopped reader is waited for, and any document may take.
SETTINGS = {"FIELD_READERS": "1", "FIELDS_TIMEOUT_S": "30", "OCR_WORKERS": "1"}


def _send(server: ServerProcess) -> httpx.Response:
    return server.client.post("/v1/extract", files={"file": INVOICE.read_bytes()})


def _shown(server: ServerProcess, line: str) -> bool:
    return line in server.client.get("/metrics").text.splitlines()


def _reader(server: ServerProcess) -> psutil.Process:
    """The only one, once it has nothing to do."""
    eventually(lambda: _shown(server, 'ocr_field_readers{state="idle"} 1.0'), "a field reader")
    (reader,) = children_running("lib.pipelines.readers.program", server.process.pid)
    return reader


def test_idle_readers_that_are_killed_and_stopped_cost_no_document(start: Start) -> None:
    server = start(**SETTINGS)
    server.wait_ready()
    first = _reader(server)
    before = _send(server).json()
    first.kill()
    after = _send(server).json()
    assert after["result"] == before["result"]
    assert after["fields"] == before["fields"]
    second = _reader(server)
    assert second.pid != first.pid
    second.send_signal(signal.SIGSTOP)
    # It never had the document, which is not blamed: another reads it, once the time that is set
    # is over, which is half of what it is by default.
    began = time.monotonic()
    assert _send(server).json()["result"] == before["result"]
    assert 30 <= time.monotonic() - began < 60
    third = _reader(server)
    assert third.pid != second.pid
    server.stop()
    with suppress(psutil.NoSuchProcess):  # collected, or by whom the server left it to
        eventually(lambda: third.status() == psutil.STATUS_ZOMBIE, "the end of the reader")


def test_a_server_without_readers_reads_by_itself(start: Start) -> None:
    server = start(**SETTINGS | {"FIELD_READERS": "0"})
    server.wait_ready()
    assert _send(server).status_code == 200
    assert "ocr_field_readers{" not in server.client.get("/metrics").text
