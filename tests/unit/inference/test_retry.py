"""Pauses, the retry budget, and what `Retry-After` may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.inference.retry import RetryBudget, RetryPolicy, retry_after_s

NOW = "Sat, 21 Nov 2026 09:00:00 GMT"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("9" * 400, 999_999_999.0),
        ("Sat, 21 Nov 2026 09:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 08:00:00 GMT", 0.0),
        ("Saturday, 21-Nov-26 09:00:30 GMT", 30.0),
        ("", None),
        ("-3", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Sat, 99 Nov 2026 09:00:30 GMT", None),
    ],
)
def test_retry_after(asked: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": asked, "date": NOW}) == seconds


def test_a_date_without_the_servers_own_clock_says_nothing() -> None:
    assert retry_after_s({"retry-after": NOW}) is None


@given(st.text())
def test_retry_after_never_raises(text: str) -> None:
    retry_after_s({"retry-after": text, "date": text})


@given(
    st.integers(1, 2000),
    st.floats(0, 1),
    st.none() | st.floats(allow_nan=False),
)
def test_a_pause_is_within_bounds(failed: int, chance: float, asked: float | None) -> None:
    policy = RetryPolicy()
    pause = policy.pause_s(min(failed, 900), chance, asked)
    assert 0 <= pause <= max(policy.longest_pause_s, policy.longest_retry_after_s)


def test_the_pause_doubles_and_is_drawn_from_nothing_to_all() -> None:
    policy = RetryPolicy(first_pause_s=1, longest_pause_s=3)
    assert [policy.pause_s(n, 1.0, None) for n in (1, 2, 3, 4)] == [1, 2, 3, 3]
    assert policy.pause_s(3, 0.0, None) == 0
    assert policy.pause_s(1, 0.5, 2.0) == 2.0


def test_the_budget_is_a_reserve_refilled_by_calls_and_time() -> None:
    now = [0.0]
    policy = RetryPolicy(reserve=2, ratio=0.5, per_second=0.25)
    budget = RetryBudget(policy, lambda: now[0])
    assert [budget.take() for _ in range(3)] == [True, True, False]
    budget.note_call()
    assert not budget.take()
    budget.note_call()
    assert budget.take()
    assert not budget.take()
    now[0] += 4
    assert budget.take()
    now[0] += 1e6
    assert [budget.take() for _ in range(3)] == [True, True, False]
