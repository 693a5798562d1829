"""One trace over a request, the job in another process, the model and the webhook."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from mock_process import MockProcess
from server_process import OCR, ROOT, ServerProcess, end_whole, environment, eventually
from trace_collector import Collector, Recorded, collecting
from webhook_receiver import receiving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

INVOICE = ROOT / "samples" / "invoice_digital.pdf"
XML = ROOT / "samples" / "invoice_xrechnung.xml"
CALLER = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
STATIONS = ("load", "ocr", "kie", "model", "post", "store")
SECRETS = {
    "VLLM_API_KEY": "planted-model-key",
    "API_KEY_PEPPER": "planted pepper of this test",
    "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=planted-collector-key",
}


class Upstream:
    """Stands before the mock: writes headers down, and is busy the first time it is asked."""

    def __init__(self, target: str) -> None:
        self.heard: list[dict[str, str]] = []
        outer, client = self, httpx.Client(base_url=target, timeout=120)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._pass_on(client.get(self.path, headers=self._key()))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.heard.append({k.lower(): v for k, v in self.headers.items()})
                if len(outer.heard) == 1:
                    self._pass_on(httpx.Response(503, json={"error": "planted words of an error"}))
                else:
                    headers = self._key() | {"Content-Type": "application/json"}
                    self._pass_on(client.post(self.path, content=body, headers=headers))

            def _key(self) -> dict[str, str]:
                return {"Authorization": self.headers.get("Authorization", "")}

            def _pass_on(self, answer: httpx.Response) -> None:
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("content-type", ""))
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    mock = MockProcess("--api-key", SECRETS["VLLM_API_KEY"])
    front = Upstream(mock.url)
    yield front
    front.close()
    mock.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def starting(**more: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / "worker.log").open("ab")
        started.append(
            subprocess.Popen([OCR, "worker"], env=environment(tmp_path, more), cwd=tmp_path,
                             stdout=log, stderr=log)
        )  # fmt: skip
        return started[-1]

    yield starting
    for process in started:
        end_whole(process)


def _only(spans: list[Recorded], name: str) -> Recorded:
    (found,) = (span for span in spans if span.name == name)
    return found


def _key(server: ServerProcess, more: dict[str, str]) -> str:
    made = subprocess.run(
        [OCR, "keys", "create", "--role", "client"],
        env=environment(server.data_root, more), cwd=server.data_root,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return next(word for word in made.stdout.split() if word.startswith("ocr_"))


def test_one_trace_from_the_request_through_the_worker_to_the_model_and_the_webhook(
    start: Callable[..., ServerProcess],
    worker: Callable[..., subprocess.Popen[bytes]],
    upstream: Upstream,
    collector: Collector,
) -> None:
    settings = SECRETS | {
        "INFERENCE_BACKEND": "vllm", "VLLM_BASE_URL": upstream.url, "VLLM_MODEL": "mock-chat",
        "OCR_WORKERS": "1", "AUTH_ENABLED": "1", "WEBHOOK_ALLOW_PRIVATE": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "reader-of-bills",
        "OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
    }  # fmt: skip
    server = start(**settings, JOBS_MAX_CONCURRENCY="0")
    reading = worker(**settings)
    key = _key(server, settings)
    with receiving() as receiver:
        accepted = server.client.post(
            "/v1/extract_async",
            files={"file": ("planted name.pdf", INVOICE.read_bytes())},
            data={"callback_url": f"{receiver.url}&token=planted-in-the-url"},
            headers={
                "Authorization": f"Bearer {key}",
                "traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01",
                "tracestate": "shop=1",
                "baggage": "customer=planted-baggage",
            },
        )
        assert accepted.status_code == 202, accepted.text
        heard = receiver.heard.get(timeout=400)
    job = json.loads(heard.body)["job"]
    assert job["status"] == "succeeded", job
    reading.terminate()
    assert reading.wait(200) == 0
    server.stop()

    spans = [span for span in collector.spans if span.trace_id == CALLER[0]]
    assert {span.name for span in collector.spans} == {span.name for span in spans}
    assert len(spans) == len(collector.spans), "one trace"
    request = _only(spans, "POST /v1/extract_async")
    sent = _only(spans, "send ocr-items")
    process = _only(spans, "process ocr-items")
    extract = _only(spans, "extract")
    model = _only(spans, "model")
    chat = _only(spans, "chat mock-chat")
    assert request.parent_id == CALLER[1]
    assert (sent.parent_id, process.parent_id) == (request.span_id, sent.span_id)
    assert extract.parent_id == process.span_id
    assert all(_only(spans, name).parent_id == extract.span_id for name in STATIONS)
    assert chat.parent_id == model.span_id
    assert request.resource["service.instance.id"] != process.resource["service.instance.id"]
    assert {span.resource["service.name"] for span in spans} == {"reader-of-bills"}
    kinds = [span.kind for span in (request, sent, process, extract, chat)]
    assert kinds == ["server", "producer", "consumer", "internal", "client"]

    posts = [span for span in spans if span.name == "POST"]
    tries = sorted(
        (span for span in posts if span.parent_id == chat.span_id),
        key=lambda span: span.attributes.get("http.request.resend_count", 0),
    )
    assert [span.attributes["http.response.status_code"] for span in tries] == [503, 200]
    assert [span.failed for span in tries] == [True, False]
    assert tries[0].attributes["error.type"] == "busy"
    assert [f"00-{CALLER[0]}-{span.span_id}-01" for span in tries] == [
        headers["traceparent"] for headers in upstream.heard
    ]
    assert upstream.heard[0]["tracestate"] == "shop=1"
    (told,) = (span for span in posts if span.parent_id == sent.span_id)
    assert heard.headers["traceparent"] == f"00-{CALLER[0]}-{told.span_id}-01"

    assert process.attributes["ocr.job.id"] == request.attributes["ocr.job.id"] == job["job_id"]
    assert process.attributes["ocr.key.id"] == request.attributes["ocr.key.id"]
    assert chat.attributes["gen_ai.usage.input_tokens"] > 0
    assert collector.headers[0]["x-tenant"] == SECRETS["OTEL_EXPORTER_OTLP_HEADERS"][9:]

    _holds_nothing_planted(b"".join(collector.bodies), key, job["result"]["result"])
    log = (server.data_root / "server.log").read_text()
    _logs_say_whose_work_it_is(log, (server.data_root / "worker.log").read_text(), job["job_id"])


def _holds_nothing_planted(sent: bytes, key: str, result: dict[str, Any]) -> None:
    assert b"planted" not in sent
    assert key.encode() not in sent
    texts = [value for value in _values(result) if len(value) > 4]
    assert len(texts) > 10
    assert [text for text in texts if text.encode() in sent] == []


def _values(value: Any) -> Iterator[str]:
    """Every text of a result, dates and amounts included."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _values(each)
    elif value is not None:
        yield str(value)


def _logs_say_whose_work_it_is(server: str, worker: str, job_id: str) -> None:
    lines = [json.loads(line) for line in server.splitlines() if line.startswith("{")]
    (access,) = (line for line in lines if line.get("path") == "/v1/extract_async")
    assert (access["job_id"], access["trace_id"]) == (job_id, CALLER[0])
    read = [json.loads(line) for line in worker.splitlines() if line.startswith("{")]
    (item,) = (line for line in read if line["message"] == "item")
    assert item["outcome"] == "succeeded"
    assert (item["job_id"], item["trace_id"]) == (job_id, CALLER[0])
    assert item["key_id"] == access["key_id"]
    assert "planted" not in server + worker


def test_items_of_a_batch_have_traces_of_their_own_that_lead_to_it(
    start: Callable[..., ServerProcess], collector: Collector
) -> None:
    server = start(
        OCR_WORKERS="1",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_TIMEOUT="60",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=tests",
    )
    files = [("files", (f"{number}.xml", XML.read_bytes())) for number in range(2)]
    answer = server.client.post("/v1/batch_extract_upload", files=files)
    assert answer.json()["ok_count"] == 2, answer.text
    server.stop()
    sent = _only(collector.spans, "send ocr-items")
    items = collector.named("process ocr-items")
    assert [span.links for span in items] == [(sent.trace_id,)] * 2
    assert len({sent.trace_id, *(span.trace_id for span in items)}) == 3
    assert all(not span.parent_id for span in items)
    assert sent.resource["service.name"] == "ocr-service"
    assert sent.resource["deployment.environment.name"] == "tests"


def test_what_the_sampler_leaves_out_is_not_sent(
    start: Callable[..., ServerProcess], collector: Collector
) -> None:
    server = start(
        OCR_WORKERS="1", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_TRACES_SAMPLER="parentbased_always_off", OTEL_EXPORTER_OTLP_TIMEOUT="60",
    )  # fmt: skip
    assert server.client.get("/v1/me").status_code == 200
    sampled = {"traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"}
    assert server.client.get("/v1/me", headers=sampled).status_code == 200
    server.stop()
    assert [(span.name, span.parent_id) for span in collector.spans] == [("GET /v1/me", CALLER[1])]


def test_a_collector_that_is_away_fails_nothing_and_does_not_hold_up_the_end(
    start: Callable[..., ServerProcess],
) -> None:
    server = start(OCR_WORKERS="1", OTEL_EXPORTER_OTLP_ENDPOINT="http://user:planted@127.0.0.1:9",
                   OTEL_BSP_SCHEDULE_DELAY="50", OTEL_BSP_MAX_QUEUE_SIZE="8",
                   OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4", OTEL_EXPORTER_OTLP_TIMEOUT="1")  # fmt: skip
    for _ in range(50):
        assert server.client.get("/v1/me").status_code == 200

    def said() -> str:
        log: str = (server.data_root / "server.log").read_text()
        return log if "the collector of traces takes none" in log else ""

    log = eventually(said, "a word about the collector")
    assert log.count("the collector of traces") == 1
    assert "planted" not in log
    server.stop()
    assert '"message":"stopped"' in (server.data_root / "server.log").read_text()
