"""Jobs as their owners see them: submitted, looked at, waited for, canceled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool

from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import not_found
from apps.api_cpu.jobs.backends.base import JobsBackend
from apps.api_cpu.jobs.changes import Changes
from apps.api_cpu.jobs.finishing import Finishing
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.rows import Job, JobItem, NewItem, Status
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.shutdown import shutting_down

# A change made by another process is seen no later than this.
_LOOK_EVERY_S = 0.5


class Holds(Protocol):
    """Inputs that are held for jobs."""

    def holders(self) -> Sequence[str]:
        """Ids of jobs whose holds are older than it takes to submit one."""
        ...

    def release(self, holder: str) -> None:
        """Nothing is held for that job any more."""
        ...


class JobService:
    """Safe to share between requests."""

    def __init__(
        self,
        store: JobStore,
        changes: Changes,
        backend: JobsBackend,
        finishing: Finishing,
        presence: Presence,
        queued_per_key: int,
        require_callback: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._changes = changes
        self._backend = backend
        self._finishing = finishing
        self._presence = presence
        self._queued_per_key = queued_per_key
        self._require_callback = require_callback
        self._clock = clock

    def submit(self, job: Job, items: Sequence[NewItem]) -> Job:
        """Keep a job and its items, then say that there is work; what was kept is run.

        The job's inputs are stored and held under its id before. Raises `too_many_jobs`,
        `validation_error` for a `callback_url` that may not be called, `shutting_down`,
        `storage_unavailable`.
        """
        if self._changes.closed:
            raise shutting_down()
        self.require_callback(job.callback_url)
        self._store.submit(job, items_of(job, items), self._queued_per_key)
        self._backend.ring(len(items))
        return job

    def require_room(self, caller: Caller) -> None:
        """Raise `too_many_jobs` where not one document more of the caller's may wait."""
        self._store.require_room(caller.key_id, self._queued_per_key)

    def require_callback(self, url: str | None) -> None:
        """Raise `validation_error` for a `callback_url` that may not be called.

        For endpoints, before they store anything; it may look a name up.
        """
        if url is not None:
            self._require_callback(url)

    def adopt(self, job: Job, item: JobItem) -> None:
        """Keep a job whose only item is being worked on already. Raises as `submit`."""
        if self._changes.closed:
            raise shutting_down()
        self._store.submit(job, [item], self._queued_per_key)

    def exists(self, job_id: str) -> bool:
        """Whether such a job was ever taken, whoever sees it."""
        return self._store.get(job_id) is not None

    def release_abandoned(self, inputs: Holds) -> int:
        """Let go of what is held for jobs that have ended, or never came to be; how many."""
        holders = inputs.holders()
        gone = 0
        for job_id in holders:
            job = self._store.get(job_id)
            if job is None or job.status.is_final:
                inputs.release(job_id)
                gone += 1
        return gone

    def one(self, job_id: str, caller: Caller) -> Job:
        """A job of the caller's; any for an admin. Raises `not_found`."""
        job = self._store.get(job_id)
        if job is None or not caller.may_see(job.owner_key_id):
            raise not_found()
        return job

    def page(
        self, caller: Caller, statuses: Sequence[Status], before: str | None, limit: int
    ) -> list[Job]:
        """The caller's jobs, newest first; everybody's for an admin."""
        owner = None if caller.may_see("") else caller.key_id
        return self._store.page(owner, statuses, before, limit)

    def cancel(self, job_id: str, caller: Caller) -> Job:
        """Have a job stopped; one that nothing runs of has stopped at once. Raises `not_found`."""
        self.one(job_id, caller)
        job = self._store.request_cancel(job_id, self._clock())
        if job is None:
            raise not_found()
        if job.status.is_final:
            return job
        self._presence.cancel(job_id)
        if job.is_read:
            return self._finishing.finish(job_id) or job
        return job

    async def ended(self, job_id: str, caller: Caller, wait_s: float) -> Job:
        """A job once it has ended, or as it is after so many seconds; holds no thread meanwhile."""
        end = time.monotonic() + wait_s
        job = await run_in_threadpool(self.one, job_id, caller)
        while not job.status.is_final:
            changed = await self.changed(job, end - time.monotonic())
            if changed is None:
                break
            job = changed
        return job

    async def changed(self, job: Job, wait_s: float) -> Job | None:
        """The job after its next change; None when there was none in so many seconds, or when the
        server is stopping. Holds no thread meanwhile.
        """
        end = time.monotonic() + wait_s
        with self._changes.watching(job.job_id) as told:
            while not self._changes.closed and time.monotonic() < end:
                now = await run_in_threadpool(self._store.get, job.job_id)
                if now is not None and now.version != job.version:
                    return now
                left = max(0.0, end - time.monotonic())
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, _LOOK_EVERY_S)):
                        await told.wait()
                told.clear()
        return None

    def forget_old(self, days: int) -> int:
        """Forget some of the jobs that ended longer ago; what they wrote stays."""
        return self._store.forget(self._clock() - days * 86400.0)

    def queue_position(self, job: Job) -> int | None:
        """1 for the job that is next; None once it has begun. Between keys turns are taken, so that
        it is a guess where several wait.
        """
        return self._store.jobs_ahead(job) + 1 if job.status is Status.QUEUED else None

    def eta_s(self, job: Job) -> int | None:
        """Seconds that the items left will take at the pace so far; None where there is none."""
        if job.status is not Status.RUNNING or job.started_at is None or job.done == 0:
            return None
        pace = (self._clock() - job.started_at) / job.done
        return max(0, round(pace * (job.total - job.done - job.canceled)))

    def result(self, job: Job) -> dict[str, Any] | None:
        """What a job that has ended has to show. Raises `storage_unavailable`."""
        return self._finishing.result(job)

    def ended_items(self, job_id: str, after: int, limit: int) -> list[JobItem]:
        """Items in the order in which they ended, after the `after`th."""
        return self._store.ended_items(job_id, after, limit)


def items_of(job: Job, items: Sequence[NewItem]) -> list[JobItem]:
    """The rows of a job's items, numbered from 1."""
    return [
        JobItem(
            job.job_id,
            number,
            job.owner_key_id,
            item.request_id,
            file=item.file,
            input_ref=item.input_ref,
            error=item.error,
        )
        for number, item in enumerate(items, start=1)
    ]
