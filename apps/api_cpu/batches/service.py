"""A batch becomes a job: its run id taken, its documents held, its rows written, in that order."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apps.api_cpu.artifacts.store import ArtifactStore, batch_key
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.batches.plan import Plan
from apps.api_cpu.batches.sources import ServerFolder, Source
from apps.api_cpu.errors import envelope, error_of
from apps.api_cpu.idempotency.store import Answer
from apps.api_cpu.inputs.content import Content
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.jobs import file_names
from apps.api_cpu.jobs.rows import Job, NewItem
from apps.api_cpu.jobs.rows import Kind as JobKind
from apps.api_cpu.jobs.runner import OF_THE_KIND
from apps.api_cpu.jobs.schemas import accepted, poll_url
from apps.api_cpu.jobs.service import JobService
from apps.api_cpu.jobs.traces import SEND, sending
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.runs.store import RunIndex, StoredRun
from apps.api_cpu.shutdown import shutting_down
from apps.api_cpu.wire import dump
from apps.tracing.tracer import Carrier, portable
from lib.domain.tracing import Span, SpanKind
from lib.errors import Error, Kind

TRUTH_REF = "gt_input_ref"
"""Of a batch job's own options: the truth as it was when the job was accepted, an input."""

_NOT_OF_THE_JOB = {"image_base64", "filename", "request_id", "callback_url"}
# To take the documents of a folder into the store; the run's id is free again if we die in it.
_LEASE_S = 3600.0


class BatchService:
    """Accepts batches and answers for them. Safe to share between requests."""

    def __init__(
        self,
        runs: RunIndex,
        store: ArtifactStore,
        inputs: InputStore,
        folder: ServerFolder,
        jobs: JobService,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._runs = runs
        self._store = store
        self._inputs = inputs
        self._folder = folder
        self._jobs = jobs
        self._clock = clock

    def accept(self, plan: Plan, caller: Caller, span: Span) -> Job:
        """The job; it will be run, whatever happens. `span` is the request's.

        Raises `conflict` when the run id is taken, `too_many_jobs`, `shutting_down`,
        `storage_unavailable`; nothing of it is left then, inputs held under its id included.
        """
        attributes = sending(plan.job_id, len(plan.sources))
        with span.child(SEND, SpanKind.PRODUCER, attributes) as sent:
            return self._accepted(plan, caller, sent.carrier)

    def _accepted(self, plan: Plan, caller: Caller, carrier: Carrier) -> Job:
        now = self._clock()
        try:
            self._reserve(plan, caller, now)
            try:
                items = [self._item(source, plan, caller, now) for source in plan.sources]
                return self._jobs.submit(self._job(plan, caller, now, carrier), items)
            except Error:
                self._runs.release(plan.run_id, caller.key_id)
                raise
        except Error:
            self._inputs.release(plan.job_id)
            raise

    def give_up(self, plan: Plan) -> None:
        """Hold nothing for a job that did not come to be."""
        self._inputs.release(plan.job_id)

    async def ended(self, job: Job, caller: Caller, wait_s: float, *, gives_up: bool) -> Job:
        """The job once it has ended, or as it is after `wait_s` seconds where that is enough.

        Raises `shutting_down` for who would wait on: the job goes on after the next start.
        """
        end = time.monotonic() + wait_s
        while True:
            now = await self._jobs.ended(job.job_id, caller, wait_s)
            if now.status.is_final or gives_up:
                return now
            if time.monotonic() < end:
                raise shutting_down()
            end = time.monotonic() + wait_s

    def response(self, job: Job) -> dict[str, Any]:
        """What came of a job that has ended. Raises the error that it ended with."""
        if job.error is not None:
            raise error_of(job.error)
        return self._jobs.result(job) or {}

    def again(self, run_id: str, caller: Caller) -> Answer | None:
        """What a request was answered that made this run; None where it made none."""
        run = self._runs.find(run_id)
        if run is None or run.owner_key_id != caller.key_id or run.job_id is None:
            return None
        if not self._jobs.exists(run.job_id):
            return None
        job = self._jobs.one(run.job_id, caller)
        if job.status.is_final and job.error is None:
            return Answer(200, dump(self.response(job)))
        return Answer(202, dump(accepted(job)), location=poll_url(job))

    def release(self, run_id: str, caller: Caller) -> None:
        """Free an id that the caller's request took, whose server died before its job was sure."""
        self._runs.release(run_id, caller.key_id)

    def _reserve(self, plan: Plan, caller: Caller, now: datetime) -> None:
        rel = batch_key(now, plan.run_id)
        moment = now.timestamp()
        run = StoredRun(
            plan.run_id,
            caller.key_id,
            moment,
            moment + _LEASE_S,
            rel,
            plan.task.id,
            plan.job_id,
        )
        if self._store.exists(rel) or not self._runs.reserve(run, self._is_abandoned):
            raise Error("conflict", Kind.CONFLICT, "This `run_id` has been used before.")

    def _is_abandoned(self, held: StoredRun) -> bool:
        """Whether whoever took the id died before the job was sure."""
        return held.job_id is None or not self._jobs.exists(held.job_id)

    def _item(self, source: Source, plan: Plan, caller: Caller, now: datetime) -> NewItem:
        request_id = new_request_id()
        reference, error = source.image_ref, source.error
        if error is None:
            try:
                reference = self._held(source, plan, caller, now)
            except Error as failure:
                if failure.retryable:
                    raise
                error = failure
        failed = None if error is None else envelope(error, request_id)["error"]
        return NewItem(request_id, file_names.of_named(source.file), reference, failed)

    def _held(self, source: Source, plan: Plan, caller: Caller, now: datetime) -> str:
        reference = source.image_ref or ""
        if source.path is not None:
            content = Content.of_bytes(self._folder.read(source.path))
            reference = self._inputs.hold(content, caller.key_id, now, plan.job_id)
        elif plan.kind is not JobKind.BATCH_EXTRACT_UPLOAD:  # of an upload they are held already
            self._inputs.hold_stored(reference, caller, plan.job_id)
            return reference
        if plan.is_kept:
            self._inputs.keep(reference, caller)
        return reference

    def _job(self, plan: Plan, caller: Caller, now: datetime, carrier: Carrier) -> Job:
        options: dict[str, Any] = plan.options.model_dump(
            mode="json", exclude=_NOT_OF_THE_JOB, exclude_none=True
        )
        if plan.truth is not None:
            content = Content.of_bytes(plan.truth.encode())
            truth = self._inputs.hold(content, caller.key_id, now, plan.job_id)
            options[OF_THE_KIND] = {TRUTH_REF: truth}
        return Job(
            plan.job_id,
            plan.kind,
            caller.key_id,
            caller.role,
            now.timestamp(),
            plan.task.id,
            options,
            total=len(plan.sources),
            run_id=plan.run_id,
            concurrency=plan.concurrency,
            callback_url=plan.callback_url,
            persist_inputs=plan.is_kept,
            trace=portable(carrier),
        )
