"""What the server says of itself in Prometheus' text format, in a registry of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Metrics:
    """Counts and times; the engine's own health questions are in none of them."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self.ready = Gauge("tilt_engine_ready", "1 while the engine answers.", registry=registry)
        self.held = Gauge(
            "tilt_documents_held",
            "Documents being received, waiting or answered.",
            registry=registry,
        )
        self.waiting = Gauge(
            "tilt_questions_waiting", "Questions waiting for the engine.", registry=registry
        )
        self.running = Gauge(
            "tilt_questions_running", "Questions that the engine has.", registry=registry
        )
        self.documents = Counter(
            "tilt_documents",
            "Documents by outcome: answered, refused, busy, failed, canceled.",
            ["outcome"],
            registry=registry,
        )
        self.pages = Counter("tilt_pages", "Pages of answered documents.", registry=registry)
        self.questions = Counter(
            "tilt_questions", "Questions by how they ended.", ["finish_reason"], registry=registry
        )
        self.prompt_tokens = Counter(
            "tilt_prompt_tokens", "Tokens read, a document's once a question.", registry=registry
        )
        self.answer_tokens = Counter("tilt_answer_tokens", "Tokens written.", registry=registry)
        self.prepare_seconds = Histogram(
            "tilt_prepare_seconds",
            "From a request's body to its prompts.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.question_seconds = Histogram(
            "tilt_question_seconds",
            "A question in the engine.",
            buckets=_SECONDS,
            registry=registry,
        )

    def text(self) -> bytes:
        """All of it, as `GET /metrics` answers."""
        return generate_latest(self._registry)


@contextmanager
def counted_in(gauge: Gauge) -> Iterator[None]:
    """One more in `gauge` for as long as the block runs."""
    gauge.inc()
    try:
        yield
    finally:
        gauge.dec()
