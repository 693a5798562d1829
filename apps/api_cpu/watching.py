"""What metrics look up of a process's parts whenever they are asked for; docs/metrics.md lists it.

All of it is in memory or at most a second old: a scrape asks no database and no store.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from apps.api_cpu.auth.endpoints import AccessLimits
from apps.api_cpu.extractions.admission import Admission
from apps.api_cpu.health.service import Readiness
from apps.api_cpu.metrics.registry import Labelled, Metrics
from apps.api_cpu.rate_limits import RateLimit
from apps.api_cpu.services import Services
from apps.api_cpu.stations import Reader
from apps.tracing.tracer import Tracer
from lib.inference.client import Circuit, Snapshot, UpstreamState
from lib.processes.child import PoolStats


def watch_process(metrics: Metrics, services: Services, tracer: Tracer) -> None:
    """What the server and a worker have in common."""
    _watch_jobs(metrics, services)
    _watch_engine(metrics, services.reader)
    _watch_field_readers(metrics, services.reader)
    _watch_upstreams(metrics, services.reader)
    store = services.store
    watch, count = metrics.watch, metrics.count
    watch("spooled_artifacts", "Artifacts that wait for the store.", lambda: store.spooled.count)
    watch("spooled_bytes", "Their bytes.", lambda: store.spooled.size_bytes)
    watch(
        "spooled_oldest_age_seconds",
        "How long the oldest of them has waited.",
        lambda: _age(store.spooled.oldest_at),
    )
    count("trace_spans", "Spans that were recorded.", lambda: tracer.counts.made)
    count("trace_spans_sent", "Spans that the collector took.", lambda: tracer.counts.sent)


def watch_server(
    metrics: Metrics,
    services: Services,
    readiness: Readiness,
    admission: Admission,
    limits: AccessLimits,
) -> None:
    """What only the server has."""
    watch, count = metrics.watch, metrics.count
    watch("ready", "1 while documents can be read.", lambda: readiness.inference)
    watch("storage_ready", "1 while the store answers.", lambda: readiness.storage)
    in_hand = "Documents of requests in hand."
    watch("requests_running", in_hand, lambda: admission.running_for_requests)
    watch("requests_waiting", "Documents of requests waiting.", lambda: admission.queued)
    count(
        "admission_refusals",
        "Documents refused since too many are running and waiting.",
        lambda: {(reason,): number for reason, number in admission.refused.items()},
        ["reason"],
    )
    webhooks = services.webhooks.deliverer
    watch("webhooks_pending", "Webhooks to be sent.", lambda: webhooks.waiting.pending)
    watch(
        "webhooks_undelivered",
        "Webhooks that were given up and are kept still.",
        lambda: webhooks.waiting.undelivered,
    )
    count(
        "webhook_attempts",
        "Attempts to deliver one, by what came of it.",
        lambda: {(outcome,): number for outcome, number in dict(webhooks.attempts).items()},
        ["outcome"],
    )
    count(
        "rate_limit_refusals",
        "Requests refused with 429 by a limit a minute.",
        lambda: {
            ("requests",): _refused(limits.requests),
            ("login_failures",): _refused(limits.failures),
        },
        ["limit"],
    )
    count(
        "idempotency_replays",
        "Answers that were given again.",
        lambda: services.idempotency.replays,
    )
    corrected = services.corrections.corrected
    count(
        "fields_corrected",
        "Answered fields that a person changed; `sure` had a confidence of 0.95 or more.",
        lambda: {("sure",): corrected[True], ("doubtful",): corrected[False]},
        ["confidence"],
    )


def _watch_jobs(metrics: Metrics, services: Services) -> None:
    watch, count = metrics.watch, metrics.count
    reaper, presence = services.jobs.reaper, services.jobs.presence
    watch("job_items_running", "Documents of jobs in hand.", lambda: reaper.counts.running)
    watch("job_items_queued", "Documents of jobs waiting.", lambda: reaper.counts.queued)
    watch(
        "job_oldest_queued_age_seconds",
        "How long the oldest job has waited of which nothing has begun.",
        lambda: _age(reaper.counts.oldest_at),
    )
    watch("job_workers", "Processes with a lease.", lambda: reaper.workers)
    watch("job_leases_held", "Documents that this process works on.", lambda: presence.held)
    count("job_leases_lost", "Leases that this process lost.", lambda: presence.leases_lost)
    count(
        "job_items_reaped",
        "Documents of dead workers that this process put back.",
        lambda: reaper.reaped,
    )


def _look_at(
    pool: Callable[[], PoolStats | None], read: Callable[[PoolStats], float | Labelled]
) -> Callable[[], float | Labelled | None]:
    def look() -> float | Labelled | None:
        stats = pool()
        return None if stats is None else read(stats)

    return look


def _states(stats: PoolStats) -> Labelled:
    return {
        ("busy",): stats.busy,
        ("idle",): stats.loaded - stats.busy,
        ("starting",): stats.workers - stats.loaded,
    }


def _memory(stats: PoolStats) -> Labelled:
    return {(str(number),): size for number, size in enumerate(stats.resident)}


def _watch_engine(metrics: Metrics, reader: Reader) -> None:
    of = partial(_look_at, reader.workers)
    watch, count = metrics.watch, metrics.count
    watch("engine_workers", "OCR worker processes.", of(_states), ["state"])
    watch(
        "engine_worker_memory_bytes",
        "Resident memory of each OCR worker when it last read a page.",
        of(_memory),
        ["worker"],
    )
    watch("engine_pages_waiting", "Pages that wait for an OCR worker.", of(lambda s: s.waiting))
    count(
        "engine_worker_restarts",
        "OCR workers replaced after a crash, a kill or a failed start.",
        of(lambda s: s.restarts),
    )
    count(
        "engine_workers_recycled",
        "OCR workers replaced as planned, by pages or memory.",
        of(lambda s: s.recycled),
    )


def _watch_field_readers(metrics: Metrics, reader: Reader) -> None:
    of = partial(_look_at, reader.field_readers)
    watch, count = metrics.watch, metrics.count
    watch("field_readers", "Processes that find fields.", of(_states), ["state"])
    watch(
        "field_reader_memory_bytes",
        "Resident memory of each field reader when it last read a document.",
        of(_memory),
        ["worker"],
    )
    waiting = "Documents that wait for a field reader."
    watch("field_readers_awaited", waiting, of(lambda s: s.waiting))
    count(
        "field_reader_restarts",
        "Field readers replaced after a crash, a kill or a failed start.",
        of(lambda s: s.restarts),
    )
    count(
        "field_readers_recycled",
        "Field readers replaced as planned, by documents or memory.",
        of(lambda s: s.recycled),
    )


def _watch_upstreams(metrics: Metrics, reader: Reader) -> None:
    def of(read: Callable[[Snapshot], float | Labelled]) -> Callable[[], float | Labelled | None]:
        def look() -> float | Labelled | None:
            snapshot = reader.upstreams()
            return None if snapshot is None else read(snapshot)

        return look

    def each(read: Callable[[UpstreamState], float]) -> Callable[[], float | Labelled | None]:
        return of(lambda s: {(_host(up.address),): read(up) for up in s.upstreams})

    watch, count = metrics.watch, metrics.count
    where = ["upstream"]
    watch(
        "upstream_ready", "1 while its last probe was good.", each(lambda u: bool(u.ready)), where
    )
    watch(
        "upstream_circuit_state",
        "1 for the state that its circuit breaker is in.",
        of(_circuits),
        [*where, "state"],
    )
    running = each(lambda up: up.outstanding)
    watch("upstream_requests_running", "Requests that it works on.", running, where)
    count("upstream_requests", "Attempts sent to it.", each(lambda up: up.requests), where)
    count("upstream_failures", "Attempts that failed.", each(lambda up: up.failures), where)
    count("upstream_calls", "Questions to a model, retries not counted.", of(lambda s: s.calls))
    count(
        "upstream_errors",
        "Questions that nobody answered, by the error's code.",
        of(lambda s: {(code,): number for code, number in s.errors.items()}),
        ["code"],
    )
    count(
        "upstream_retries",
        "Attempts after the first, by what made them necessary.",
        of(lambda s: {(reason,): number for reason, number in s.retries.items()}),
        ["reason"],
    )
    count(
        "upstream_retries_refused",
        "Retries that the budget did not allow.",
        of(lambda s: s.retries_refused),
    )
    count(
        "upstream_tokens",
        "Tokens of models.",
        of(lambda s: {("input",): s.prompt_tokens, ("output",): s.completion_tokens}),
        ["type"],
    )


def _circuits(snapshot: Snapshot) -> Labelled:
    return {
        (_host(up.address), state.value): up.circuit is state
        for up in snapshot.upstreams
        for state in Circuit
    }


def _host(address: str) -> str:
    return urlsplit(address).netloc


def _age(since: float | None) -> float:
    return 0.0 if since is None else max(0.0, time.time() - since)


def _refused(limit: RateLimit | None) -> int:
    return 0 if limit is None else limit.refused
