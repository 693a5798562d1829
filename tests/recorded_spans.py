"""A `Span` that keeps what it is told, and its parts, for whoever looks at them afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from lib.domain.tracing import Attributes, Span, SpanKind

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
_NUMBERS = count(1)


@dataclass
class RecordedSpan:
    """Open until its block is left."""

    name: str = "test"
    kind: SpanKind = SpanKind.INTERNAL
    attributes: dict[str, Any] = field(default_factory=dict)
    parts: list[RecordedSpan] = field(default_factory=list)
    failure: str | None = None
    is_open: bool = True
    number: int = field(default_factory=lambda: next(_NUMBERS))
    trace_id: str | None = TRACE_ID

    @property
    def carrier(self) -> Mapping[str, str]:
        return {"traceparent": f"00-{TRACE_ID}-{self.number:016x}-01"}

    @contextmanager
    def child(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None
    ) -> Iterator[Span]:
        part = RecordedSpan(name, kind)
        part.note(attributes or {})
        self.parts.append(part)
        try:
            yield part
        finally:
            part.is_open = False

    def rename(self, name: str) -> None:
        self.name = name

    def note(self, attributes: Attributes) -> None:
        self.attributes |= {name: value for name, value in attributes.items() if value is not None}

    def fail(self, code: str) -> None:
        self.failure = self.failure or code
