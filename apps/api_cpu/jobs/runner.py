"""One item of a job from its claim to its end: the only thing that a backend calls."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic import ValidationError

from apps.api_cpu import logs
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import error_of, invalid
from apps.api_cpu.extractions.body import Submission
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.item import item_of
from apps.api_cpu.extractions.schemas import ExtractRequest
from apps.api_cpu.extractions.service import ExtractionService, Order
from apps.api_cpu.jobs.finishing import Finishing, JobObserver
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.rows import Claim, Job, Status
from apps.api_cpu.jobs.rows import Kind as JobKind
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.jobs.traces import PROCESS, is_linked, processing
from apps.api_cpu.request_context import RequestContext
from apps.api_cpu.wire import timestamp
from apps.tracing.tracer import NoTracer, Tracer
from lib.domain.deadline import Deadline
from lib.domain.task import Task
from lib.domain.tracing import SpanKind
from lib.errors import Error, Kind

OF_THE_KIND = "of_the_kind"
"""Key of a job's options for what only the finisher of its kind reads."""

BASE64_LENGTH = "image_base64_len"
"""Key of a job's options that is no option: the length of the base64 that the document came as."""

# Somebody who is away may come back; a document stays as it is.
_AWAY = frozenset({Kind.UNAVAILABLE, Kind.TIMEOUT})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0


class InputReading(Protocol):
    """Where the documents of jobs are."""

    def read(self, input_ref: str, caller: Caller) -> bytes:
        """The document. Raises `not_found`, `storage_unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class RunnerLimits:
    """`deadline_s` for reading one document; `retry_for_s` from its first start, while what it
    needs is away.
    """

    deadline_s: float
    retry_for_s: float


@dataclass(frozen=True, slots=True)
class Later:
    """The item is worth another attempt at that moment, in Unix seconds."""

    error: Error
    run_after: float


class Stopped:
    """The work was told to stop, and has."""


STOPPED = Stopped()
Outcome = Mapping[str, Any] | Error | Later | Stopped
"""What came of an attempt: a response, a failure that is final, or neither."""


class Runner:
    """Runs items, one at a time in each thread that asks it to. Safe to share between them."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it works with, given once)
        self,
        store: JobStore,
        presence: Presence,
        extractions: ExtractionService,
        inputs: InputReading,
        finishing: Finishing,
        tasks: Mapping[str, Task],
        limits: RunnerLimits,
        clock: Callable[[], float] = time.time,
        tracer: Tracer | None = None,
        observer: JobObserver | None = None,
    ) -> None:
        self._store = store
        self._presence = presence
        self._extractions = extractions
        self._inputs = inputs
        self._finishing = finishing
        self._tasks = tasks
        self._limits = limits
        self._clock = clock
        self._tracer = tracer or NoTracer()
        self._observer = observer

    def run_next(self, taken: Callable[[], None] = lambda: None) -> bool:
        """Take an item and bring it to an end, and its job with it if it was the last one.

        False when there is none to take. `taken` is called once the item is ours. Raises
        `storage_unavailable` for the database.
        """
        claim = self._store.claim(self._presence.worker_id, self._clock())
        if claim is None:
            return False
        taken()
        draft = draft_of(claim)
        with self._presence.holding(claim, draft.cancellation), self._traced(claim, draft):
            self.settle(claim, draft, self._read(claim, draft))
        return True

    @contextmanager
    def _traced(self, claim: Claim, draft: Draft) -> Iterator[None]:
        carrier = claim.job.trace or {}
        attributes, linked = processing(claim), is_linked(claim)
        with (
            self._tracer.span(
                PROCESS, SpanKind.CONSUMER, carrier, attributes, linked=linked
            ) as span,
            logs.within(draft.context),
        ):
            draft.context.span = span
            yield

    def interrupt(self) -> None:
        """Stop what runs: it is handed back, and does not count as tried."""
        self._presence.interrupt()

    def hand_back(self) -> None:
        """Put back what has not stopped; its result will be thrown away."""
        self._presence.hand_back()

    def settle(self, claim: Claim, draft: Draft, outcome: Outcome) -> None:
        """Record an attempt's outcome, unless the item is somebody else's by now."""
        now = self._clock()
        _say(claim, draft, outcome)
        job: Job | None
        if isinstance(outcome, Stopped):
            # Canceled if its job is to be, else left to the next worker.
            job = self._store.put_back(claim, now)
        elif isinstance(outcome, Later):
            vain = _vain(draft, outcome.error)
            job = self._store.put_back(claim, now, run_after=outcome.run_after, vain=vain)
            if job is not None and self._observer is not None:
                self._observer.item_retried(outcome.error.code)
        else:
            item = item_of(claim.item.file or "", draft, outcome)
            status = Status.SUCCEEDED if item["ok"] else Status.FAILED
            if claim.job.kind is JobKind.EXTRACT:
                del item["result"]  # its artifact has it, and is where it can be erased
            job = self._store.end(
                claim,
                status,
                item,
                now,
                needs_review=item["needs_review"],
                finisher=claim.item.worker_id,
            )
        if job is not None and job.is_read:
            if job.finisher is not None and job.finisher == claim.item.worker_id:
                self._finishing.finish_own(job)
            else:
                self._finishing.finish(job.job_id)

    def outcome_of(self, claim: Claim, draft: Draft, exc: Exception, deadline: Deadline) -> Outcome:
        """What a failed attempt comes to; where that is a failure its artifact is written."""
        if draft.cancellation.is_set:
            return STOPPED
        if isinstance(exc, Error):
            if exc.code == "shutting_down":
                return STOPPED
            later = self._later(claim, exc)
            if later is not None and not deadline.passed:
                return later
        error = self._extractions.fail(draft, exc)
        if draft.id_is_taken or "artifact_rel" in error.details:
            return error
        unwritten = Error(
            "storage_unavailable", Kind.UNAVAILABLE, "The failure was not kept.", retryable=True
        )
        try:
            recorded = self._recorded(draft)
        except Error:  # a store that does not say what it has is no death of this worker
            recorded = None
        return recorded or self._later(claim, unwritten) or error

    def _read(self, claim: Claim, draft: Draft) -> Outcome:
        deadline = Deadline.after(self._limits.deadline_s)
        try:
            recorded = self._recorded(draft) if claim.item.attempts > 1 else None
            if recorded is not None:
                return recorded
            order = self._order(claim, draft)
            return self._extractions.extract(draft, order, deadline)
        except Exception as exc:  # noqa: BLE001 - as at the endpoint: whatever it is, it is kept
            return self.outcome_of(claim, draft, exc, deadline)

    def _recorded(self, draft: Draft) -> Mapping[str, Any] | Error | None:
        """What an earlier attempt wrote down and could not report any more."""
        stored = self._extractions.recorded(draft)
        if stored is None:
            return None
        return error_of(stored.body["error"]) if "error" in stored.body else stored.body

    def _order(self, claim: Claim, draft: Draft) -> Order:
        if claim.item.error is not None:
            raise error_of(claim.item.error)
        if draft.submission is None:
            raise invalid("", "the job has options that this worker does not know")
        task = draft.task = self._tasks.get(claim.job.task_id)
        if task is None:
            raise invalid("task_id", "there is no such task; `GET /v1/tasks` lists them")
        data = self._inputs.read(claim.item.input_ref or "", claim.job.owner)
        draft.note_document(data)
        return Order(task, draft.submission.options, data)

    def _later(self, claim: Claim, error: Error) -> Later | None:
        """When to try again; None when that is of no use, or has been tried for long enough."""
        now = self._clock()
        since = now if claim.item.started_at is None else claim.item.started_at
        if not (error.retryable and error.kind in _AWAY):
            return None
        if now - since >= self._limits.retry_for_s:
            return None
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** len(claim.item.history))
        return Later(error, now + pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def draft_of(claim: Claim) -> Draft:
    """The draft of an item: id, artifact key and time are those of its acceptance.

    Without a submission where this version does not know the job's options: another one may have
    accepted it.
    """
    job, item = claim.job, claim.item
    others = {BASE64_LENGTH, OF_THE_KIND}
    options = {name: value for name, value in job.options.items() if name not in others}
    submission: Submission | None = None
    with suppress(ValidationError):
        request = ExtractRequest.model_validate(options | {"filename": item.file})
        submission = Submission(request, None, job.options.get(BASE64_LENGTH))
    return Draft(
        RequestContext(item.request_id, job.owner_key_id, job.job_id),
        job.owner,
        created_at=datetime.fromtimestamp(job.created_at, UTC),
        accepted=True,
        attempt=item.attempts,
        vain=item.history,
        submission=submission,
        input_ref=item.input_ref if job.persist_inputs else None,
    )


def _vain(draft: Draft, error: Error) -> dict[str, Any]:
    """An attempt as an artifact lists it."""
    started = draft.attempt_started_at
    return {
        "number": draft.attempt,
        "started_at": None if started is None else timestamp(started),
        "error": error.code,
    }


def _say(claim: Claim, draft: Draft, outcome: Outcome) -> None:
    """One line of the log for an attempt, and its outcome in the trace."""
    code: str | None = None
    if isinstance(outcome, Stopped):
        word = "stopped"
    elif isinstance(outcome, Later):
        word, code = "later", outcome.error.code
    elif isinstance(outcome, Error):
        word, code = "failed", outcome.code
    else:
        word = "succeeded"
    draft.context.span.note({"ocr.item.outcome": word})
    if code is not None:
        draft.context.span.fail(code)
    logs.info(
        "item",
        number=claim.item.number,
        attempt=claim.item.attempts,
        outcome=word,
        code=code,
        ms=draft.timings_ms()["total"],
    )
