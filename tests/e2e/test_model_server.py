"""`ocr serve` with a model behind it: real processes, the mock in the place of the GPU."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from mock_process import ROOT, MockProcess
from server_process import OCR, ServerProcess, environment, eventually

from scripts.service_processes import free_port

pytestmark = pytest.mark.slow

SAMPLES = ROOT / "samples"
Start = Callable[..., ServerProcess]
# A receipt's or invoice's header as it is booked.
HEADER = ("vendor_name", "document_number", "issue_date", "currency", "subtotal", "total")


@pytest.fixture(scope="module")
def mock() -> Iterator[MockProcess]:
    process = MockProcess("--api-key", "a-key-for-tests")
    yield process
    process.close()


def settings(mock: MockProcess, **more: str) -> dict[str, str]:
    return {
        "INFERENCE_BACKEND": "vllm",
        "VLLM_BASE_URL": mock.url,
        "VLLM_API_KEY": "a-key-for-tests",
        "VLLM_MODEL": "mock-chat",
        "OCR_WORKERS": "1",
    } | more


def extract(server: ServerProcess, file: Path, **debug: Any) -> httpx.Response:
    data = {"debug": json.dumps(debug)} if debug else {}
    return server.client.post("/v1/extract", files={"file": file.read_bytes()}, data=data)


@pytest.mark.timeout(1800)
def test_the_samples_read_by_the_mock_are_as_expected(start: Start, mock: MockProcess) -> None:
    server = start(**settings(mock, VLLM_READ_TIMEOUT_S="300", SYNC_DEADLINE_S="400"))
    server.wait_ready()
    for name in ("receipt_photo.jpg", "receipt_de.jpg", "invoice_scan.pdf", "invoice_digital.pdf"):
        kept = SAMPLES / "expected" / f"{Path(name).stem}.json"
        expected = json.loads(kept.read_text(encoding="utf-8"))["result"]
        for model in ("mock-chat", "mock-tilt"):
            answer = extract(server, SAMPLES / name, model=model)
            body = answer.json()
            assert answer.status_code == 200, (name, model, body)
            assert (body["backend"], body["model"]) == ("vllm", model)
            for field in HEADER:
                assert body["result"].get(field) == expected.get(field), (name, model, field)
            assert len(body["result"]["line_items"]) == len(expected["line_items"]), (name, model)
            placed = [f for f in body["fields"].values() if f["engine"] == "vllm"]
            assert len(placed) >= 5
            assert all(field["polygon"] and field["page"] for field in placed)
    einvoice = extract(server, SAMPLES / "invoice_facturx.pdf").json()
    assert einvoice["backend"] == "einvoice"
    log = (server.data_root / "server.log").read_text(encoding="utf-8")
    assert "a-key-for-tests" not in log
    assert mock.url not in log


def test_a_caller_who_leaves_ends_the_models_work(start: Start, mock: MockProcess) -> None:
    server = start(**settings(mock))
    mock.behave(latency_s=600)
    try:
        document = base64.b64encode((SAMPLES / "invoice_digital.pdf").read_bytes()).decode()
        body = json.dumps({"image_base64": document, "request_id": "left"})
        caller = HTTPConnection(urlsplit(server.url).netloc)
        caller.request("POST", "/v1/extract", body, {"Content-Type": "application/json"})
        eventually(lambda: mock.gauge("num_requests_running") > 0, "a request at the model")
        caller.close()
        eventually(lambda: mock.gauge("num_requests_running") == 0, "the model's work to end")
        artifact = eventually(lambda: _artifact(server, "left"), "an artifact")
    finally:
        mock.behave()
    assert artifact["error"]["code"] == "inference_timeout"
    assert artifact["error"]["details"]["reason"] == "caller_left"
    assert [call["error"] for call in artifact["inference"]["calls"]] == ["canceled"]


def test_a_job_that_is_canceled_ends_the_models_work(start: Start, mock: MockProcess) -> None:
    server = start(**settings(mock))
    mock.behave(latency_s=600)
    try:
        file = (SAMPLES / "invoice_digital.pdf").read_bytes()
        accepted = server.client.post(
            "/v1/extract_async", files={"file": file}, data={"request_id": "canceled"}
        )
        job = accepted.json()["poll_url"]
        eventually(lambda: mock.gauge("num_requests_running") > 0, "a request at the model")
        assert server.client.post(f"{job}/cancel").status_code == 202
        ended = server.ended_job(job)
        # Told to stop before that is acknowledged, which the mock notices in its own time.
        eventually(lambda: mock.gauge("num_requests_running") == 0, "the model's work to end")
    finally:
        mock.behave()
    assert (ended["status"], ended["progress"]["canceled"]) == ("canceled", 1)


def _artifact(server: ServerProcess, request_id: str) -> dict[str, Any] | None:
    found = list((server.data_root / "artifacts").rglob(f"{request_id}.json"))
    if not found:
        return None
    body: dict[str, Any] = json.loads(found[0].read_text(encoding="utf-8"))
    return body


def test_the_model_dies_and_comes_back_while_the_cpu_answers(start: Start) -> None:
    port = free_port()
    mock = MockProcess(port=port)
    server = start(
        **settings(mock, VLLM_MODEL="mock-tilt", VLLM_API_KEY="", FALLBACK_BACKEND="cpu")
    )
    file = SAMPLES / "invoice_digital.pdf"
    try:
        server.wait_ready()
        assert extract(server, file).json()["backend"] == "vllm"
        mock.close()
        away = extract(server, file)
        assert (away.status_code, away.json()["backend"]) == (200, "cpu")
        assert any("fallback_cpu" in warning for warning in away.json()["warnings"])
        eventually(lambda: not server.health()["inference"]["ready"], "the outage to be noticed")
        mock = MockProcess(port=port)
        eventually(lambda: extract(server, file).json()["backend"] == "vllm", "the model again")
    finally:
        mock.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"VLLM_MODEL": ""}, "VLLM_MODEL is missing"),
        ({"VLLM_BASE_URL": "pod:8001"}, "an address must be http://"),
    ],
)
def test_a_start_without_what_the_model_needs_is_one_line(
    tmp_path: Path, mock: MockProcess, change: dict[str, str], message: str
) -> None:
    done = subprocess.run(
        [OCR, "serve", "--port", "0"],
        env=environment(tmp_path, settings(mock) | change),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
