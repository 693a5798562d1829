"""Requests that became jobs: read later from the start, or while they are being read already."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.promise import Came, MovableWork, Promise
from apps.api_cpu.extractions.service import Order
from apps.api_cpu.jobs.extract_job import ExtractJobs
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.rows import Claim, Job, Stage, Status
from apps.api_cpu.jobs.runner import Runner
from apps.api_cpu.jobs.schemas import accepted, poll_url
from apps.api_cpu.jobs.service import JobService, items_of
from apps.api_cpu.request_context import new_request_id
from lib.domain.deadline import Deadline
from lib.errors import Error


class JobPromises:
    """`Promises` that are jobs. Safe to share between requests."""

    def __init__(
        self,
        extract_jobs: ExtractJobs,
        service: JobService,
        runner: Runner,
        presence: Presence,
        deadline_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._extract_jobs = extract_jobs
        self._service = service
        self._runner = runner
        self._presence = presence
        self._deadline_s = deadline_s
        self._clock = clock

    def deadline(self) -> Deadline:
        """See `Promises.deadline`."""
        return Deadline.after(self._deadline_s)

    def require_callback(self, url: str | None) -> None:
        """See `Promises.require_callback`."""
        self._service.require_callback(url)

    def accept(self, draft: Draft, order: Order) -> Promise:
        """See `Promises.accept`."""
        return _promise(self._extract_jobs.accept(draft, order, new_request_id()))

    def adopt(self, work: MovableWork) -> Promise:
        """See `Promises.adopt`. The job is this process's from the beginning: if it dies, another
        one reads the document again, and finds the artifact if it was written.
        """
        draft = work.draft
        if work.withdraw():
            return self.accept(draft, work.order)
        try:
            claim = self._adopted(draft, work.order)
        except Error:
            draft.cancellation.set()  # the caller is told that it failed
            raise
        came = work.leave_to(lambda outcome: self._settle(claim, work, outcome))
        if came is not None:
            self._settle(claim, work, came)
        return _promise(claim.job)

    def _adopted(self, draft: Draft, order: Order) -> Claim:
        """The job of what is being read, kept and held. Raises as `ExtractJobs.accept`."""
        carrier = draft.context.span.carrier
        job, item = self._extract_jobs.prepared(draft, order, new_request_id(), carrier)
        now = self._clock()
        job = replace(
            job, status=Status.RUNNING, started_at=now, attempts=1, stage=Stage.EXTRACTING,
            current=item.file,
        )  # fmt: skip
        (row,) = items_of(job, [item])
        row = replace(
            row, status=Status.RUNNING, attempts=1, started_at=now,
            worker_id=self._presence.worker_id,
        )  # fmt: skip
        claim = Claim(job, row)
        self._presence.hold(claim, draft.cancellation)
        try:
            self._extract_jobs.submitted(draft, job, lambda: self._service.adopt(job, row))
        except Error:
            self._presence.drop(claim)
            raise
        return claim

    def _settle(self, claim: Claim, work: MovableWork, came: Came) -> None:
        draft = work.draft
        draft.accepted = True
        try:
            if isinstance(came, Exception):
                outcome = self._runner.outcome_of(claim, draft, came, work.deadline)
                self._runner.settle(claim, draft, outcome)
            else:
                self._runner.settle(claim, draft, came)
        finally:
            self._presence.drop(claim)


def _promise(job: Job) -> Promise:
    return Promise(accepted(job), poll_url(job))
