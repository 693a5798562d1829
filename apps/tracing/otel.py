"""Traces with OpenTelemetry, sent as OTLP over HTTP: the only importer of its SDK.

The SDK reads its own variables, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*` and the
others. Nothing is put into its global state.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from apps.tracing.tracer import Carrier, TraceCounts
from lib.domain.cancellation import Canceled
from lib.domain.tracing import Attributes, Span, SpanKind
from lib.errors import Error

# A collector that does not answer must not hold up the end of the process.
_STOP_WITHIN_S = 3.0
_LONGEST_TEXT = 200

_KINDS = {
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.PRODUCER: trace.SpanKind.PRODUCER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}
# Baggage is not passed on: a caller may have put anything into it.
_W3C = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Program:
    """Who sends, unless `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say otherwise."""

    name: str
    version: str


class OtelTracer:
    """`Tracer` with a bounded queue and a thread that sends; what does not fit is dropped."""

    def __init__(
        self,
        endpoint: str,
        program: Program,
        took: Callable[[bool], None] = lambda _: None,
        exporter: SpanExporter | None = None,
    ) -> None:
        """`endpoint` is the whole URL that spans are posted to; `exporter` replaces that way out.

        `took` is told by the thread that sends when the collector stops to take spans, and when it
        begins again. Opens no connection yet.
        """
        # Its loggers name the collector's address and quote its answers.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        self._sending = _Counted(exporter or OTLPSpanExporter(endpoint=endpoint), took)
        # Its own stop at the interpreter's end would wait for half a minute.
        self._provider = TracerProvider(resource=_resource(program), shutdown_on_exit=False)
        self._made = _Made(self._sending)
        self._provider.add_span_processor(self._made)
        self._tracer = self._provider.get_tracer(program.name, program.version)

    @property
    def counts(self) -> TraceCounts:
        """See `Tracer.counts`."""
        return TraceCounts(self._made.count, self._sending.count)

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind,
        carrier: Carrier,
        attributes: Attributes,
        *,
        linked: bool = False,
    ) -> Iterator[Span]:
        """See `Tracer.span`."""
        before = _W3C.extract(dict(carrier), Context())
        origin = trace.get_current_span(before).get_span_context()
        links = [trace.Link(origin)] if linked and origin.is_valid else []
        context = Context() if linked else before
        with _running(self._tracer, name, kind, context, attributes, links) as span:
            yield span

    def stop(self) -> None:
        """See `Tracer.stop`."""
        sending = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        sending.start()
        sending.join(_STOP_WITHIN_S)


class _OtelSpan:
    """`Span` of OpenTelemetry; its own methods never raise."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        self._failed = False

    @property
    def trace_id(self) -> str | None:
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def carrier(self) -> Carrier:
        headers: dict[str, str] = {}
        _W3C.inject(headers, self._context())
        return headers

    @contextmanager
    def child(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None
    ) -> Iterator[Span]:
        with _running(self._tracer, name, kind, self._context(), attributes or {}) as span:
            yield span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(_known(attributes))

    def fail(self, code: str) -> None:
        if not self._failed:
            self._failed = True
            self._span.set_attribute("error.type", code)
            self._span.set_status(trace.StatusCode.ERROR)

    def _context(self) -> Context:
        return trace.set_span_in_context(self._span, Context())


@contextmanager
def _running(
    tracer: trace.Tracer,
    name: str,
    kind: SpanKind,
    context: Context,
    attributes: Attributes,
    links: Sequence[trace.Link] = (),
) -> Iterator[_OtelSpan]:
    """A span for a block. Of an exception its code or type is noted, never its text."""
    begun = tracer.start_span(
        name, context, kind=_KINDS[kind], attributes=_known(attributes), links=list(links)
    )
    span = _OtelSpan(tracer, begun)
    try:
        yield span
    except Canceled:
        span.fail("canceled")
        raise
    except Error as error:
        span.fail(error.code)
        raise
    except BaseException as exc:
        span.fail(type(exc).__name__)
        raise
    finally:
        begun.end()


def _known(attributes: Attributes) -> dict[str, Any]:
    return {
        name: value[:_LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None
    }


def _resource(program: Program) -> Resource:
    """The environment's words go before our own; the id is of this process."""
    ours = {
        "service.name": program.name,
        "service.version": program.version,
        "service.instance.id": str(uuid.uuid4()),
    }
    said = OTELResourceDetector().detect().attributes
    return Resource.create({name: said.get(name, value) for name, value in ours.items()})


class _Made(BatchSpanProcessor):
    """The SDK's queue, sized by `OTEL_BSP_*`, that counts what comes to it."""

    def __init__(self, exporter: SpanExporter) -> None:
        super().__init__(exporter)
        self._lock = threading.Lock()
        self.count = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Queue it if it is sampled."""
        if span.context is not None and span.context.trace_flags.sampled:
            with self._lock:
                self.count += 1
        super().on_end(span)


class _Counted(SpanExporter):
    """Counts what the collector took, and says once that it is away and once that it is back."""

    def __init__(self, exporter: SpanExporter, took: Callable[[bool], None]) -> None:
        self._exporter = exporter
        self._took = took
        self._is_away = False
        self.count = 0
        self.shutdown: Callable[[], None] = exporter.shutdown

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`; called by one thread."""
        result = self._exporter.export(spans)
        is_away = result is not SpanExportResult.SUCCESS
        if not is_away:
            self.count += len(spans)
        if is_away != self._is_away:
            self._is_away = is_away
            self._took(not is_away)
        return result
