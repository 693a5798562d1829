"""A request to stop, which reaches work that is under way in another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Canceled(Exception):
    """The work was given up because its caller no longer wants it; not a failure of the work."""


class Cancellation:
    """Set once, by whoever owns the work; watched by whoever does it. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next = 0

    @property
    def is_set(self) -> bool:
        """Whether the work should stop."""
        return self._is_set

    def set(self) -> None:
        """Ask the work to stop. Runs what `calling` has registered; twice is the same as once."""
        with self._lock:
            self._is_set = True
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise `Canceled` once set."""
        if self._is_set:
            raise Canceled

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; whether it is set."""
        came = threading.Event()
        with self.calling(came.set):
            came.wait(seconds)
        return self._is_set

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Run `callback` once if the request comes within the block, or has come before.

        It runs in the thread that asks; it must be quick and must not raise.
        """
        with self._lock:
            number, self._next = self._next, self._next + 1
            already = self._is_set
            if not already:
                self._callbacks[number] = callback
        if already:
            callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.pop(number, None)
