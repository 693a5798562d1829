"""A circuit breaker: a server that keeps failing is left alone, then tried with one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lib.inference.client import Circuit


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a circuit opens and for how long.

    It opens after `threshold` failures in a row. The first pause is `first_pause_s`; each trial
    that fails doubles it, up to `longest_pause_s`.
    """

    threshold: int = 5
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0


class Breaker:
    """The circuit of one server. Whoever shares it between threads holds a lock."""

    def __init__(self, policy: BreakerPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._failures = 0
        self._pause_s = 0.0
        self._opened_at: float | None = None
        self._trial_under_way = False
        self._seen_down = False
        self._is_back = False

    @property
    def circuit(self) -> Circuit:
        """Closed; open while nothing may be sent; half open while one request may be, or is."""
        if self._opened_at is None:
            return Circuit.CLOSED
        if self._trial_under_way or self.opens_in_s() <= 0:
            return Circuit.HALF_OPEN
        return Circuit.OPEN

    @property
    def admits(self) -> bool:
        """Whether a request may be sent now."""
        return self._opened_at is None or (not self._trial_under_way and self.opens_in_s() <= 0)

    @property
    def is_back(self) -> bool:
        """Whether it was away, is in good health again, and was not tried since."""
        return self._is_back

    def opens_in_s(self) -> float:
        """Seconds until a request is tried again; 0 when that is now."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._pause_s - self._clock())

    def begin(self) -> bool:
        """Count a request in; whether it is the trial, which `end` has to be told."""
        trial = self._opened_at is not None
        self._trial_under_way = self._trial_under_way or trial
        return trial

    def end(self, *, trial: bool, good: bool | None) -> None:
        """Count a request out. `good` is None when it says nothing about the server."""
        if trial:
            self._trial_under_way = False
        if good and (trial or self._opened_at is None):
            self._failures = 0
            self._opened_at = None
            self._pause_s = 0.0
            self._is_back = False
        elif good is False:
            self._fail(trial)

    def probed(self, *, good: bool) -> None:
        """Take note of a probe: a server that is back after it was away is tried at once.

        A good probe closes nothing: a server can be in good health and fail at its work.
        """
        if not good:
            self._seen_down = True
            self._is_back = False
            self._fail(trial=False)
        elif self._seen_down:
            self._seen_down = False
            self._pause_s = 0.0
            self._is_back = self._opened_at is not None
            if self._opened_at is None:
                self._failures = 0

    def _fail(self, trial: bool) -> None:
        self._failures += 1
        if trial:
            self._is_back = False
            doubled = max(self._pause_s * 2, self._policy.first_pause_s)
            self._pause_s = min(doubled, self._policy.longest_pause_s)
            self._opened_at = self._clock()
        elif self._opened_at is None and self._failures >= self._policy.threshold:
            self._pause_s = self._policy.first_pause_s
            self._opened_at = self._clock()
