"""Counts and times in Prometheus' text format, in a registry of their own; never any content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_MILLISECONDS: Final = 1000.0


class Metrics:
    """Observes requests and extractions; safe to share between threads."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "ocr_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "ocr_http_request_seconds",
            "From a request's first byte to its answer's last.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._documents = Counter(
            "ocr_documents",
            "Documents read by this process, by what they are and who read them.",
            ["document_type", "backend"],
            registry=registry,
        )
        self._failures = Counter(
            "ocr_document_failures",
            "Documents that were not read, by the error's code.",
            ["code"],
            registry=registry,
        )
        self._stages = Histogram(
            "ocr_stage_seconds",
            "Stations of documents that were read; `total` is from the request to the answer.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._pages = Counter("ocr_pages", "Pages read.", ["source"], registry=registry)
        self._fields = Counter("ocr_fields", "Fields answered, cells included.", registry=registry)
        self._reviewed = Counter(
            "ocr_documents_needing_review", "Documents that ask for a person.", registry=registry
        )
        self._reasons = Counter(
            "ocr_review_reasons", "Why they ask, without the field.", ["reason"], registry=registry
        )
        self._duplicates = Counter(
            "ocr_duplicates", "Documents that seem to have come before.", registry=registry
        )

        self._cache = Counter(
            "ocr_result_cache",
            "Documents that may have been answered before: hit, if they were, or miss.",
            ["outcome"],
            registry=registry,
        )

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """A gauge that is looked up whenever it is asked for."""
        Gauge(f"ocr_{name}", description, registry=self._registry).set_function(value)

    def answered(self, response: Mapping[str, Any]) -> None:
        """A document was read."""
        self._documents.labels(response["document_type"], response["backend"]).inc()
        for stage, milliseconds in response["timings_ms"].items():
            self._stages.labels(stage).observe(milliseconds / _MILLISECONDS)
        for page in response["pages"]:
            self._pages.labels(page["source"]).inc()
        self._fields.inc(len(response["fields"]))
        self._reviewed.inc(bool(response["needs_review"]))
        for reason in response["review_reasons"]:
            self._reasons.labels(reason.partition(":")[0]).inc()
        self._duplicates.inc(bool(response["duplicates"]))

    def looked_up(self, *, found: bool) -> None:
        """A document may have been answered before: whether it was."""
        self._cache.labels("hit" if found else "miss").inc()

    def failed(self, code: str) -> None:
        """A document was not read."""
        self._failures.labels(code).inc()

    def text(self) -> bytes:
        """All of it, as `GET /metrics` answers."""
        return generate_latest(self._registry)
