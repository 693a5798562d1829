"""Spans as OpenTelemetry records them: whose part they are, what of a failure is kept, overload."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from apps.api_cpu.tracing.otel import OtelTracer
from apps.api_cpu.tracing.tracer import NoTracer, portable
from lib.domain.cancellation import Canceled
from lib.domain.tracing import SpanKind
from lib.errors import Error, Kind

CALLER = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
TRACE_ID = CALLER["traceparent"][3:35]


class Kept(SpanExporter):
    """Keeps what it is sent; refuses it while `is_away`."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.is_away:
            return SpanExportResult.FAILURE
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is open."""

    def named(self, name: str) -> ReadableSpan:
        (found,) = (span for span in self.spans if span.name == name)
        return found


class Hanging(SpanExporter):
    """A collector that takes a connection and never answers."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.ended.wait(100)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.ended.wait(100)


def test_spans_are_parts_of_each_other_and_of_the_callers_trace() -> None:
    kept = Kept()
    tracer = OtelTracer("http://nowhere", kept)
    with (
        tracer.span("request", SpanKind.SERVER, CALLER, {"a": 1, "none": None}) as request,
        request.child("part", SpanKind.CLIENT) as part,
    ):
        assert part.trace_id == request.trace_id == TRACE_ID
        carrier = part.carrier
    tracer.stop()
    request_span, part_span = kept.named("request"), kept.named("part")
    assert request_span.parent is not None
    assert f"{request_span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert part_span.parent is not None
    assert part_span.parent.span_id == request_span.context.span_id
    assert carrier["traceparent"] == f"00-{TRACE_ID}-{part_span.context.span_id:016x}-01"
    assert dict(request_span.attributes or {}) == {"a": 1}


def test_a_linked_span_begins_a_trace_that_leads_to_the_other() -> None:
    kept = Kept()
    tracer = OtelTracer("http://nowhere", kept)
    with tracer.span("item", SpanKind.CONSUMER, CALLER, {}, linked=True) as item:
        assert item.trace_id != TRACE_ID
    with tracer.span("alone", SpanKind.CONSUMER, {}, {}, linked=True):
        pass
    with tracer.span("after nonsense", SpanKind.SERVER, {"traceparent": "00-zz"}, {}):
        pass
    tracer.stop()
    (link,) = kept.named("item").links
    assert f"{link.context.trace_id:032x}" == TRACE_ID
    assert kept.named("item").parent is None
    assert kept.named("alone").links == ()
    assert kept.named("after nonsense").parent is None


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (Error("bad_request", Kind.BAD_REQUEST, "planted words"), "bad_request"),
        (Canceled(), "canceled"),
        (ValueError("planted words"), "ValueError"),
    ],
)
def test_of_a_failure_its_code_is_kept_and_no_text(raised: Exception, code: str) -> None:
    kept = Kept()
    tracer = OtelTracer("http://nowhere", kept)
    with pytest.raises(type(raised)), tracer.span("work", SpanKind.INTERNAL, {}, {}):
        raise raised
    tracer.stop()
    span = kept.named("work")
    assert dict(span.attributes or {}) == {"error.type": code}
    assert not span.status.is_ok
    assert not span.events
    assert "planted" not in span.to_json()


def test_the_first_word_for_a_failure_counts() -> None:
    kept = Kept()
    tracer = OtelTracer("http://nowhere", kept)
    with tracer.span("work", SpanKind.INTERNAL, {}, {}) as span:
        span.fail("busy")
        span.fail("later")
    tracer.stop()
    assert (kept.named("work").attributes or {})["error.type"] == "busy"


def test_what_does_not_fit_the_queue_is_dropped_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    hanging = Hanging()
    tracer = OtelTracer("http://nowhere", hanging)
    for _ in range(500):
        with tracer.span("work", SpanKind.INTERNAL, {}, {}):
            pass
    assert (tracer.counts.made, tracer.counts.sent) == (500, 0)
    begun = time.monotonic()
    tracer.stop()
    assert time.monotonic() - begun < 60, "the collector would hold it up for 100 s"
    hanging.ended.set()


def test_the_sampler_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    kept = Kept()
    tracer = OtelTracer("http://nowhere", kept)
    with tracer.span("ours", SpanKind.SERVER, {}, {}) as ours:
        flags = int(ours.carrier["traceparent"][-2:], 16)
        assert not flags & 1, "who goes on must not record it either"
    with tracer.span("asked for", SpanKind.SERVER, CALLER, {}):
        pass
    tracer.stop()
    assert [span.name for span in kept.spans] == ["asked for"]
    assert (tracer.counts.made, tracer.counts.sent) == (1, 1)


def test_a_row_keeps_what_is_needed_to_go_on() -> None:
    assert portable({}) is None
    assert portable({**CALLER, "baggage": "customer=7"}) == CALLER
    assert portable({**CALLER, "tracestate": "a=1"}) == {**CALLER, "tracestate": "a=1"}
    assert portable({**CALLER, "tracestate": "a" * 513}) == CALLER


def test_without_a_collector_nothing_is_said() -> None:
    tracer = NoTracer()
    with tracer.span("work", SpanKind.SERVER, CALLER, {}) as span, span.child("part") as part:
        part.note({"a": 1})
        part.fail("busy")
        part.rename("other")
        assert (part.trace_id, dict(part.carrier)) == (None, {})
    tracer.stop()
