"""Bugs that histories of jobs must find: another statement for the database, or a class that errs.

A statement is replaced on its way to the database (SQLAlchemy's `before_cursor_execute`), a class
by a subclass of it: no code of ours is patched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from job_world import Parts
from sqlalchemy import text

from apps.api_cpu.db.engine import writing
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.jobs.finishing import Finishing
from apps.api_cpu.jobs.leases import WorkerLeases
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.rows import Claim, Job
from apps.api_cpu.jobs.runner import Later, Outcome, Runner
from apps.api_cpu.jobs.store import JobStore
from lib.domain.deadline import Deadline
from lib.errors import Error


class AcknowledgesAtOnce(JobStore):
    """A job is canceled when it is asked to be, whatever runs of it."""

    def request_cancel(self, job_id: str, now: float) -> Job | None:
        job = super().request_cancel(job_id, now)
        if job is not None and not job.status.is_final:
            end = text("UPDATE jobs SET status = 'canceled', finished_at = :now WHERE job_id = :id")
            with writing(self._engine) as connection:
                connection.execute(end, {"now": now, "id": job_id})
        return job


class TellsBeforeTheEnd(JobStore):
    """The webhook is queued when the end begins to be written, and again when it is."""

    def claim_end(self, job_id: str, worker_id: str, now: float) -> Job | None:
        job = super().claim_end(job_id, worker_id, now)
        if job is not None and self._outbox is not None:
            with writing(self._engine) as connection:
                self._outbox.job_ended(connection, job)
        return job


class RetriesAtOnce(Runner):
    """No pause between two attempts."""

    def settle(self, claim: Claim, draft: Draft, outcome: Outcome) -> None:
        if isinstance(outcome, Later):
            outcome = replace(outcome, run_after=0.0)
        super().settle(claim, draft, outcome)


class RetriesForEver(Runner):
    """What is away is waited for without end."""

    def outcome_of(self, claim: Claim, draft: Draft, exc: Exception, deadline: Deadline) -> Outcome:
        if isinstance(exc, Error) and exc.retryable and not draft.cancellation.is_set:
            return Later(exc, self._clock() + 2.0)
        return super().outcome_of(claim, draft, exc, deadline)


class IgnoresWhatWasWritten(Runner):
    """A document is read again though its artifact is there."""

    def _recorded(self, draft: Draft) -> None:
        return None


class CountsNoAttempts(WorkerLeases):
    """A document may end any number of workers."""

    def put_back(self, held: Any, now: float) -> int:
        return super().put_back([replace(item, deaths=-1) for item in held], now)


class KeepsItsName(Presence):
    """A worker goes on under a lease that it has lost."""

    def register(self) -> None:
        if not self.worker_id:
            super().register()


class NeverTakesStock(Presence):
    """What could not be recorded is never looked for."""

    def take_stock(self) -> None:
        pass


class LetsGoFirst(Finishing):
    """A job's document is let go when its first end is tried, though others may read it yet."""

    def finish_what_is_read(self) -> None:
        for job_id in self._store.page(None):
            self._inputs.release(job_id.job_id)
        super().finish_what_is_read()


class GivesUpOnEnds(Finishing):
    """An end that could not be written is not written later."""

    def finish_what_is_read(self) -> None:
        pass


def said(pattern: str, instead: str) -> Parts:
    """`pattern` in any statement is replaced."""
    return Parts(statements={pattern: instead})


PLANTED = {
    # Who may write.
    "anybody ends any item": said(
        r"AND job_items\.status = 'running' AND job_items\.worker_id = \? "
        r"AND job_items\.attempts = \?",
        "AND (1 OR ? OR ?)",
    ),
    "an earlier attempt is recorded": said(
        r"AND job_items\.attempts = \?", "AND (1 OR job_items.attempts = ?)"
    ),
    "anybody writes a job's end": said(
        r"jobs\.finished_at IS NULL AND jobs\.finisher = \?", "(1 OR ?)"
    ),
    "two write one end": said(r"jobs\.finisher IS NULL OR", "1 OR"),
    # Leases.
    "living workers are reaped": said(
        r"job_workers\.lease_until < \?\)", "job_workers.lease_until < ? + 15)"
    ),
    "workers that are known dead are not reaped": said(
        r"job_workers\.worker_id IS NULL OR", "0 OR"
    ),
    "a lease that is over is renewed": said(
        r"(SET lease_until=\? WHERE .*) AND job_workers\.lease_until >= \?", r"\1 AND (1 OR ?)"
    ),
    "a worker that lost its lease goes on": Parts(presence=KeepsItsName),
    "what could not be recorded stays running": Parts(presence=NeverTakesStock),
    # Attempts.
    "attempts are not counted": said(r"started_at=\?, attempts=\?", "started_at=?, attempts=0*?"),
    "deaths are not counted": said(r"deaths=\?", "deaths=0*?"),
    "a document may kill for ever": Parts(leases=CountsNoAttempts),
    "a retry does not wait": Parts(runner=RetriesAtOnce),
    "the wait before a retry is not heeded": said(
        r"job_items\.run_after <= \?", "job_items.run_after <= ? + 1000"
    ),
    "retries have no end": Parts(runner=RetriesForEver),
    "what is written is read again": Parts(runner=IgnoresWhatWasWritten),
    # Counts.
    "an end is counted twice": said(r"SET done=\?", "SET done=? + 1"),
    "a canceled item is not counted": said(r"SET canceled=\?", "SET canceled=0*?"),
    "ends have no order": said(r"outcome=\?, ended=\?", "outcome=?, ended=1 + 0*?"),
    "what runs is counted as waiting": said(
        r"^(SELECT \(SELECT count\(\*\) AS \w+ \nFROM job_items \nWHERE \w+\.status =) 'running'",
        r"\1 'queued'",
    ),
    "a position counts all jobs": said(
        r"jobs\.status = \? AND jobs\.job_id < \?", "jobs.status = ? AND (1 OR ?)"
    ),
    # Turns and limits.
    "the owner that sent first is served first": said(r"count\(\*\) AS running", "0 AS running"),
    "a job runs as many items as it likes": said(
        r"jobs\.job_id, jobs\.concurrency, count", "jobs.job_id, NULL, count"
    ),
    "the newest job is served first": said(
        r"ORDER BY jobs\.job_id\n LIMIT \?", "ORDER BY jobs.job_id DESC\n LIMIT ?"
    ),
    "a key may queue what it likes": said(
        r"AS coalesce_1 \nFROM jobs \nWHERE jobs\.finished_at IS NULL AND jobs\.owner_key_id = \?",
        "AS coalesce_1 FROM jobs WHERE 0 AND ?",
    ),
    # Ends.
    "a job ends before its items": said(r"jobs\.done \+ jobs\.canceled >= jobs\.total", "1"),
    "a cancel is acknowledged at once": Parts(store=AcknowledgesAtOnce),
    "a cancel ends what runs": said(
        r"WHERE job_items\.job_id = \? AND job_items\.status = 'queued'$",
        "WHERE job_items.job_id = ? AND job_items.status IN ('queued', 'running')",
    ),
    "an end is told twice": Parts(store=TellsBeforeTheEnd),
    "an end that failed is forgotten": Parts(finishing=GivesUpOnEnds),
    "a document is let go too early": Parts(finishing=LetsGoFirst),
    "jobs that run are forgotten": said(
        r"WHERE jobs\.finished_at < \?", "WHERE coalesce(jobs.finished_at, 0) < ?"
    ),
}
