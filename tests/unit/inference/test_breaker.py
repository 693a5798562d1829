"""The circuit breaker: it opens, waits longer each time, lets one trial through, heeds probes."""

from __future__ import annotations

import pytest

from lib.inference.breaker import Breaker, BreakerPolicy
from lib.inference.client import Circuit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(BreakerPolicy(threshold=3, first_pause_s=1, longest_pause_s=4), clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.end(trial=breaker.begin(), good=False)


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.end(trial=breaker.begin(), good=True)
    fail(breaker, 2)
    assert breaker.circuit is Circuit.CLOSED
    fail(breaker)
    assert breaker.circuit is Circuit.OPEN
    assert not breaker.admits
    assert breaker.opens_in_s() == 1


def test_what_says_nothing_changes_nothing(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.end(trial=breaker.begin(), good=None)
    fail(breaker)
    assert breaker.circuit is Circuit.OPEN


def test_after_the_pause_one_trial_is_let_through(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 1
    assert breaker.circuit is Circuit.HALF_OPEN
    assert breaker.begin()
    assert not breaker.admits
    breaker.end(trial=True, good=True)
    assert breaker.circuit is Circuit.CLOSED


def test_each_failed_trial_doubles_the_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    pauses = []
    for _ in range(4):
        clock.now += breaker.opens_in_s()
        fail(breaker)
        pauses.append(breaker.opens_in_s())
    assert pauses == [2, 4, 4, 4]


def test_a_canceled_trial_frees_the_place_for_the_next(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 1
    breaker.end(trial=breaker.begin(), good=None)
    assert breaker.admits


def test_a_late_success_does_not_close_an_open_circuit(breaker: Breaker) -> None:
    early = breaker.begin()
    fail(breaker, 3)
    breaker.end(trial=early, good=True)
    assert breaker.circuit is Circuit.OPEN


def test_probes_open_it_and_a_server_that_is_back_is_tried_at_once(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.probed(good=False)
    assert breaker.circuit is Circuit.OPEN
    breaker.probed(good=True)
    assert breaker.circuit is Circuit.HALF_OPEN


def test_a_server_that_is_back_is_known_as_such_until_it_was_tried(
    breaker: Breaker, clock: Clock
) -> None:
    for _ in range(3):
        breaker.probed(good=False)
    clock.now += 1
    assert breaker.circuit is Circuit.HALF_OPEN
    assert not breaker.is_back, "its pause is over, and it is away still"
    breaker.probed(good=True)
    assert breaker.is_back
    fail(breaker)
    assert not breaker.is_back
    clock.now += 1
    breaker.end(trial=breaker.begin(), good=True)
    assert not breaker.is_back, "it is well, and no longer on its way"
    breaker.probed(good=True)
    fail(breaker, 3)
    clock.now += 1
    breaker.probed(good=True)
    assert not breaker.is_back, "it was never away: it fails at its work"


def test_a_server_that_went_again_is_not_back(breaker: Breaker) -> None:
    for good in (False, False, False, True, False):
        breaker.probed(good=good)
    assert not breaker.is_back


def test_good_health_does_not_excuse_failing_work(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.probed(good=True)
        fail(breaker)
    breaker.probed(good=True)
    assert breaker.circuit is Circuit.OPEN
