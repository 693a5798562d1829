"""The server as a process: real documents, hard ends, soft ends, bytes that are not HTTP."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from server_process import OCR, PATIENCE_S, RECEIPT, SMALL, ServerProcess, environment, eventually

from apps.api_cpu.extractions.schemas import ExtractResponse

pytestmark = pytest.mark.slow
Start = Callable[..., ServerProcess]
XRECHNUNG = RECEIPT.with_name("invoice_xrechnung.xml")
PEPPER = "a pepper for these tests only"


def _send(server: ServerProcess, path: Path, **fields: str) -> httpx.Response:
    with path.open("rb") as file:
        return server.client.post("/v1/extract", files={"file": (path.name, file)}, data=fields)


def _in_background(server: ServerProcess, **fields: str) -> tuple[threading.Thread, list[Any]]:
    """Send a document without waiting; returns when the server works on it."""
    outcome: list[Any] = []

    def send() -> None:
        try:
            outcome.append(_send(server, SMALL, **fields))
        except httpx.HTTPError as error:
            outcome.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as other:
        eventually(
            lambda: other.get("/v1/health").json()["jobs"]["running"] == 1, "a running extraction"
        )
    return thread, outcome


def test_a_photo_is_read_kept_and_found_again_after_a_restart(start: Start) -> None:
    # As many as a machine of two cores has.
    server = start(OCR_WORKERS="2", FIELD_READERS="2")
    answer = _send(server, RECEIPT, request_id="photo-1")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    ExtractResponse.model_validate(body)
    assert body["document_type"] == "receipt"
    assert body["fields"]["total"]["polygon"]
    server.stop()
    restarted = start()
    again = restarted.client.get("/v1/extracts/photo-1").json()
    assert again["fields"] == body["fields"]
    kept = restarted.client.get("/v1/artifacts", params={"ref": body["artifact_rel"]})
    assert kept.json()["ocr_words"][0]["words"]
    assert _send(restarted, RECEIPT, request_id="photo-1").status_code == 409


def _is_taken(server: ServerProcess, request_id: str) -> bool:
    """Whether the server has written down that the id is in use, which nobody is told before."""
    with closing(sqlite3.connect(server.data_root / "index.sqlite3")) as index:
        query = "SELECT 1 FROM extracts WHERE request_id = ?"
        return index.execute(query, (request_id,)).fetchone() is not None


def _end_lease(server: ServerProcess, request_id: str) -> None:
    """As if the time of an id's lease were over."""
    with closing(sqlite3.connect(server.data_root / "index.sqlite3", timeout=PATIENCE_S)) as index:
        query = "UPDATE extracts SET lease_until = 1 WHERE request_id = ? AND lease_until > 1"
        with index:
            assert index.execute(query, (request_id,)).rowcount == 1


def test_an_id_whose_server_was_killed_is_free_after_the_lease(start: Start) -> None:
    other = start(OCR_WORKERS="1")
    server = start(OCR_WORKERS="1")
    server.wait_ready()
    (worker,) = server.ocr_workers()
    worker.suspend()
    thread, outcome = _in_background(server, request_id="cut-off")
    eventually(lambda: _is_taken(server, "cut-off"), "the id to be taken")
    server.stop(signal.SIGKILL)
    worker.kill()
    thread.join()
    assert isinstance(outcome[0], httpx.HTTPError)
    assert other.client.get("/v1/extracts/cut-off").status_code == 404
    assert _send(other, SMALL, request_id="cut-off").status_code == 409
    _end_lease(server, "cut-off")
    assert _send(other, SMALL, request_id="cut-off").status_code == 200


def test_sigterm_finishes_what_runs(start: Start) -> None:
    server = start(OCR_WORKERS="1", SHUTDOWN_GRACE_S="600")
    server.wait_ready()
    (worker,) = server.ocr_workers()
    worker.suspend()  # so that it is being read when the signal comes
    thread, outcome = _in_background(server, request_id="last-one")
    server.process.send_signal(signal.SIGTERM)
    log = server.data_root / "server.log"
    eventually(lambda: "stopping: running requests" in log.read_text(), "the signal to be heard")
    worker.resume()
    assert server.process.wait(PATIENCE_S) in {0, -signal.SIGTERM}
    thread.join()
    assert outcome[0].status_code == 200, outcome[0].text
    assert start().client.get("/v1/extracts/last-one").status_code == 200


def test_a_client_that_leaves_disturbs_nobody(start: Start) -> None:
    server = start()
    server.wait_ready()
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    head = (
        "POST /v1/extract HTTP/1.1\r\nHost: [::1]\r\nX-Request-ID: left\r\nContent-Length: 50\r\n"
    )
    with socket.create_connection((host, port)) as connection:
        connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n{")
    eventually(
        lambda: server.client.get("/v1/extracts/left").status_code == 400, "the kept failure"
    )
    assert _send(server, SMALL).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello TLS\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX-A: \x00\r\n\r\n",
        b"POST /v1/extract HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/extract HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: gzip\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_the_envelope(served: ServerProcess, sent: bytes) -> None:
    host, port = urlsplit(served.url).hostname, urlsplit(served.url).port
    with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
        received = b""
        with suppress(ConnectionError):  # it has answered before it had taken all
            connection.sendall(sent)
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass  # the server hung up on what it had not read yet
    head, _, body = received.partition(b"\r\n\r\n")
    assert b" 4" in head.splitlines()[0]
    error = json.loads(body)["error"]
    assert error["code"] in {"bad_request", "validation_error"}
    assert f"x-request-id: {error['request_id']}".encode() in head.lower()
    assert served.health()["storage"]["ready"]


def test_keys_made_on_the_command_line_open_the_server(start: Start, tmp_path: Path) -> None:
    secrets = {"AUTH_ENABLED": "1", "API_KEY_PEPPER": PEPPER}
    server = start(**secrets)
    made = subprocess.run(
        [OCR, "keys", "create", "--role", "client"],
        env=environment(tmp_path, secrets),
        capture_output=True,
        text=True,
        check=True,
    )
    key = made.stdout.strip()
    assert server.client.get("/v1/me").status_code == 401
    me = server.client.get("/v1/me", headers={"X-API-Key": key})
    assert me.json()["role"] == "client"
    server.stop()
    log = (tmp_path / "server.log").read_text()
    assert key.split("_", 2)[2] not in log
    assert all(json.loads(line)["level"] for line in log.splitlines())


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"OCR_WORKER": "2"}, "OCR_WORKERS"),
        ({"HOST": "0.0.0.0"}, "API_KEY_PEPPER"),
        ({"S3_BUCKET": "b"}, "S3_BUCKET"),
    ],
)
def test_wrong_settings_stop_the_start_with_one_line(
    tmp_path: Path, more: dict[str, str], part: str
) -> None:
    ended = subprocess.run(
        [OCR, "serve"], env=environment(tmp_path, more), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert part in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_database_that_cannot_be_opened_stops_the_start_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite3").mkdir()
    ended = subprocess.run(
        [OCR, "serve"], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert f"The database of jobs cannot be opened: {tmp_path / 'jobs.sqlite3'}" in ended.stderr
    assert "traceback" not in ended.stderr.lower()


def test_files_are_read_without_a_server(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pdf"
    bad.write_text("not a PDF")
    # What is no UTF-8 in a name is replaced where it is shown.
    files = [str(SMALL), str(bad), str(tmp_path / "missing\udcff.pdf")]
    ended = subprocess.run(
        [OCR, "extract", *files, "--json", "-j", "1"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, "two of them failed"
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["file"] for line in lines] == [*files[:2], str(tmp_path / "missing\ufffd.pdf")]
    assert lines[0]["result"]["total"] > 0
    assert lines[1]["error"]["code"] == "unsupported_media_type"
    assert lines[2]["error"]["code"] == "not_found"


@pytest.mark.parametrize("output", ["--csv", "--table"])
def test_other_outputs(tmp_path: Path, output: str) -> None:
    ended = subprocess.run(
        [OCR, "extract", str(SMALL), output],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "total" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_invoices_are_written_as_einvoices(tmp_path: Path) -> None:
    folder = tmp_path / "einvoices"
    ended = subprocess.run(
        [OCR, "extract", str(XRECHNUNG), str(SMALL), "--cii", "--out", str(folder), "-j", "1"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, "a receipt is no invoice"
    assert "(not_exportable)" in ended.stderr
    assert ended.stdout == ""
    (written,) = folder.iterdir()
    assert written.name == f"{XRECHNUNG.name}.cii.xml"
    assert b"CrossIndustryInvoice" in written.read_bytes()
