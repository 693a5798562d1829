"""How many streams of events and waiting requests a server holds open, in all and for each key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from lib.errors import Error, Kind

MOST_WATCHERS = 256
"""Each of them looks at its job twice a second, in case that another process changes it."""

_RETRY_AFTER_S = 10


class Watchers:
    """Counts them; belongs to the event loop."""

    def __init__(self, most_of_key: int, most: int = MOST_WATCHERS) -> None:
        self._most_of_key = most_of_key
        self._most = most
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open.total()

    def require_room(self, key_id: str) -> None:
        """Raise `rate_limited` when there are too many."""
        if self._open[key_id] >= self._most_of_key:
            raise _too_many("Too many requests of this API key wait for jobs.", self._most_of_key)
        if self.open >= self._most:
            raise _too_many("Too many requests wait for jobs.", self._most)

    @contextmanager
    def counted(self, key_id: str) -> Iterator[None]:
        """One more, for a block. Raises `rate_limited`."""
        self.require_room(key_id)
        self._open[key_id] += 1
        try:
            yield
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]


def _too_many(message: str, limit: int) -> Error:
    details = {"limit": limit, "retry_after_s": _RETRY_AFTER_S}
    return Error("rate_limited", Kind.RATE_LIMITED, message, details, retryable=True)
