"""Milliseconds per station, and a span for each where the document is traced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lib.domain.tracing import NO_SPAN, Span


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds per station, as `timings_ms` shows them; `span` is that of the document."""

    timings_ms: dict[str, int] = field(default_factory=dict)
    span: Span = NO_SPAN

    @contextmanager
    def station(self, name: str) -> Iterator[Span]:
        """Add the block's duration to `name`, also when it raises; yields the station's span."""
        started = time.monotonic()
        try:
            with self.span.child(name) as span:
                yield span
        finally:
            spent = round((time.monotonic() - started) * 1000)
            self.timings_ms[name] = self.timings_ms.get(name, 0) + spent
