"""Turns a minute: fair, exact and in bounded memory."""

from __future__ import annotations

import pytest

from apps.api_cpu.rate_limits import RateLimit, network_of, rate_limited


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _taken(limit: RateLimit, who: str, tries: int) -> int:
    return sum(limit.take(who).allowed for _ in range(tries))


def test_so_many_at_once_and_then_so_many_a_minute() -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    assert _taken(limit, "a", 100) == 60
    clock.now += 1
    assert _taken(limit, "a", 100) == 1
    clock.now += 30
    assert _taken(limit, "a", 100) == 30
    clock.now += 3600
    assert _taken(limit, "a", 100) == 60, "turns are not saved up"


def test_one_does_not_use_up_the_others_turns() -> None:
    limit = RateLimit(5, Clock())
    assert _taken(limit, "a", 9) == 5
    assert _taken(limit, "b", 9) == 5


def test_a_refusal_says_when_there_is_a_turn_again() -> None:
    clock = Clock()
    limit = RateLimit(2, clock)
    _taken(limit, "a", 2)
    refused = limit.take("a")
    assert (refused.allowed, refused.left, refused.wait_s) == (False, 0, 30)
    assert rate_limited("no", refused).details == {"limit": 2, "retry_after_s": 30}
    clock.now += refused.wait_s
    assert limit.take("a").allowed


def test_headers_say_what_is_left() -> None:
    turn = RateLimit(60, Clock()).take("a")
    assert turn.headers("requests") == {
        "RateLimit-Policy": '"requests";q=60;w=60',
        "RateLimit": '"requests";r=59;t=1',
    }


def test_memory_is_bounded_and_full_buckets_are_forgotten() -> None:
    clock = Clock()
    limit = RateLimit(3, clock, most=100)
    for number in range(1000):
        limit.take(str(number))
    assert len(limit) <= 100
    clock.now += 60
    limit.take("a")
    assert len(limit) == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_who_an_address_stands_for(address: str, network: str) -> None:
    assert network_of(address) == network
