"""Who gets a thread and who a place in the queue, by counts and order; nothing here is timed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from apps.api_cpu.extractions.admission import Admission, Admitted
from apps.api_cpu.extractions.turns import AdmissionLimits
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind

LATER = Deadline.after(3600)
_LEFT = Error("inference_timeout", Kind.TIMEOUT, "Gone.")


class Bench:
    """An admission whose work waits to be let go, and the order in which it was begun."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self.admission = Admission(limits)
        self.begun: list[str] = []
        self._started = threading.Semaphore(0)
        self._gates: dict[str, threading.Event] = {}

    def bring(self, name: str) -> Admitted[str]:
        """Work of the owner that the name begins with."""
        self._gates[name] = threading.Event()
        return self.admission.admit(partial(self._work, name), LATER, name[0])

    async def begins(self, count: int = 1) -> None:
        """Wait until so much more has begun."""
        for _ in range(count):
            assert await asyncio.to_thread(self._started.acquire, timeout=30)

    def let_go(self, *names: str) -> None:
        """Let these end."""
        for name in names:
            self._gates[name].set()

    def end(self) -> None:
        """Let all of it end."""
        self.admission.shut_down()
        self.let_go(*self._gates)

    def _work(self, name: str) -> str:
        gate = self._gates[name]
        self.begun.append(name)
        self._started.release()
        assert gate.wait(30)
        return name


def bench(run: Callable[[Bench], Awaitable[None]], limits: AdmissionLimits) -> None:
    async def running() -> None:
        place = Bench(limits)
        try:
            await run(place)
        finally:
            place.end()

    asyncio.run(running())


def refusal(place: Bench, name: str) -> Error:
    with pytest.raises(Error) as refused:
        place.bring(name)
    return refused.value


def test_threads_are_given_in_turns_and_each_owners_work_in_its_order() -> None:
    async def run(place: Bench) -> None:
        for name in ("a0", "a1", "a2", "a3", "b0", "b1", "c0"):
            place.bring(name)
        await place.begins()
        for _ in range(6):
            place.let_go(place.begun[-1])
            await place.begins()
        assert place.begun == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]

    bench(run, AdmissionLimits(1, 10, shares=False))


def test_who_has_less_running_comes_first() -> None:
    async def run(place: Bench) -> None:
        for name in ("a0", "a1", "b0", "a2", "a3", "b1"):
            place.bring(name)
        await place.begins(3)
        place.let_go("a0")
        await place.begins()
        assert place.begun[3] == "a2", "both have one running, and b had the last turn"
        place.let_go("a1")
        await place.begins()
        assert place.begun[4] == "b1", "both have one running, and a had the last turn"
        place.let_go("a2")
        await place.begins()
        assert place.begun[5] == "a3", "b has two running, a none"

    bench(run, AdmissionLimits(3, 10, shares=False))


def test_a_full_queue_is_503_and_says_when_to_come_again() -> None:
    async def run(place: Bench) -> None:
        for number in range(3):
            place.bring(f"a{number}")
        error = refusal(place, "b0")
        assert (error.code, error.kind) == ("inference_unavailable", Kind.UNAVAILABLE)
        assert error.details["reason"] == "overloaded"
        assert 1 <= error.details["retry_after_s"] <= 60
        assert place.admission.queued == 2

    bench(run, AdmissionLimits(1, 2, shares=False))


@pytest.mark.parametrize("greedy", [1, 2, 5])
def test_however_many_are_greedy_there_is_room_for_who_comes_new(greedy: int) -> None:
    async def run(place: Bench) -> None:
        await asyncio.sleep(0)
        for owner in "abcdefgh"[:greedy]:
            for number in range(100):
                try:
                    place.bring(f"{owner}{number}")
                except Error as error:
                    assert error.code == "rate_limited"
                    assert error.details["retry_after_s"] >= 1
                    break
            else:
                raise AssertionError("one owner filled the queue")
        place.bring("z0")
        await place.begins()
        for _ in range(greedy):
            place.let_go(place.begun[-1])
            await place.begins()
        assert "z0" in place.begun, "one turn of each at most is before it"

    bench(run, AdmissionLimits(1, 32))


def test_alone_an_owner_has_half_of_a_shared_queue() -> None:
    async def run(place: Bench) -> None:
        for number in range(1 + 16):
            place.bring(f"a{number}")
        assert refusal(place, "a17").kind is Kind.RATE_LIMITED
        assert place.admission.queued == 16

    bench(run, AdmissionLimits(1, 32))


def test_an_owner_has_so_many_places_running_ones_included() -> None:
    async def run(place: Bench) -> None:
        place.bring("a0")
        place.bring("a1")
        error = refusal(place, "a2")
        assert error.code == "rate_limited"
        assert error.details["limit"] == 2
        place.bring("b0")
        await place.begins(3)

    bench(run, AdmissionLimits(4, 10, per_owner=2))


def test_who_leaves_the_queue_makes_room_and_is_never_begun() -> None:
    async def run(place: Bench) -> None:
        first = place.bring("a0")
        waiting = place.bring("a1")
        assert refusal(place, "b0").kind is Kind.UNAVAILABLE
        await place.begins()
        assert not first.leave(_LEFT), "it was begun"
        assert waiting.leave(_LEFT)
        assert not waiting.leave(_LEFT), "it has left"
        assert await waiting.ends_within(30)
        with pytest.raises(Error) as told:
            waiting.result()
        assert told.value is _LEFT
        place.bring("b0")
        place.let_go("a0")
        await place.begins()
        assert place.begun == ["a0", "b0"]

    bench(run, AdmissionLimits(1, 1, shares=False))


def test_what_waited_past_its_deadline_is_not_begun() -> None:
    async def run(place: Bench) -> None:
        now = [0.0]
        place.bring("a0")
        late = place.admission.admit(
            lambda: place.begun.append("late"), Deadline.after(5, lambda: now[0]), "a"
        )
        await place.begins()
        now[0] = 6.0
        place.let_go("a0")
        assert await late.ends_within(30)
        with pytest.raises(Error) as told:
            late.result()
        assert told.value.code == "inference_timeout"
        assert place.begun == ["a0"]

    bench(run, AdmissionLimits(1, 5))


def test_a_wait_is_foreseen_from_what_the_last_ones_took() -> None:
    async def run(place: Bench) -> None:
        admission = place.admission
        assert admission.answers_within("a", 0.0), "nothing is known yet, and a thread is free"
        first = place.bring("a0")
        await place.begins()
        await asyncio.sleep(0.02)  # so that it took something
        place.let_go("a0")
        assert await first.ends_within(30)
        for number in range(9):
            place.bring(f"a{number + 1}")
        await place.begins()
        assert admission.answers_within("a", 3600.0)
        assert not admission.answers_within("a", 0.02), "nine are before it"
        # For another owner one is before it at most: turns are taken.
        foreseen_s = _least(lambda seconds: admission.answers_within("b", seconds))
        assert foreseen_s < _least(lambda seconds: admission.answers_within("a", seconds)) / 2

    bench(run, AdmissionLimits(1, 20, shares=False))


def _least(enough: Callable[[float], bool]) -> float:
    seconds = 0.001
    while not enough(seconds):
        seconds *= 1.1
    return seconds


def test_what_waits_when_the_server_stops_is_refused() -> None:
    async def run(place: Bench) -> None:
        first, waiting = place.bring("a0"), place.bring("b0")
        await place.begins()
        place.admission.close()
        assert refusal(place, "c0").code == "shutting_down"
        place.let_go("a0")
        assert await waiting.ends_within(30)
        with pytest.raises(Error) as told:
            waiting.result()
        assert told.value.code == "shutting_down"
        assert first.result() == "a0"

    bench(run, AdmissionLimits(1, 5))


def test_the_thread_that_ended_last_works_next() -> None:
    async def run(place: Bench) -> None:
        threads: list[str] = []

        async def one() -> str:
            note = partial(_note_thread, threads)
            admitted = place.admission.admit(note, LATER, "a")
            assert await admitted.ends_within(30)
            return threads[-1]

        first, second = place.bring("a1"), place.bring("a2")
        await place.begins(2)
        place.let_go("a1")
        assert await first.ends_within(30)
        free = await one()
        place.let_go("a2")
        assert await second.ends_within(30)
        last = await one()
        assert last != free
        assert await one() == last

    bench(run, AdmissionLimits(running=3, waiting=4))


def _note_thread(threads: list[str]) -> None:
    threads.append(threading.current_thread().name)
