"""When a request is sent again: the pause before it, and the budget that all retries share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon a request is sent again.

    The pause is drawn evenly from 0 to `first_pause_s`, doubled with each attempt up to
    `longest_pause_s` ("full jitter", https://aws.amazon.com/blogs/architecture/
    exponential-backoff-and-jitter/), and never less than the server asks for; a server is not
    believed beyond `longest_retry_after_s`. A retry takes a token from a bucket of `reserve`
    tokens; each call puts `ratio` of one back, and each second `per_second`. In an outage the
    servers so get at most 1 + `ratio` times the calls, and no storm when they come back.
    """

    max_attempts: int = 3
    first_pause_s: float = 0.25
    longest_pause_s: float = 4.0
    longest_retry_after_s: float = 20.0
    reserve: float = 10.0
    ratio: float = 0.2
    per_second: float = 0.1

    def pause_s(self, failed_attempts: int, chance: float, asked_for_s: float | None) -> float:
        """Seconds to wait after so many failed attempts; `chance` is drawn from 0..1."""
        longest = min(self.longest_pause_s, self.first_pause_s * 2.0 ** (failed_attempts - 1))
        return max(longest * chance, self.clamped_s(asked_for_s))

    def clamped_s(self, asked_for_s: float | None) -> float:
        """A server's Retry-After within bounds."""
        return min(max(asked_for_s or 0.0, 0.0), self.longest_retry_after_s)


class RetryBudget:
    """The bucket of `RetryPolicy`. Whoever shares it between threads holds a lock."""

    def __init__(self, policy: RetryPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._tokens = policy.reserve
        self._refilled_at = clock()

    def note_call(self) -> None:
        """A call begins."""
        self._add(self._policy.ratio)

    def take(self) -> bool:
        """Whether a retry may be sent; it is paid for then."""
        now = self._clock()
        self._add((now - self._refilled_at) * self._policy.per_second)
        self._refilled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _add(self, tokens: float) -> None:
        self._tokens = min(self._policy.reserve, self._tokens + tokens)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for; None when it is missing or nonsense.

    A date is taken relative to the answer's own `Date`, so that clocks need not agree.
    """
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    at, now = _date(asked), _date(headers.get("date", ""))
    if at is None or now is None:
        return None
    return max(0.0, (at - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else None
