"""What begins traces and goes on with those of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from lib.domain.tracing import NO_SPAN, Attributes, Span, SpanKind

Carrier = Mapping[str, str]
"""Headers of W3C Trace Context, as a request brings them or a row keeps them."""

_LONGEST_STATE = 512
"""Of `tracestate` in characters: as much as W3C asks for."""


@dataclass(frozen=True, slots=True)
class TraceCounts:
    """Spans of this process: `made` have ended and are recorded, `sent` of them the collector has
    taken. The others wait, or were dropped.
    """

    made: int = 0
    sent: int = 0


class Tracer(Protocol):
    """Safe to share between threads. Never raises, and never waits for anybody."""

    def span(
        self,
        name: str,
        kind: SpanKind,
        carrier: Carrier,
        attributes: Attributes,
        *,
        linked: bool = False,
    ) -> AbstractContextManager[Span]:
        """A span that belongs to the trace in `carrier`, over when the block is left.

        `linked`: it begins a trace of its own that points there. Where there is none in `carrier`
        it begins one in any case.
        """
        ...

    @property
    def counts(self) -> TraceCounts:
        """Since the start."""
        ...

    def stop(self) -> None:
        """Send what waits, in bounded time."""
        ...


class NoTracer:
    """`Tracer` of a process that traces nothing."""

    counts = TraceCounts()

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
        yield NO_SPAN

    def stop(self) -> None:
        """See `Tracer.stop`."""


def portable(carrier: Carrier) -> dict[str, str] | None:
    """What a row keeps of a carrier; None where there is nothing to go on with.

    A `tracestate` that is longer than anybody has to pass on is left out whole, as W3C allows.
    """
    found = {
        name: value
        for name, value in carrier.items()
        if name == "traceparent" or (name == "tracestate" and len(value) <= _LONGEST_STATE)
    }
    return found or None


def posted_to(endpoint: str | None, traces_endpoint: str | None, *, is_off: bool) -> str | None:
    """The whole URL that spans are posted to by OpenTelemetry's variables; None for nowhere.

    `endpoint` is a collector's address, to which the path of its receiver is added, and
    `traces_endpoint`, which goes first, is taken as it is.
    https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
    """
    if is_off:
        return None
    if traces_endpoint is not None:
        return traces_endpoint
    return None if endpoint is None else endpoint.rstrip("/") + "/v1/traces"
