"""When a webhook that was not heard is sent again."""

from __future__ import annotations

_MINUTE, _HOUR = 60.0, 3600.0

RETRIES_FOR_S = 24 * _HOUR
"""How long a delivery is tried before it is undelivered."""

# Close at first, for a receiver that restarts; then as the Standard Webhooks recommend, for one
# that is repaired. Together a day.
_PAUSES_S = (
    5.0,
    30.0,
    2 * _MINUTE,
    10 * _MINUTE,
    30 * _MINUTE,
    _HOUR,
    2 * _HOUR,
    4 * _HOUR,
    6 * _HOUR,
    8 * _HOUR,
)
_JITTER = 0.2
_LONGEST_RETRY_AFTER_S = 2 * _HOUR


def pause_s(failed: int, chance: float, asked_for_s: float | None) -> float:
    """Seconds to wait after so many failures in a row, at least 1.

    `chance`, drawn evenly from 0..1, moves it up or down by a fifth, so that what failed together
    does not come back together. A receiver's Retry-After is believed up to two hours.
    """
    pause = _PAUSES_S[min(failed, len(_PAUSES_S)) - 1]
    jittered = pause * (1 + _JITTER * (2 * chance - 1))
    return max(jittered, min(asked_for_s or 0.0, _LONGEST_RETRY_AFTER_S))
