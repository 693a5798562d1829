"""News of jobs within this process: a change of a job's row wakes who waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Changes:
    """`tell` from any thread; `watching` on the event loop.

    A hint, not the truth: a change that another process makes is not heard here, so who waits
    looks at the row now and then as well.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self.closed = False

    def tell(self, job_id: str) -> None:
        """A job has changed."""
        with self._lock:
            watchers = list(self._watchers.get(job_id, ()))
        _wake(watchers)

    def close(self) -> None:
        """Nobody waits any longer: the server is stopping.

        May be called from a signal handler: it takes no lock. Who waits looks soon anyway.
        """
        self.closed = True

    @contextmanager
    def watching(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set by each change; the watcher clears it."""
        watcher = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._watchers.setdefault(job_id, []).append(watcher)
        try:
            yield watcher[1]
        finally:
            with self._lock:
                self._watchers[job_id].remove(watcher)
                if not self._watchers[job_id]:
                    del self._watchers[job_id]


def _wake(watchers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    for loop, event in watchers:
        with suppress(RuntimeError):  # the loop was closed: its watchers wait no longer
            loop.call_soon_threadsafe(event.set)
