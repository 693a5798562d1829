"""What a span of a trace is to whoever works within it; who records it is the caller's choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Protocol, Self

Attributes = Mapping[str, str | bool | int | float | Sequence[str] | None]
"""Ids, sizes, counts and codes under OpenTelemetry's names; never content, never a secret. None is
left out."""


class SpanKind(StrEnum):
    """As OpenTelemetry has them: who asks whom, at once or later."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """A piece of work in a trace. Its methods never raise, and any thread may call them."""

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits; None where nothing is traced."""
        ...

    @property
    def carrier(self) -> Mapping[str, str]:
        """The headers of W3C Trace Context with which another process goes on; empty where nothing
        is traced.
        """
        ...

    def child(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None
    ) -> AbstractContextManager[Span]:
        """A part of this work, over when the block is left; an exception out of it is noted by its
        code or its type. May outlast this span.
        """
        ...

    def rename(self, name: str) -> None:
        """Name it better, now that more is known."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Add what is known by now."""
        ...

    def fail(self, code: str) -> None:
        """It failed, and why in a word; the first word counts."""
        ...


class NoSpan:
    """`Span` of work that nobody traces."""

    trace_id: str | None = None

    @property
    def carrier(self) -> Mapping[str, str]:
        """See `Span.carrier`."""
        return {}

    @contextmanager
    def child(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None
    ) -> Iterator[Self]:
        """See `Span.child`."""
        yield self

    def rename(self, name: str) -> None:
        """See `Span.rename`."""

    def note(self, attributes: Attributes) -> None:
        """See `Span.note`."""

    def fail(self, code: str) -> None:
        """See `Span.fail`."""


NO_SPAN: Span = NoSpan()
