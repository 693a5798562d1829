"""How many requests that stay open for long a server holds, in all and for each key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from lib.errors import Error, Kind

_RETRY_AFTER_S = 10


class HeldOpen:
    """Counts the requests of one kind; belongs to the event loop."""

    def __init__(self, kind: str, most_of_key: int, most: int) -> None:
        """`kind` is their name for people, in the plural."""
        self._kind = kind
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
            raise too_many(f"Too many {self._kind} of this API key are open.", self._most_of_key)
        if self.open >= self._most:
            raise too_many(f"Too many {self._kind} are open.", self._most)

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


def too_many(message: str, limit: int) -> Error:
    """429; `limit` is how many there may be."""
    details = {"limit": limit, "retry_after_s": _RETRY_AFTER_S}
    return Error("rate_limited", Kind.RATE_LIMITED, message, details, retryable=True)
