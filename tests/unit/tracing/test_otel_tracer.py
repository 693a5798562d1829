"""Spans as OpenTelemetry records them: whose part they are, what of a failure is kept, overload."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from apps.tracing.otel import OtelTracer, Program
from apps.tracing.tracer import NoTracer, portable, posted_to
from lib.domain.cancellation import Canceled
from lib.domain.tracing import SpanKind
from lib.errors import Error, Kind

PROGRAM = Program("reader", "1.2")
CALLER = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
TRACE_ID = CALLER["traceparent"][3:35]


class Counted:
    """How often something was done, for whoever waits for it."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def add(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait_for(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count >= count, 60)


class Kept(SpanExporter):
    """Keeps what it is sent; refuses it while `is_away`."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.is_away = False
        self.asked = Counted()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        was_away = self.is_away
        if not was_away:
            self.spans += spans
        self.asked.add()  # last: who waits for it changes `is_away` for the next
        return SpanExportResult.FAILURE if was_away else SpanExportResult.SUCCESS

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
    tracer = OtelTracer("http://nowhere", PROGRAM, exporter=kept)
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
    tracer = OtelTracer("http://nowhere", PROGRAM, exporter=kept)
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
    tracer = OtelTracer("http://nowhere", PROGRAM, exporter=kept)
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
    tracer = OtelTracer("http://nowhere", PROGRAM, exporter=kept)
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
    tracer = OtelTracer("http://nowhere", PROGRAM, exporter=hanging)
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
    tracer = OtelTracer("http://nowhere", PROGRAM, exporter=kept)
    with tracer.span("ours", SpanKind.SERVER, {}, {}) as ours:
        flags = int(ours.carrier["traceparent"][-2:], 16)
        assert not flags & 1, "who goes on must not record it either"
    with tracer.span("asked for", SpanKind.SERVER, CALLER, {}):
        pass
    tracer.stop()
    assert [span.name for span in kept.spans] == ["asked for"]
    assert (tracer.counts.made, tracer.counts.sent) == (1, 1)


def test_a_collector_that_goes_and_comes_is_told_of_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    kept = Kept()
    told: list[bool] = []
    tracer = OtelTracer("http://nowhere", PROGRAM, told.append, kept)
    for number, kept.is_away in enumerate((False, True, True, False, False), start=1):
        with tracer.span("work", SpanKind.INTERNAL, {}, {}):
            pass
        assert kept.asked.wait_for(number)
    tracer.stop()
    assert told == [False, True]
    assert tracer.counts.sent == 3
    resource = kept.spans[0].resource.attributes
    assert (resource["service.name"], resource["service.version"]) == ("reader", "1.2")


def test_where_spans_go_is_what_opentelemetrys_variables_say() -> None:
    assert posted_to("http://c:4318/", None, is_off=False) == "http://c:4318/v1/traces"
    assert posted_to("http://c:4318", "https://d/x", is_off=False) == "https://d/x"
    assert posted_to("http://c:4318", "https://d/x", is_off=True) is None
    assert posted_to(None, None, is_off=False) is None


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
