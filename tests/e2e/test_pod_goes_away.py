"""A GPU pod that ends in the middle of a batch: its items wait for it, or are read on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mock_process import ROOT, MockProcess
from server_process import ServerProcess, eventually

from scripts.service_processes import free_port

pytestmark = pytest.mark.slow

Start = Callable[..., ServerProcess]
INVOICE = (ROOT / "samples" / "invoice_digital.pdf").read_bytes()
DOCUMENTS = 6


class Pod:
    """A stand-in for a GPU server that ends and comes back at the same address."""

    def __init__(self) -> None:
        self._port = free_port()
        self._process = MockProcess(port=self._port)
        self.url = self._process.url
        # The others are still being read when it ends, however late that is.
        self._process.behave(faults="ok*2,hang*")

    def end(self) -> None:
        """As a spot instance does."""
        self._process.close()

    def come_back(self) -> None:
        """At the address that it had."""
        self._process = MockProcess(port=self._port)


@pytest.fixture
def pod() -> Iterator[Pod]:
    made = Pod()
    yield made
    made.end()


def _begun(start: Start, pod: Pod, **more: str) -> tuple[ServerProcess, str]:
    """A server and the address of a batch's job of which at least one document has been read."""
    settings = {
        "INFERENCE_BACKEND": "vllm",
        "VLLM_BASE_URL": pod.url,
        "VLLM_MODEL": "mock-chat",
        "OCR_WORKERS": "1",
        "JOBS_MAX_CONCURRENCY": "2",
    }
    server = start(**settings | more)
    server.wait_ready()
    files = [("files", (f"{n}.pdf", INVOICE + b"\n%% %d" % n)) for n in range(DOCUMENTS)]
    data = {"run_id": "batch", "task_id": "invoice_fields_v1"}
    answer = server.client.post("/v1/batch_extract_upload_async", files=files, data=data)
    assert answer.status_code == 202, answer.text
    url: str = answer.json()["poll_url"]
    eventually(lambda: _job(server, url)["progress"]["ok"] >= 1, "a document that was read")
    return server, url


def _job(server: ServerProcess, url: str, wait: int = 0) -> dict[str, Any]:
    job: dict[str, Any] = server.client.get(url, params={"wait": wait}).json()
    return job


def _backends(server: ServerProcess) -> list[str]:
    items = server.client.get("/v1/runs/batch/items").json()["items"]
    assert all(item["ok"] for item in items), items
    return [item["backend"] for item in items]


def test_items_wait_for_the_pod_and_go_on(start: Start, pod: Pod) -> None:
    server, url = _begun(start, pod)
    pod.end()
    stage = "retrying"
    eventually(lambda: _job(server, url)["progress"]["stage"] == stage, "an item that waits")
    before = _job(server, url)["progress"]
    assert (before["failed"], before["total"]) == (0, DOCUMENTS)
    assert before["done"] < DOCUMENTS
    pod.come_back()
    eventually(lambda: _job(server, url, wait=30)["finished_at"], "the end of the batch")
    job = _job(server, url)
    assert (job["status"], job["progress"]["ok"]) == ("succeeded", DOCUMENTS)
    assert _backends(server) == ["vllm"] * DOCUMENTS
    items = server.client.get("/v1/runs/batch/items").json()["items"]
    kept = [
        server.client.get("/v1/artifacts", params={"ref": item["artifact_rel"]}).json()
        for item in items
    ]
    tried_again = [artifact for artifact in kept if len(artifact["attempts"]) > 1]
    assert tried_again
    assert {a["attempts"][0]["error"] for a in tried_again} == {"inference_unavailable"}


def test_a_pod_that_stays_away_is_replaced_by_the_cpu(start: Start, pod: Pod) -> None:
    server, url = _begun(start, pod, FALLBACK_BACKEND="cpu")
    pod.end()
    eventually(lambda: _job(server, url, wait=30)["finished_at"], "the end of the batch")
    assert _job(server, url)["status"] == "succeeded"
    backends = _backends(server)
    assert set(backends) == {"vllm", "cpu"}
    text = server.client.get("/v1/runs/batch/items", params={"format": "csv"}).text
    assert text.count(",cpu,") == backends.count("cpu")


def test_items_that_waited_too_long_fail_and_the_batch_ends(start: Start, pod: Pod) -> None:
    server, url = _begun(start, pod, JOBS_RETRY_FOR_S="3")
    pod.end()
    eventually(lambda: _job(server, url, wait=30)["finished_at"], "the end of the batch")
    job = _job(server, url)
    assert job["status"] == "succeeded"
    assert job["progress"]["ok"] >= 1
    codes = {i["error"]["code"] for i in job["result"]["items"] if not i["ok"]}
    assert codes == {"inference_unavailable"}
