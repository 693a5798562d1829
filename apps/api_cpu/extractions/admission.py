"""How many extractions run and wait: threads, and before them a bounded queue fair between keys."""

from __future__ import annotations

import asyncio
import contextvars
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from apps.api_cpu.extractions.turns import AdmissionLimits, Refused, Turns
from apps.api_cpu.shutdown import shutting_down
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind

T = TypeVar("T")


class Admitted(Generic[T]):
    """Work that has a place, and has perhaps begun."""

    def __init__(
        self,
        future: asyncio.Future[T],
        leave: Callable[[Error], bool],
        become_job: Callable[[], None],
    ) -> None:
        self._future: asyncio.Future[T] | None = future
        self._leave = leave
        self._become_job = become_job

    async def ends_within(self, seconds: float) -> bool:
        """Wait for its end, at most so long; whether it has ended."""
        if self._future is None:
            return True
        await asyncio.wait({self._future}, timeout=seconds)
        return self._future.done()

    def leave(self, reason: Error) -> bool:
        """Give its place in the queue to others: it has ended, with `reason`. False when it was
        begun, and goes on.
        """
        return self._leave(reason)

    def become_job(self) -> None:
        """A job goes on with it: it leaves the queue, or keeps its thread and is counted there."""
        if not self._leave(timed_out()):
            self._become_job()

    def result(self) -> T:
        """What it returned, once; raises what it raised."""
        if self._future is None:
            raise RuntimeError("a result is taken once")
        future, self._future = self._future, None
        try:
            return future.result()
        finally:
            del future  # else a failure holds itself and its document, see `Shutdown.unless_cut`


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Place:
    """One extraction in the queue or on a thread."""

    owner: str
    work: Callable[[], Any]
    deadline: Deadline
    future: asyncio.Future[Any]
    began_at: float = 0.0
    is_job: bool = False


class Admission:
    """Runs blocking work off the event loop, to which all methods belong.

    Who may wait and whose turn is next is `Turns`' to say. `clock` is in seconds.
    """

    def __init__(
        self, limits: AdmissionLimits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slots = limits.running
        # One thread each, the one that ended last first: what it works with is still in the
        # processor's caches. Of threads that wait on one queue, a task wakes two.
        self._idle = [
            ThreadPoolExecutor(1, thread_name_prefix=f"extract_{number}")
            for number in range(limits.running)
        ]
        self._threads = tuple(self._idle)
        self._turns = Turns[_Place](limits)
        self._clock = clock
        self._jobs = 0
        self._closing = False

    @property
    def slots(self) -> int:
        """How many may run at once."""
        return self._slots

    @property
    def running(self) -> int:
        """How many extractions have a thread."""
        return self._turns.running

    @property
    def running_for_requests(self) -> int:
        """How many of them have not become jobs, which are counted where jobs are."""
        return self.running - self._jobs

    @property
    def queued(self) -> int:
        """How many wait for one."""
        return self._turns.waiting

    @property
    def refused(self) -> Counter[str]:
        """How many were sent away, by the reason: see `Turns`."""
        return self._turns.refused

    @contextmanager
    def arriving(self, owner: str) -> Iterator[None]:
        """Count one whose body is still to come. Who is let in here is not refused for how long it
        will wait, only where all places are taken meanwhile.

        Raises `inference_unavailable` where too many wait or it would wait too long,
        `rate_limited` for too many of this owner, `shutting_down` after `close`.
        """
        if self._closing:
            raise shutting_down()
        self._turns.come(owner, self._clock())
        try:
            yield
        finally:
            self._turns.came(owner)

    def require_room(self, owner: str) -> None:
        """Raise what `admit` would raise now."""
        if self._closing:
            raise shutting_down()
        self._turns.require_room(owner, self._clock())

    def answers_within(self, owner: str, seconds: float) -> bool:
        """Whether an extraction that `owner` brings now can be expected to end in that time."""
        return self._turns.answered_s(owner) <= seconds

    def admit(self, work: Callable[[], T], deadline: Deadline, owner: str) -> Admitted[T]:
        """Give `work` a place; it is not begun after the deadline.

        Raises `inference_unavailable` when too many wait already, `rate_limited` when too many of
        this owner do, `shutting_down` after `close`.
        """
        self.require_room(owner)
        # A thread of its own would not know whose request it works for.
        within = partial(contextvars.copy_context().run, work)
        place = _Place(owner, within, deadline, asyncio.get_running_loop().create_future())
        self._turns.wait(place, self._clock())
        self._fill()
        found = weakref.ref(place)
        return Admitted(place.future, partial(self._left, found), partial(self._became_job, found))

    def overloaded(self, owner: str) -> Refused:
        """503: who comes now would wait too long."""
        return self._turns.overloaded(owner, self._clock())

    def close(self) -> None:
        """Refuse what has not begun; what runs goes on. May be called from a signal handler."""
        self._closing = True

    def shut_down(self) -> None:
        """Give the threads back; returns at once."""
        self.close()
        for thread in self._threads:
            thread.shutdown(wait=False, cancel_futures=True)

    def _fill(self) -> None:
        """Begin what there is a thread for."""
        while (place := self._turns.next(self._clock())) is not None:
            refusal = self._refusal(place)
            if refusal is None:
                self._begin(place)
            else:
                self._turns.ended(place.owner, None)
                _tell(place, None, refusal)

    def _begin(self, place: _Place) -> None:
        place.began_at = self._clock()
        thread = self._idle.pop()
        ended = partial(self._tell_loop, asyncio.get_running_loop(), thread, place)
        thread.submit(place.work).add_done_callback(ended)

    def _tell_loop(
        self,
        loop: asyncio.AbstractEventLoop,
        thread: ThreadPoolExecutor,
        place: _Place,
        ended: Future[Any],
    ) -> None:
        """Tell the loop, from the thread that worked."""
        with suppress(RuntimeError):  # the server has stopped, and nobody waits any more
            loop.call_soon_threadsafe(self._ended, thread, place, ended)

    def _refusal(self, place: _Place) -> Error | None:
        if self._closing:
            return shutting_down()
        return timed_out() if place.deadline.passed else None

    def _ended(self, thread: ThreadPoolExecutor, place: _Place, ended: Future[Any]) -> None:
        self._idle.append(thread)
        self._turns.ended(place.owner, self._clock() - place.began_at)
        self._jobs -= place.is_job
        if ended.cancelled():
            _tell(place, None, shutting_down())
        else:
            failure = ended.exception()
            _tell(place, None if failure else ended.result(), failure)
        self._fill()

    def _left(self, place_of: weakref.ref[_Place], reason: Error) -> bool:
        place = place_of()
        if place is None or not self._turns.leave(place, self._clock()):
            return False
        _tell(place, None, reason)
        return True

    def _became_job(self, place_of: weakref.ref[_Place]) -> None:
        place = place_of()
        if place is not None and not place.future.done() and not place.is_job:
            place.is_job = True
            self._jobs += 1


def _tell(place: _Place, result: Any, failure: BaseException | None) -> None:
    if place.future.done():
        return
    if failure is None:
        place.future.set_result(result)
    else:
        place.future.set_exception(failure)
        place.future.exception()  # who asked may have gone


def timed_out() -> Error:
    """504: the caller's patience is over."""
    return Error(
        "inference_timeout",
        Kind.TIMEOUT,
        "Reading the document took too long.",
        retryable=True,
    )
