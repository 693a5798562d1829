"""The end of a job, once all of its items have ended: what each kind does then, and the state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from apps.api_cpu import logs
from apps.api_cpu.errors import envelope, internal_error
from apps.api_cpu.jobs.rows import Job, JobItem, Json, Kind, Status
from apps.api_cpu.jobs.store import JobStore
from lib.errors import Error

_TRY_AGAIN_AFTER_S = 5.0
# A fault of ours does not go away by trying for ever.
_GIVE_UP_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job has ended: its final state, where its result is, and its error."""

    status: Status
    result_rel: str | None = None
    error: Json | None = None


class Finisher(Protocol):
    """What is done for jobs of one kind when their items have ended."""

    def finish(self, job: Job, items: Callable[[], Iterable[JobItem]]) -> Ended:
        """Write what a job leaves behind. Everything that it does is safe to repeat.

        `items` reads them from the table, in their order. Raises `storage_unavailable`: it is
        called again then.
        """
        ...

    def result(self, job: Job) -> dict[str, Any] | None:
        """What `GET /v1/jobs/{job_id}` shows as the result of a job that has ended.

        Raises `storage_unavailable`.
        """
        ...


class JobObserver(Protocol):
    """Is told what becomes of jobs, after it was recorded."""

    def job_ended(self, job: Job) -> None:
        """A job is in its final state; each job is told of once."""
        ...

    def item_retried(self, code: str) -> None:
        """An item was put back for later, for that error."""
        ...


class Releasing(Protocol):
    """Lets go of the inputs that were held for a job."""

    def release(self, holder: str) -> None:
        """Nothing holds them on the job's account any more."""
        ...


class Finishing:
    """Ends jobs. Safe to share between threads; of several that try, one ends a job."""

    def __init__(
        self,
        store: JobStore,
        finishers: Mapping[Kind, Finisher],
        inputs: Releasing,
        worker_id: Callable[[], str],
        clock: Callable[[], float] = time.time,
        observer: JobObserver | None = None,
    ) -> None:
        self._store = store
        self._finishers = finishers
        self._inputs = inputs
        self._worker_id = worker_id
        self._clock = clock
        self._observer = observer
        self._lock = threading.Lock()
        self._ending: set[str] = set()

    def finish(self, job_id: str) -> Job | None:
        """The job in its final state; None when it is not read yet or another one ends it.

        In this order: the kind's own end, inputs released, state (and with it the webhook). A death
        between two of them repeats the ones before.
        """
        with self._alone(job_id) as alone:
            job = None
            if alone:
                job = self._store.claim_end(job_id, self._worker_id(), self._clock())
            return None if job is None else self._write_end(job)

    def finish_own(self, job: Job) -> Job | None:
        """`finish` for a job whose `finisher` this process is since its last item ended."""
        with self._alone(job.job_id) as alone:
            return self._write_end(job) if alone else None

    def _write_end(self, job: Job) -> Job | None:
        job_id, worker_id = job.job_id, job.finisher or ""
        try:
            ended = self._ended(job)
            self._inputs.release(job_id)
        except Error as error:
            logs.warning("a job's end was not written", job_id=job_id, code=error.code)
            self._store.postpone_end(job_id, worker_id, self._clock() + _TRY_AGAIN_AFTER_S)
            return None
        after = self._store.finish(
            job_id,
            worker_id,
            ended.status,
            self._clock(),
            result_rel=ended.result_rel,
            error=ended.error,
        )
        if after is not None and self._observer is not None:
            self._observer.job_ended(after)
        return after

    @contextmanager
    def _alone(self, job_id: str) -> Iterator[bool]:
        """Whether no other thread of this process is writing that job's end."""
        with self._lock:
            alone = job_id not in self._ending
            if alone:
                self._ending.add(job_id)
        try:
            yield alone
        finally:
            if alone:
                with self._lock:
                    self._ending.discard(job_id)

    def finish_what_is_read(self) -> None:
        """End the jobs that nobody ends: their finisher died, or their end was put off, or this
        process could not record it.
        """
        for job_id in self._store.to_finish(self._clock(), self._worker_id()):
            self.finish(job_id)

    def result(self, job: Job) -> dict[str, Any] | None:
        """What a job has to show; None before its end."""
        if not job.status.is_final:
            return None
        return self._finishers[job.kind].result(job)

    def _ended(self, job: Job) -> Ended:
        try:
            return self._finishers[job.kind].finish(job, lambda: self._store.items(job.job_id))
        except Error as error:
            if error.retryable and self._clock() < job.created_at + _GIVE_UP_AFTER_S:
                raise
            failure = error
        except Exception as exc:  # noqa: BLE001 - as in a worker's loop: the job must still end
            logs.unexpected(exc, job_id=job.job_id)
            failure = internal_error()
        return Ended(Status.FAILED, error=envelope(failure, job.job_id)["error"])
