"""Everything of jobs, put together: the table, this process as a worker on it, and its backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine

from apps.api_cpu.extractions.service import ExtractionService
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.jobs.adopting import JobPromises
from apps.api_cpu.jobs.backends.base import JobsBackend
from apps.api_cpu.jobs.backends.build import build_backend
from apps.api_cpu.jobs.changes import Changes
from apps.api_cpu.jobs.extract_job import ExtractFinisher, ExtractJobs
from apps.api_cpu.jobs.finishing import Finisher, Finishing, JobObserver
from apps.api_cpu.jobs.leases import WorkerLeases
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.reaper import Reaper
from apps.api_cpu.jobs.rows import Kind
from apps.api_cpu.jobs.runner import Runner, RunnerLimits
from apps.api_cpu.jobs.service import JobService
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.jobs.telling import WebhookOutbox
from apps.api_cpu.settings import Settings
from apps.tracing.tracer import Tracer
from lib.domain.task import Task


@dataclass(slots=True)
class Jobs:
    """The jobs of a process, from `start` to `stop`."""

    store: JobStore
    presence: Presence
    runner: Runner
    reaper: Reaper
    backend: JobsBackend
    changes: Changes
    service: JobService
    extract_jobs: ExtractJobs
    promises: JobPromises
    _closed_at: float | None = field(default=None)

    def start(self) -> None:
        """Register this process, look after what others left, and begin to work."""
        self.presence.start()
        self.reaper.start()
        self.backend.start()

    def close(self) -> None:
        """Take nothing more. May be called from a signal handler."""
        if self._closed_at is None:
            self._closed_at = time.monotonic()
        self.changes.close()
        self.backend.close()

    def stop(self, grace_s: float) -> None:
        """Finish what runs or hand it back, within `grace_s` seconds of `close`."""
        self.close()
        end = (self._closed_at or time.monotonic()) + grace_s
        self.backend.stop(max(0.0, end - time.monotonic()))
        self.presence.wind_down(max(0.0, end - time.monotonic()))
        self.reaper.stop()
        self.presence.stop()


def build_jobs(  # noqa: PLR0913 (what jobs work with, given once)
    settings: Settings,
    engine: Engine,
    extractions: ExtractionService,
    inputs: InputStore,
    tasks: Mapping[str, Task],
    finishers: Mapping[Kind, Finisher],
    require_callback: Callable[[str], None],
    *,
    is_worker: bool,
    tracer: Tracer,
    observer: JobObserver | None,
) -> Jobs:
    """The jobs in this database; nothing runs before `Jobs.start`.

    `finishers` are those of other kinds than `extract`; `require_callback` refuses a URL that may
    not be called; `is_worker`: this is `ocr worker`.
    """
    changes = Changes()
    store = JobStore(engine, changes.tell, WebhookOutbox())
    leases = WorkerLeases(engine, changes.tell)
    presence = Presence(leases, store, settings.lease_s, settings.data_root / "workers")
    finishing = Finishing(
        store,
        {Kind.EXTRACT: ExtractFinisher(extractions), **finishers},
        inputs,
        lambda: presence.worker_id,
        observer=observer,
    )
    limits = RunnerLimits(settings.job_deadline_s, settings.jobs_retry_for_s)
    runner = Runner(
        store,
        presence,
        extractions,
        inputs,
        finishing,
        tasks,
        limits,
        tracer=tracer,
        observer=observer,
    )
    backend = build_backend(settings, runner, lambda: store.counts().queued, is_worker=is_worker)
    service = JobService(
        store,
        changes,
        backend,
        finishing,
        presence,
        settings.jobs_queued_per_key,
        require_callback,
    )
    extract_jobs = ExtractJobs(extractions, inputs, service)
    # A request that may become a job has its own time at least.
    longest_s = max(settings.job_deadline_s, settings.sync_deadline_s)
    return Jobs(
        store=store,
        presence=presence,
        runner=runner,
        reaper=Reaper(store, leases, presence, finishing, backend),
        backend=backend,
        changes=changes,
        service=service,
        extract_jobs=extract_jobs,
        promises=JobPromises(extract_jobs, service, runner, presence, longest_s),
    )
