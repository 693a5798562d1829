"""Counts and times in Prometheus' text format, in a registry of their own; never any content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from lib.errors import Error

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
# A batch may take hours.
_JOB_SECONDS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0, 14400.0)
# 0.95 is what is promised of (docs/sla.md): a bound just below it counts those that reach it.
_CONFIDENCES: Final = (0.3, 0.6, 0.8, 0.9, 0.9499, 0.98, 0.99, 1.0)
_MILLISECONDS: Final = 1000.0
# Reasons for a review that name a field; others name a rule.
_OF_A_FIELD: Final = frozenset(
    {"missing", "low_confidence", "ambiguous_date", "ambiguous_amount", "ambiguous_currency"}
)

Labelled = Mapping[tuple[str, ...], float]
"""Values by the labels' values."""


class EndedJob(Protocol):
    """What is counted of a job that has ended. Times in Unix seconds."""

    @property
    def kind(self) -> str:
        """What was asked for."""
        ...

    @property
    def status(self) -> str:
        """How it ended."""
        ...

    @property
    def created_at(self) -> float:
        """When it was accepted."""
        ...

    @property
    def finished_at(self) -> float | None:
        """When it ended."""
        ...

    @property
    def cancel_requested_at(self) -> float | None:
        """When it was to be canceled."""
        ...


class Metrics:
    """Observes requests, extractions and jobs; safe to share between threads."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        build = Gauge("ocr_build_info", "1, by version.", ["version"], registry=registry)
        build.labels(version("ocr-service")).set(1)
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
        self._not_kept = Counter(
            "ocr_answers_without_artifact",
            "Answers and failures whose artifact could not be written.",
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
        self._observe_reviews(registry)
        self._observe_jobs(registry)

    def _observe_reviews(self, registry: CollectorRegistry) -> None:
        self._fields = Counter("ocr_fields", "Fields answered, cells included.", registry=registry)
        self._confidence = Histogram(
            "ocr_field_confidence",
            "Confidence of the fields that were answered, cells included.",
            buckets=_CONFIDENCES,
            registry=registry,
        )
        self._reviewed = Counter(
            "ocr_documents_needing_review", "Documents that ask for a person.", registry=registry
        )
        self._doubted = Counter(
            "ocr_fields_needing_review",
            "Fields that are missing, doubtful or ambiguous.",
            ["field"],
            registry=registry,
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

    def _observe_jobs(self, registry: CollectorRegistry) -> None:
        self._jobs = Counter(
            "ocr_jobs_ended", "Jobs whose end this process wrote.", ["kind", "status"],
            registry=registry,
        )  # fmt: skip
        self._job_seconds = Histogram(
            "ocr_job_seconds",
            "From a job's acceptance to its end.",
            ["kind"],
            buckets=_JOB_SECONDS,
            registry=registry,
        )
        self._cancel_seconds = Histogram(
            "ocr_job_cancel_seconds",
            "From the wish to cancel a job until its work had stopped.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._retries = Counter(
            "ocr_job_item_retries",
            "Documents of jobs put back for later, by the error's code.",
            ["code"],
            registry=registry,
        )

    def watch(
        self,
        name: str,
        description: str,
        value: Callable[[], float | Labelled | None],
        labels: Sequence[str] = (),
    ) -> None:
        """A gauge that is looked up whenever it is asked for; nothing is shown for None."""
        self._registry.register(_Watched(GaugeMetricFamily, name, description, labels, value))

    def count(
        self,
        name: str,
        description: str,
        value: Callable[[], float | Labelled | None],
        labels: Sequence[str] = (),
    ) -> None:
        """The same for what only grows; `_total` is added to its name."""
        self._registry.register(_Watched(CounterMetricFamily, name, description, labels, value))

    def answered(self, response: Mapping[str, Any]) -> None:
        """A document was read."""
        self._documents.labels(response["document_type"], response["backend"]).inc()
        for stage, milliseconds in response["timings_ms"].items():
            self._stages.labels(stage).observe(milliseconds / _MILLISECONDS)
        for page in response["pages"]:
            self._pages.labels(page["source"]).inc()
        self._fields.inc(len(response["fields"]))
        for field in response["fields"].values():
            if field["value"] is not None:
                self._confidence.observe(field["confidence"])
        self._reviewed.inc(bool(response["needs_review"]))
        for reason in response["review_reasons"]:
            kind, _, name = reason.partition(":")
            self._reasons.labels(kind).inc()
            if kind in _OF_A_FIELD:
                self._doubted.labels(name).inc()
        self._duplicates.inc(bool(response["duplicates"]))

    def looked_up(self, *, found: bool) -> None:
        """A document may have been answered before: whether it was."""
        self._cache.labels("hit" if found else "miss").inc()

    def failed(self, code: str) -> None:
        """A document was not read."""
        self._failures.labels(code).inc()

    def not_kept(self) -> None:
        """An answer or a failure has no artifact."""
        self._not_kept.inc()

    def job_ended(self, job: EndedJob) -> None:
        """A job is in its final state."""
        self._jobs.labels(job.kind, job.status).inc()
        if job.finished_at is not None:
            self._job_seconds.labels(job.kind).observe(job.finished_at - job.created_at)
            if job.cancel_requested_at is not None:
                self._cancel_seconds.observe(job.finished_at - job.cancel_requested_at)

    def item_retried(self, code: str) -> None:
        """A document of a job was put back for later."""
        self._retries.labels(code).inc()

    def text(self) -> bytes:
        """All of it, as `GET /metrics` answers."""
        return generate_latest(self._registry)


class _Watched(Collector):
    """One metric that is looked up."""

    def __init__(
        self,
        family: type[CounterMetricFamily | GaugeMetricFamily],
        name: str,
        description: str,
        labels: Sequence[str],
        value: Callable[[], float | Labelled | None],
    ) -> None:
        self._family = family
        self._name = f"ocr_{name}"
        self._description = description
        self._labels = tuple(labels)
        self._value = value

    def describe(self) -> Iterator[Metric]:
        """Its name: registering looks nothing up."""
        yield self._family(self._name, self._description, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        """Its values now; none where they cannot be known."""
        found = self._family(self._name, self._description, labels=self._labels)
        try:
            value = self._value()
        except Error:
            value = None
        if isinstance(value, Mapping):
            for labels, each in value.items():
                found.add_metric(labels, each)
        elif value is not None:
            found.add_metric((), value)
        yield found
