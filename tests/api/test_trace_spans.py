"""Traces of the server in this process, as a collector gets them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from api_place import RECEIPT, Place
from trace_collector import Collector, Recorded, collecting

TRACE_ID, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE_ID}-{CALLER_SPAN}-01"}
Make = Callable[..., Place]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def _sent(place: Place, collector: Collector) -> list[Recorded]:
    """Every span, once the tracer has sent all."""
    tracer = place.app.state.tracer
    tracer.stop()  # waits for a moment only; what is left is sent beside it
    end = time.monotonic() + 60
    while tracer.counts.sent < tracer.counts.made:
        assert time.monotonic() < end, tracer.counts
        time.sleep(0.01)
    return collector.spans


def _named(spans: list[Recorded], name: str) -> Recorded:
    (found,) = (span for span in spans if span.name == name)
    return found


def test_a_request_is_a_part_of_its_callers_trace(make_place: Make, collector: Collector) -> None:
    place = make_place(otel_exporter_otlp_endpoint=collector.url)
    answer = place.client.post(
        "/v1/extract", files={"file": ("secret name.pdf", RECEIPT)}, headers=PARENT
    )
    spans = _sent(place, collector)
    request, extract = _named(spans, "POST /v1/extract"), _named(spans, "extract")
    assert (request.trace_id, request.parent_id) == (TRACE_ID, CALLER_SPAN)
    assert request.kind == "server"
    assert request.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/extract",
        "url.scheme": "http",
        "ocr.key.id": "local",
        "ocr.request.id": answer.json()["request_id"],
    }
    assert extract.parent_id == request.span_id
    assert extract.attributes["ocr.document.size"] == len(RECEIPT)
    assert extract.attributes["ocr.fields"] == 3
    assert _named(spans, "load").parent_id == extract.span_id
    sent = b"".join(collector.bodies)
    assert not [word for word in (b"Corner", b"19.90", b"secret") if word in sent]


def test_a_failure_is_told_by_its_code_and_a_crash_by_its_type(
    make_place: Make, collector: Collector
) -> None:
    place = make_place(otel_exporter_otlp_endpoint=collector.url)
    for data, status in ((b"unsupported", 415), (b"crash", 500)):
        answer = place.client.post("/v1/extract", files={"file": data})
        assert answer.status_code == status
    spans = _sent(place, collector)
    codes = [span.attributes["error.type"] for span in spans if span.name == "extract"]
    assert codes == ["unsupported_media_type", "RuntimeError"]
    requests = [span for span in spans if span.name == "POST /v1/extract"]
    assert [(span.failed, span.attributes.get("error.type")) for span in requests] == [
        (False, None),  # by the conventions: the fault is the caller's
        (True, "500"),
    ]
    assert b"secret words" not in b"".join(collector.bodies)


def test_a_request_that_becomes_a_job_while_it_is_read_stays_in_its_trace(
    make_place: Make, collector: Collector
) -> None:
    place = make_place(otel_exporter_otlp_endpoint=collector.url, sync_deadline_s=2)
    answer = place.client.post("/v1/extract", files={"file": b"wait"}, headers=PARENT)
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["job_id"]
    kept = place.app.state.job_machinery.store.get(job_id)
    place.pipeline.release.set()
    assert place.client.get(f"/v1/jobs/{job_id}?wait=60").json()["status"] == "succeeded"
    spans = _sent(place, collector)
    request = _named(spans, "POST /v1/extract")
    assert request.attributes["ocr.job.id"] == job_id
    assert kept.trace == {"traceparent": f"00-{TRACE_ID}-{request.span_id}-01"}
    assert _named(spans, "extract").parent_id == request.span_id


def test_what_was_sent_as_a_path_is_not_recorded(make_place: Make, collector: Collector) -> None:
    place = make_place(otel_exporter_otlp_endpoint=collector.url)
    place.client.get("/v1/planted?planted=1", headers={"User-Agent": "planted"})
    place.client.get("/v1/health")
    place.client.request("PLANTED!", "/v1/me")
    names = [span.name for span in _sent(place, collector)]
    assert names == ["GET (no route)", "? /v1/me"]
    assert b"planted" not in b"".join(collector.bodies).lower()
