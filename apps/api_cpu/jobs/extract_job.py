"""A job of one document: how it is accepted, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import store_unavailable
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.service import ExtractionService, Order
from apps.api_cpu.inputs.content import Content
from apps.api_cpu.jobs.finishing import Ended
from apps.api_cpu.jobs.rows import Claim, Job, JobItem, Kind, NewItem, Status
from apps.api_cpu.jobs.runner import BASE64_LENGTH, draft_of
from apps.api_cpu.jobs.traces import SEND, sending
from apps.tracing.tracer import Carrier, portable
from lib.domain.tracing import SpanKind
from lib.errors import Error
from lib.errors import Kind as ErrorKind

_NOT_OF_THE_JOB = {"image_base64", "filename", "request_id", "callback_url"}


class Inputs(Protocol):
    """Keeps documents for as long as a job holds them."""

    def hold(self, content: Content, owner_key_id: str, created_at: datetime, holder: str) -> str:
        """Store a document and hold it; its reference. Raises `storage_unavailable`."""
        ...

    def hold_stored(self, input_ref: str, caller: Caller, holder: str) -> None:
        """Hold what is stored already. Raises `not_found`."""
        ...

    def keep(self, input_ref: str, caller: Caller) -> None:
        """Keep it when the job has ended."""
        ...

    def release(self, holder: str) -> None:
        """A job holds nothing any more."""
        ...


class Submitting(Protocol):
    """Takes jobs."""

    def submit(self, job: Job, items: list[NewItem]) -> Job:
        """See `JobService.submit`."""
        ...


class ExtractJobs:
    """Accepts one document as a job. Safe to share between threads."""

    def __init__(
        self, extractions: ExtractionService, inputs: Inputs, submitting: Submitting
    ) -> None:
        self._extractions = extractions
        self._inputs = inputs
        self._submitting = submitting

    def accept(self, draft: Draft, order: Order, job_id: str) -> Job:
        """The id taken, the document stored and held, the row written: the job will be run.

        Raises `conflict`, `not_found` (of a stored input), `too_many_jobs`, `shutting_down`,
        `storage_unavailable`.
        """
        with draft.context.span.child(SEND, SpanKind.PRODUCER, sending(job_id, 1)) as span:
            self._extractions.accept(draft)
            job, item = self.prepared(draft, order, job_id, span.carrier)
            self.submitted(draft, job, lambda: self._submitting.submit(job, [item]))
        return job

    def submitted(self, draft: Draft, job: Job, submit: Callable[[], object]) -> None:
        """Call `submit`; its document is let go if that fails, its id kept if it works."""
        try:
            submit()
        except Error:
            self._inputs.release(job.job_id)
            raise
        draft.context.job_id = job.job_id
        try:
            self._extractions.hold_id(draft)
        except Error as error:  # the job holds it for as long as the first attempt may take
            logs.warning("an id has a lease only", job_id=job.job_id, code=error.code)

    def prepared(
        self, draft: Draft, order: Order, job_id: str, carrier: Carrier
    ) -> tuple[Job, NewItem]:
        """A job for this request, its document held under the job's id. Raises as `accept`.

        `carrier` is of the trace in which it was sent.
        """
        kept: dict[str, Any] = order.options.model_dump(
            mode="json", exclude=_NOT_OF_THE_JOB, exclude_none=True
        )
        if draft.submission is not None and draft.submission.base64_length is not None:
            kept[BASE64_LENGTH] = draft.submission.base64_length
        job = Job(
            job_id,
            Kind.EXTRACT,
            draft.caller.key_id,
            draft.caller.role,
            draft.created_at.timestamp(),
            order.task.id,
            kept,
            total=1,
            callback_url=order.options.callback_url,
            persist_inputs=order.options.persist_inputs,
            trace=portable(carrier),
        )
        input_ref = self._held(draft, order, job_id)
        return job, NewItem(draft.request_id, order.options.filename, input_ref)

    def _held(self, draft: Draft, order: Order, job_id: str) -> str:
        input_ref = order.options.image_ref or ""
        if order.data is None:
            self._inputs.hold_stored(input_ref, draft.caller, job_id)
            return input_ref
        content = Content.of_bytes(order.data, draft.image_sha256)
        input_ref = self._inputs.hold(content, draft.caller.key_id, draft.created_at, job_id)
        if order.options.persist_inputs:
            self._inputs.keep(input_ref, draft.caller)
        return input_ref


class ExtractFinisher:
    """`Finisher` of a job of one document: its artifact is there already unless it was canceled."""

    def __init__(self, extractions: ExtractionService) -> None:
        self._extractions = extractions

    def finish(self, job: Job, items: Callable[[], Iterable[JobItem]]) -> Ended:
        """See `Finisher.finish`."""
        (item,) = items()
        if item.status is Status.CANCELED:
            return self._canceled(job, item)
        outcome = item.outcome or {}
        error = outcome.get("error")
        status = Status.SUCCEEDED if error is None else Status.FAILED
        return Ended(status, outcome.get("artifact_rel"), error)

    def result(self, job: Job) -> dict[str, Any] | None:
        """The response that a synchronous request would have got; None where there is none left."""
        if job.status is not Status.SUCCEEDED or job.result_rel is None:
            return None
        try:
            return self._extractions.response(job.result_rel)
        except Error as error:
            if error.code != "not_found":
                raise
            return None  # erased or purged since

    def _canceled(self, job: Job, item: JobItem) -> Ended:
        draft = draft_of(Claim(job, item))
        stored = self._extractions.recorded(draft)
        if stored is not None:  # read to its end by a worker that died before it could say so
            if "error" in stored.body:
                return Ended(Status.CANCELED, draft.artifact_rel, stored.body["error"])
            return Ended(Status.CANCELED, draft.artifact_rel)
        rel = self._extractions.fail(draft, canceled()).details.get("artifact_rel")
        if rel is None and not draft.id_is_taken:
            raise store_unavailable()  # it is written before the job ends
        return Ended(Status.CANCELED, rel)


def canceled() -> Error:
    """For the artifact of a document that was not read, since its job was canceled."""
    return Error("canceled", ErrorKind.CONFLICT, "The job was canceled before it was read.")
