"""Where pages are drawn: on a few threads of their own, so that looking holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from apps.api_cpu.extractions.admission import timed_out
from apps.api_cpu.held_open import HeldOpen

T = TypeVar("T")

# Documents are opened for looking beside those that are read.
_AT_ONCE = 2
_MOST_OF_KEY, _MOST = 64, 256
_PATIENCE_S = 30.0


class Drawing:
    """Waiting for a turn takes no thread. Belongs to the event loop."""

    def __init__(
        self, at_once: int = _AT_ONCE, most_of_key: int = _MOST_OF_KEY, most: int = _MOST
    ) -> None:
        """`most_of_key` may be asked for by one key at once, `most` by all together."""
        self._places = asyncio.Semaphore(at_once)
        # None waits for it: it has as many threads as there are places.
        self._threads = CapacityLimiter(at_once)
        self._asked_for = HeldOpen("images of pages", most_of_key, most)

    async def run(self, key_id: str, draw: Callable[[], T]) -> T:
        """What `draw` returns, on a thread.

        Raises `rate_limited` when too many are asked for, `inference_timeout` when it is not its
        turn in time.
        """
        with self._asked_for.counted(key_id):
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._places.acquire()
            except TimeoutError:
                raise timed_out() from None
            try:
                return await run_sync(draw, limiter=self._threads)
            finally:
                self._places.release()
