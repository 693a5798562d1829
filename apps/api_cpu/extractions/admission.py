"""How many extractions run and wait: a bounded queue before a bounded number of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from apps.api_cpu.shutdown import shutting_down
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind

T = TypeVar("T")

# Stations notice a passed deadline themselves and say more about it; this is for when they do not.
_GRACE_S = 1.0


class Admitted(Generic[T]):
    """Work that has a place, and has perhaps begun."""

    def __init__(self, future: asyncio.Future[T]) -> None:
        self._future: asyncio.Future[T] | None = future

    async def ends_within(self, seconds: float) -> bool:
        """Wait for its end, at most so long; whether it has ended."""
        if self._future is None:
            return True
        await asyncio.wait({self._future}, timeout=seconds)
        return self._future.done()

    def result(self) -> T:
        """What it returned, once; raises what it raised."""
        if self._future is None:
            raise RuntimeError("a result is taken once")
        future, self._future = self._future, None
        try:
            return future.result()
        finally:
            del future  # else a failure holds itself and its document, see `Shutdown.unless_cut`


class Admission:
    """Runs blocking work off the event loop. All methods but `work` belong to the event loop."""

    def __init__(self, running: int, waiting: int) -> None:
        self._limit = running + waiting
        self._threads = ThreadPoolExecutor(running, thread_name_prefix="extract")
        self._slots = running
        self._admitted = 0
        self._closing = False

    @property
    def slots(self) -> int:
        """How many may run at once."""
        return self._slots

    @property
    def running(self) -> int:
        """How many extractions have a thread."""
        return min(self._admitted, self._slots)

    @property
    def queued(self) -> int:
        """How many wait for one."""
        return self._admitted - self.running

    async def run(self, work: Callable[[], T], deadline: Deadline) -> T:
        """The result of `work()`.

        Raises what it raises and what `admit` does; `inference_timeout` when the deadline passes.
        Work that has begun then goes on, unobserved, and keeps its thread until it ends.
        """
        admitted = self.admit(work, deadline)
        if not await admitted.ends_within(deadline.remaining() + _GRACE_S):
            raise timed_out()
        return admitted.result()

    def admit(self, work: Callable[[], T], deadline: Deadline) -> Admitted[T]:
        """Give `work` a place; it is not begun after the deadline.

        Raises `inference_unavailable` when too many wait already, `shutting_down` after `close`.
        """
        if self._closing:
            raise shutting_down()
        if self._admitted >= self._limit:
            raise Error(
                "inference_unavailable",
                Kind.UNAVAILABLE,
                "Too many extractions are waiting.",
                {"retry_after_s": 5},
                retryable=True,
            )
        self._admitted += 1
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, self._begin, work, deadline)
        future.add_done_callback(self._left)
        return Admitted(future)

    def close(self) -> None:
        """Refuse what has not begun; what runs goes on. May be called from a signal handler."""
        self._closing = True

    def shut_down(self) -> None:
        """Give the threads back; returns at once."""
        self.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, work: Callable[[], T], deadline: Deadline) -> T:
        if self._closing:
            raise shutting_down()
        if deadline.passed:
            raise timed_out()
        return work()

    def _left(self, future: asyncio.Future[T]) -> None:
        self._admitted -= 1
        if not future.cancelled():
            future.exception()


def timed_out() -> Error:
    """504: the caller's patience is over."""
    return Error(
        "inference_timeout",
        Kind.TIMEOUT,
        "Reading the document took too long.",
        retryable=True,
    )
