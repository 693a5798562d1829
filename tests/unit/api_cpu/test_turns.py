"""Who is let in and whose turn it is, on a clock that the tests move: bursts, crowds, overload."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from apps.api_cpu.extractions.turns import AdmissionLimits, Refused, Turns
from lib.errors import Kind

TARGET_S = 0.5


@dataclass(eq=False, slots=True)
class Place:
    """One document: when it came, and when its turn was."""

    owner: str
    came_at: float
    begun_at: float | None = None
    ended: Callable[[], object] = lambda: None

    @property
    def waited_s(self) -> float:
        assert self.begun_at is not None
        return self.begun_at - self.came_at


class Server:
    """As many documents at once as there are slots, each for `duration_s`."""

    def __init__(self, limits: AdmissionLimits, duration_s: float) -> None:
        self.turns = Turns[Place](limits)
        self.duration_s = duration_s
        self.now = 0.0
        self.taken: list[Place] = []
        self.refusals: list[Refused] = []
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._number = itertools.count()

    @property
    def capacity(self) -> float:
        """Documents a second."""
        return self.turns._limits.running / self.duration_s

    def at(self, moment: float, event: Callable[[], object]) -> None:
        """Have something happen later."""
        heapq.heappush(self._events, (moment, next(self._number), event))

    def run(self, until: float = float("inf")) -> None:
        """Let happen what is due until then."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = max(self.now, until) if until < float("inf") else self.now

    def bring(self, owner: str = "a", ended: Callable[[], object] = lambda: None) -> Refused | None:
        """One document, whose body is here with its head; the refusal, if it is refused."""
        try:
            self.turns.come(owner, self.now)
            self.turns.came(owner)
            self.turns.require_room(owner, self.now)
        except Refused as refused:
            self.refusals.append(refused)
            return refused
        place = Place(owner, self.now, ended=ended)
        self.taken.append(place)
        self.turns.wait(place, self.now)
        self._fill()
        return None

    def _fill(self) -> None:
        while (place := self.turns.next(self.now)) is not None:
            place.begun_at = self.now
            self.at(self.now + self.duration_s, partial(self._end, place))

    def _end(self, place: Place) -> None:
        self.turns.ended(place.owner, self.duration_s)
        place.ended()
        self._fill()


def server(
    *, slots: int = 3, waiting: int = 128, duration_s: float = 0.2, shares: bool = False
) -> Server:
    """One that has read before, so that waits can be foreseen, and rests."""
    limits = AdmissionLimits(slots, waiting, shares=shares, target_wait_s=TARGET_S)
    made = Server(limits, duration_s)
    made.bring("before")
    made.run()
    made.taken.clear()
    return made


def arrivals(on: Server, rate: float, seconds: float, owners: Iterator[str]) -> None:
    """An open loop: so many a second, whether or not others were answered."""
    for number in range(round(rate * seconds)):
        on.at(on.now + number / rate, partial(on.bring, next(owners)))


def clients(on: Server, count: int, documents: int, owner: str = "a") -> list[int]:
    """A closed loop: so many that send the next when one was answered, and one that was refused
    again when they were told to; the attempts that each document took, once `run` has been called.
    """
    attempts: list[int] = []
    left = iter(range(documents))

    def next_one() -> None:
        if next(left, None) is not None:
            send(1)

    def send(attempt: int) -> None:
        def answered() -> None:
            attempts.append(attempt)
            on.at(on.now + 0.005, next_one)

        refused = on.bring(owner, answered)
        if refused is not None:
            on.at(on.now + refused.details["retry_after_s"], partial(send, attempt + 1))

    for number in range(count):
        on.at(on.now + number / 1000, next_one)
    return attempts


def test_a_burst_of_64_is_taken_by_a_server_that_rests() -> None:
    place = server()
    assert [place.bring() for _ in range(64)] == [None] * 64
    place.run()
    assert max(each.waited_s for each in place.taken) > 4.0, "they waited for each other"


def test_a_burst_may_come_within_a_second_and_again_when_all_was_read() -> None:
    place = server()
    for start in (0.0, 30.0):
        for number in range(64):
            place.at(start + number / 64, place.bring)
    place.run()
    assert not place.refusals
    assert len(place.taken) == 128


@pytest.mark.parametrize("times", [1.5, 2.0, 4.0, 10.0])
def test_more_than_can_be_read_does_not_make_a_queue_that_stands(times: float) -> None:
    place = server()
    arrivals(place, times * place.capacity, 60.0, itertools.repeat("a"))
    place.run()
    settled = [each.waited_s for each in place.taken if each.came_at > 10.0]
    assert max(settled) <= TARGET_S + place.duration_s
    # Whoever is refused, the threads never rest.
    assert len(settled) >= 0.97 * place.capacity * 50.0
    for refused in place.refusals:
        assert (refused.code, refused.kind) == ("inference_unavailable", Kind.UNAVAILABLE)
        assert refused.details["reason"] == "overloaded"
        assert 1 <= refused.details["retry_after_s"] <= 60
    assert place.turns.refused["standing"] > 0


def test_when_the_load_is_gone_a_burst_is_taken_again() -> None:
    place = server()
    arrivals(place, 3 * place.capacity, 20.0, itertools.repeat("a"))
    place.run()
    assert place.refusals
    assert [place.bring() for _ in range(64)] == [None] * 64


@pytest.mark.parametrize("count", [4, 16, 64, 128])
def test_a_script_that_sends_so_many_at_once_is_never_refused(count: int) -> None:
    place = server()
    attempts = clients(place, count, 1000)
    place.run()
    assert attempts == [1] * 1000


def test_beside_a_script_one_more_is_let_in() -> None:
    place = server(duration_s=1.0)
    attempts = clients(place, 32, 300)
    for moment in (10.0, 40.0, 70.0):
        place.at(moment, place.bring)
    place.run()
    assert not place.refusals
    assert attempts == [1] * 300


@pytest.mark.parametrize("count", [200, 500])
def test_who_comes_when_told_to_gets_in(count: int) -> None:
    place = server()
    attempts = clients(place, count, 3000)
    place.run()
    assert len(attempts) == 3000
    assert place.turns.refused["standing"] > 0
    # The threads never rest for long: those who wait outside come as they can be read.
    assert place.now <= 1.1 * 3000 / place.capacity
    assert sum(attempts) <= 3 * 3000
    assert max(attempts) <= 30


def test_those_who_are_refused_are_told_to_come_one_after_the_other() -> None:
    place = server()
    arrivals(place, 4 * place.capacity, 5.0, itertools.repeat("a"))
    place.run(until=5.0)
    told = [refused.details["retry_after_s"] for refused in place.refusals[-20:]]
    assert told == sorted(told)
    # Twenty of one key take 20 / 15 s.
    assert 1 <= told[-1] - told[0] <= 2


def _advice(on: Server, owner: str) -> int:
    refused = on.bring(owner)
    assert refused is not None
    told: int = refused.details["retry_after_s"]
    return told


def test_keys_with_nothing_in_hand_are_told_to_come_one_after_the_other() -> None:
    place = server(slots=1, waiting=2, duration_s=2.0)
    for _ in range(3):
        assert place.bring("first") is None
    told = {f"key {number}": _advice(place, f"key {number}") for number in range(10)}
    advised = list(told.values())
    assert [later - sooner for sooner, later in itertools.pairwise(advised)] == [2] * 9
    # Who does not heed it changes nothing, neither for himself nor for those who come after.
    place.run(until=place.now + 1.0)
    for _ in range(5):
        assert _advice(place, "key 3") == told["key 3"] - 1
    assert _advice(place, "one more") == advised[-1] + 2 - 1


def test_so_many_keys_that_the_last_would_wait_too_long_share_the_time_that_there_is() -> None:
    place = server(slots=1, waiting=2, duration_s=1.0)
    for _ in range(3):
        assert place.bring("first") is None
    told = Counter(_advice(place, f"key {number}") for number in range(5000))
    assert max(told) == 60
    assert max(told.values()) <= 5000 / (60 - min(told)) + 1
    assert len(place.turns._line.moments) == 1000


def test_a_crowd_of_keys_that_heed_what_they_are_told_gets_in() -> None:
    place = server(slots=2, waiting=8, duration_s=0.5, shares=True)
    attempts: list[int] = []

    def send(owner: str, attempt: int) -> None:
        refused = place.bring(owner, lambda: attempts.append(attempt))
        if refused is not None:
            advice = refused.details["retry_after_s"]
            place.at(place.now + advice, partial(send, owner, attempt + 1))

    for number in range(200):
        place.at(number / 1000, partial(send, f"key {number}", 1))
    place.run()
    assert len(attempts) == 200
    assert max(attempts) <= 3
    # In hardly more time than it takes to read them all.
    assert place.now <= 1.1 * 200 / place.capacity


def test_the_overload_of_one_key_refuses_nobody_else() -> None:
    place = server(duration_s=2.0, shares=True)
    arrivals(place, 5 * place.capacity, 60.0, itertools.repeat("greedy"))
    others = [f"other {number}" for number in range(12)]
    for number, owner in enumerate(others):
        place.at(5.0 + 4.5 * number, partial(place.bring, owner))
    place.run()
    assert place.refusals
    waited = {each.owner: each.waited_s for each in place.taken if each.owner != "greedy"}
    assert set(waited) == set(others)
    assert max(waited.values()) <= place.duration_s, "the next thread that is free is theirs"


def test_a_crowd_of_keys_with_one_document_each_does_not_stand_either() -> None:
    place = server(shares=True)
    arrivals(place, 2 * place.capacity, 60.0, (f"key {n}" for n in itertools.count()))
    place.run()
    settled = [each.waited_s for each in place.taken if each.came_at > 10.0]
    assert max(settled) <= TARGET_S + place.duration_s
    assert len(settled) >= 0.97 * place.capacity * 50.0


def test_as_many_keys_as_always_are_never_refused() -> None:
    place = server(duration_s=1.0, shares=True)
    attempts = [clients(place, 1, 20, f"key {number}") for number in range(40)]
    place.run()
    assert attempts == [[1] * 20] * 40


def test_a_body_that_is_still_to_come_has_its_place_in_what_is_foreseen() -> None:
    place = server()
    arrivals(place, 4 * place.capacity, 10.0, itertools.repeat("a"))
    place.run(until=10.0)
    let_in = 0
    with pytest.raises(Refused):
        for _ in range(100):
            place.turns.come("a", place.now)
            let_in += 1
    assert let_in <= TARGET_S * place.capacity, "those that arrive together see each other"
    for _ in range(let_in):
        place.turns.came("a")


class Standing(RuleBasedStateMachine):
    """One key, whatever it does."""

    @initialize(
        slots=st.integers(1, 4),
        duration_s=st.sampled_from([0.05, 0.2, 0.7, 3.0]),
        waiting=st.integers(0, 70),
    )
    def begin(self, slots: int, duration_s: float, waiting: int) -> None:
        self.place = server(slots=slots, duration_s=duration_s, waiting=waiting)
        self.is_too_much = False
        self.bounded: list[Place] = []

    @rule(count=st.integers(1, 80))
    def burst(self, count: int) -> None:
        for _ in range(count):
            self._bring()

    @rule(times=st.floats(0.2, 5.0), count=st.integers(1, 60))
    def load(self, times: float, count: int) -> None:
        for _ in range(count):
            self.place.run(until=self.place.now + 1 / (times * self.place.capacity))
            self._bring()

    @rule(seconds=st.floats(0.0, 20.0))
    def pause(self, seconds: float) -> None:
        self.place.run(until=self.place.now + seconds)

    @precondition(lambda self: self.place.turns.running == 0)
    @rule()
    def a_server_that_rests_refuses_nobody(self) -> None:
        places = self.place.turns._limits
        for _ in range(places.running + places.waiting):
            assert self.place.bring() is None
        self.place.run()
        self.is_too_much = False

    def _bring(self) -> None:
        place = self.place
        if place.turns.waiting == 0:
            self.is_too_much = False
        stood = place.turns.refused["standing"]
        refused = place.bring()
        if place.turns.refused["standing"] > stood:
            assert place.turns.waiting > 0, "a thread would have been free before it was read"
            self.is_too_much = True
        elif refused is None and self.is_too_much:
            self.bounded.append(place.taken[-1])

    def teardown(self) -> None:
        if not hasattr(self, "place"):
            return
        self.place.run()
        turns = self.place.turns
        assert (turns.running, turns.waiting, turns._owners) == (0, 0, {})
        assert all(each.begun_at is not None for each in self.place.taken)
        for each in self.bounded:
            assert each.waited_s <= TARGET_S + self.place.duration_s + 1e-6


TestStanding = Standing.TestCase
TestStanding.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
