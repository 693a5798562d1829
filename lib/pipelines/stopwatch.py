"""Milliseconds per station, and a span for each where the document is traced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lib.domain.tracing import NO_SPAN, Span


@dataclass(slots=True)
class Stopwatch:
    """Seconds per station; `span` is that of the document."""

    seconds: dict[str, float] = field(default_factory=dict)
    span: Span = NO_SPAN

    @property
    def timings_ms(self) -> dict[str, int]:
        """The same in whole milliseconds."""
        return {name: round(seconds * 1000) for name, seconds in self.seconds.items()}

    @property
    def timings_us(self) -> dict[str, int]:
        """The same in whole microseconds: most stations of a small document take one millisecond,
        or none.
        """
        return {name: round(seconds * 1_000_000) for name, seconds in self.seconds.items()}

    @contextmanager
    def station(self, name: str) -> Iterator[Span]:
        """Add the block's duration to `name`, also when it raises; yields the station's span."""
        started = time.monotonic()
        try:
            with self.span.child(name) as span:
                yield span
        finally:
            spent = time.monotonic() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
