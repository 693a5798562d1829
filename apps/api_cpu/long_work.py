"""Work that takes seconds: on a few threads of its own, so that it holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from apps.api_cpu.held_open import HeldOpen, too_many

T = TypeVar("T")


class LongWork:
    """Waiting for a turn takes no thread. Belongs to the event loop."""

    def __init__(
        self, kind: str, *, at_once: int, most_of_key: int, most: int, patience_s: float
    ) -> None:
        """`kind` is its name for people, in the plural. `most_of_key` may be asked for by one key
        at once, `most` by all together; each waits at most `patience_s` for its turn.
        """
        self._kind = kind
        self._places = asyncio.Semaphore(at_once)
        # None waits for it: it has as many threads as there are places.
        self._threads = CapacityLimiter(at_once)
        self._asked_for = HeldOpen(kind, most_of_key, most)
        self._most = most
        self._patience_s = patience_s

    async def run(self, key_id: str, work: Callable[[], T]) -> T:
        """What `work` returns, on a thread.

        Raises `rate_limited` when too many are asked for, or when it is not its turn in time; then
        nothing of it has been done.
        """
        with self._asked_for.counted(key_id):
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._places.acquire()
            except TimeoutError:
                raise too_many(f"Too many {self._kind} are waiting.", self._most) from None
            try:
                return await run_sync(work, limiter=self._threads)
            finally:
                self._places.release()
