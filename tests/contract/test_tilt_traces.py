"""Spans of the inference service: parts of the orchestrator's trace, and nothing of a document."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from scripted_tilt import ScriptedEngine
from tilt_service import RECEIPT, Service, asked, chat, eventually, page
from trace_collector import Collector, Recorded, collecting

from apps.api_gpu.settings import Settings
from apps.api_gpu.tracing import build_tracer, sdk_is_missing
from apps.tracing.tracer import NoTracer

TRACE_ID, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE_ID}-{CALLER_SPAN}-01", "X-Request-ID": "r-1"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def service(collector: Collector) -> Iterator[Service]:
    service = Service(ScriptedEngine(), otel_exporter_otlp_endpoint=collector.url)
    yield service
    if service.status is None:
        service.stop()


def _sent(service: Service, collector: Collector, of: str) -> list[Recorded]:
    """Every span: the server sends what is left as it ends. `of` is the last that is waited for."""
    service.stop()
    eventually(lambda: collector.named(of), f"a span {of}")
    return collector.spans


def test_a_document_is_a_part_of_its_senders_trace(service: Service, collector: Collector) -> None:
    body = asked(page(*RECEIPT, "planted"), questions=("Total", "planted"))
    assert service.client.post("/v1/tilt/answers", json=body, headers=PARENT).status_code == 200
    service.client.get("/v1/models")
    service.client.get("/health")
    spans = _sent(service, collector, "POST /v1/tilt/answers")
    assert {span.trace_id for span in spans} == {TRACE_ID}
    (request,) = (span for span in spans if span.name == "POST /v1/tilt/answers")
    assert (request.kind, request.parent_id) == ("server", CALLER_SPAN)
    assert request.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/tilt/answers",
        "url.scheme": "http",
        "ocr.request.id": "r-1",
        "ocr.pages": 1,
        "ocr.questions": 2,
    }
    assert request.resource["service.name"] == "ocr-inference"
    parts = [span for span in spans if span.parent_id == request.span_id]
    assert sorted(span.name for span in parts) == ["answer", "answer", "prepare"]
    asked_of = [span.attributes for span in parts if span.name == "answer"]
    assert {found["ocr.question.id"] for found in asked_of} == {"r-1-0", "r-1-1"}
    assert all(found["gen_ai.usage.input_tokens"] > 0 for found in asked_of)
    assert all(found["gen_ai.response.finish_reasons"] == ["stop"] for found in asked_of)
    assert b"planted" not in b"".join(collector.bodies)


def test_a_failure_is_told_by_its_code(service: Service, collector: Collector) -> None:
    poisoned = chat()
    poisoned["messages"][0]["content"][1]["text"] = "poison"
    assert service.client.post("/v1/chat/completions", json=poisoned).status_code == 400
    assert service.client.post("/v1/planted", json={}).status_code == 404
    spans = _sent(service, collector, "POST")
    (answer,) = (span for span in spans if span.name == "answer")
    assert answer.failed
    (request,) = (span for span in spans if span.name == "POST /v1/chat/completions")
    assert not request.failed, "by the conventions: the fault is the caller's"
    assert "POST" in {span.name for span in spans}
    assert b"planted" not in b"".join(collector.bodies)


def test_without_the_key_nothing_is_traced(service: Service, collector: Collector) -> None:
    headers = {"Authorization": "Bearer wrong"}
    assert service.client.post("/v1/tilt/answers", headers=headers).status_code == 401
    service.stop()
    assert collector.spans == []


def test_without_a_collector_there_is_no_tracer_and_no_sdk_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:9")
    assert isinstance(build_tracer(Settings()), NoTracer)
    assert not sdk_is_missing(wanted)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    assert sdk_is_missing(wanted)
    assert not sdk_is_missing(Settings())
    assert not sdk_is_missing(wanted.model_copy(update={"otel_sdk_disabled": True}))
