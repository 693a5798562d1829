"""How many extractions run and wait: threads, and before them a bounded queue fair between keys."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, Generic, TypeVar

from apps.api_cpu.shutdown import shutting_down
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind

T = TypeVar("T")

# Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998:
# who has as many waiting as there are places free gets no more. Alone one has half of the queue,
# and several that are greedy leave room for who comes new.
# Weight of the newest duration in the mean that waits are foreseen from.
_NEWEST = 0.2
_LONGEST_ADVICE_S = 60


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """`running` at once and `waiting` before them; `per_owner` of one owner, both together.

    `shares` keeps room in the queue for other owners; without it one may have all of it.
    """

    running: int
    waiting: int
    per_owner: int | None = None
    shares: bool = True


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

    A thread that is free goes to the owner with the fewest extractions running, of those to the one
    whose turn was longest ago; each owner's are begun in their order. `refused` counts who was sent
    away: since all is full (`overloaded`), or one key has its share (`per_key`).
    """

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.running, thread_name_prefix="extract")
        self._waiting: dict[str, deque[_Place]] = {}
        self._running: Counter[str] = Counter()
        self._jobs = 0
        self._last_turn: dict[str, int] = {}
        self._turn = 0
        self._mean_s = 0.0
        self.refused = Counter({"overloaded": 0, "per_key": 0})
        self._closing = False

    @property
    def slots(self) -> int:
        """How many may run at once."""
        return self._limits.running

    @property
    def running(self) -> int:
        """How many extractions have a thread."""
        return self._running.total()

    @property
    def running_for_requests(self) -> int:
        """How many of them have not become jobs, which are counted where jobs are."""
        return self.running - self._jobs

    @property
    def queued(self) -> int:
        """How many wait for one."""
        return sum(len(places) for places in self._waiting.values())

    def require_room(self, owner: str) -> None:
        """Raise what `admit` would raise now."""
        if self._closing:
            raise shutting_down()
        waiting, running = len(self._waiting.get(owner, ())), self._running[owner]
        most = self._limits.per_owner
        if most is not None and waiting + running >= most:
            raise self._too_many_of_owner(most)
        if self.running < self.slots:
            return
        free = self._limits.waiting - self.queued
        if free <= 0:
            raise self.overloaded()
        if self._limits.shares and waiting >= free:
            raise self._too_many_of_owner(waiting + running)

    def answers_within(self, owner: str, seconds: float) -> bool:
        """Whether an extraction that `owner` brings now can be expected to end in that time.

        Foreseen from the mean duration of the last ones and from whose turn it is before.
        """
        if self.running < self.slots:
            return True
        mine = len(self._waiting.get(owner, ()))
        ahead = sum(
            len(places) if each == owner else min(len(places), mine + 1)
            for each, places in self._waiting.items()
        )
        return self._mean_s * (1 + (ahead + 1) / self.slots) <= seconds

    def admit(self, work: Callable[[], T], deadline: Deadline, owner: str) -> Admitted[T]:
        """Give `work` a place; it is not begun after the deadline.

        Raises `inference_unavailable` when too many wait already, `rate_limited` when too many of
        this owner do, `shutting_down` after `close`.
        """
        self.require_room(owner)
        # A thread of its own would not know whose request it works for.
        within = partial(contextvars.copy_context().run, work)
        place = _Place(owner, within, deadline, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(owner, deque()).append(place)
        self._fill()
        found = weakref.ref(place)
        return Admitted(place.future, partial(self._left, found), partial(self._became_job, found))

    def close(self) -> None:
        """Refuse what has not begun; what runs goes on. May be called from a signal handler."""
        self._closing = True

    def shut_down(self) -> None:
        """Give the threads back; returns at once."""
        self.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fill(self) -> None:
        """Begin what there is a thread for."""
        while self._waiting and self.running < self.slots:
            owner = min(
                self._waiting,
                key=lambda each: (self._running[each], self._last_turn.get(each, 0)),
            )
            place = self._waiting[owner].popleft()
            if not self._waiting[owner]:
                del self._waiting[owner]
            refusal = self._refusal(place)
            if refusal is not None:
                _tell(place, None, refusal)
                continue
            self._begin(place)

    def _begin(self, place: _Place) -> None:
        loop = asyncio.get_running_loop()
        self._turn += 1
        self._last_turn[place.owner] = self._turn
        self._running[place.owner] += 1
        place.began_at = loop.time()
        running = loop.run_in_executor(self._threads, place.work)
        running.add_done_callback(lambda ended: self._ended(place, ended))

    def _refusal(self, place: _Place) -> Error | None:
        if self._closing:
            return shutting_down()
        return timed_out() if place.deadline.passed else None

    def _ended(self, place: _Place, ended: asyncio.Future[Any]) -> None:
        self._running[place.owner] -= 1
        self._jobs -= place.is_job
        if not self._running[place.owner]:
            del self._running[place.owner]
            if place.owner not in self._waiting:
                del self._last_turn[place.owner]
        took = asyncio.get_running_loop().time() - place.began_at
        self._mean_s = took if not self._mean_s else self._mean_s + _NEWEST * (took - self._mean_s)
        if ended.cancelled():
            _tell(place, None, shutting_down())
        else:
            failure = ended.exception()
            _tell(place, None if failure else ended.result(), failure)
        self._fill()

    def _left(self, place_of: weakref.ref[_Place], reason: Error) -> bool:
        place = place_of()
        places = self._waiting.get(place.owner, ()) if place is not None else ()
        if place is None or place not in places:
            return False
        self._waiting[place.owner].remove(place)
        if not self._waiting[place.owner]:
            del self._waiting[place.owner]
        _tell(place, None, reason)
        return True

    def _became_job(self, place_of: weakref.ref[_Place]) -> None:
        place = place_of()
        if place is not None and not place.future.done() and not place.is_job:
            place.is_job = True
            self._jobs += 1

    def _advice_s(self) -> int:
        """Seconds in which what waits now will be read, as a mean."""
        return max(1, min(_LONGEST_ADVICE_S, ceil(self._mean_s * (self.queued + 1) / self.slots)))

    def overloaded(self) -> Error:
        """503: who comes now would wait too long."""
        self.refused["overloaded"] += 1
        return Error(
            "inference_unavailable",
            Kind.UNAVAILABLE,
            "Too many extractions are waiting.",
            {"reason": "overloaded", "retry_after_s": self._advice_s()},
            retryable=True,
        )

    def _too_many_of_owner(self, limit: int) -> Error:
        self.refused["per_key"] += 1
        return Error(
            "rate_limited",
            Kind.RATE_LIMITED,
            "Too many extractions of this API key are running and waiting.",
            {"limit": limit, "retry_after_s": self._advice_s()},
            retryable=True,
        )


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
