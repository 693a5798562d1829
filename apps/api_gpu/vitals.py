"""Whether the engine answers: asked for one token where nobody else has asked lately."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from apps.api_gpu.answering import Answering
from apps.api_gpu.engine import (
    EngineDiedError,
    EnginePage,
    Picture,
    TiltEngine,
)
from apps.api_gpu.metrics import Metrics

_MISSES_TO_DEATH = 3
_QUESTION = "What is the total?"
_log = logging.getLogger(__name__)


class Vitals:
    """The engine's health. Once dead it stays so: `on_death` ends the process.

    An engine that hangs is as dead as one that has ended, only that it does not say so: it has
    `probe_timeout_s` for one token, and is given up after three misses in a row.
    """

    def __init__(
        self,
        engine: TiltEngine,
        metrics: Metrics,
        *,
        interval_s: float,
        probe_timeout_s: float,
        on_death: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._interval_s = interval_s
        self._probe_timeout_s = probe_timeout_s
        self._on_death = on_death
        self._misses = 0
        self.dead = False

    @property
    def well(self) -> bool:
        """Whether the engine answered when it was last asked."""
        return not self.dead and not self._misses

    def die(self) -> None:
        """The engine has died; whoever notices says so here."""
        if not self.dead:
            self.dead = True
            self._metrics.ready.set(0)
            _log.critical("the engine died: this process ends")
            self._on_death()

    async def first(self, answering: Answering) -> None:
        """The first answer, from a warm-up that nothing limits; raises what the engine raises."""
        await answering.probe(self._page(), _QUESTION)
        self._metrics.ready.set(1)

    async def watch(self, answering: Answering) -> None:
        """Look after the engine until it dies or the task is cancelled."""
        while not self.dead:
            await asyncio.sleep(self._interval_s)
            try:
                await self._engine.check()
                if time.monotonic() - answering.last_answer > self._interval_s:
                    async with asyncio.timeout(self._probe_timeout_s):
                        await answering.probe(self._page(), _QUESTION)
            except EngineDiedError:
                self.die()
            except Exception as error:  # noqa: BLE001 a watch that ended would see nothing die
                self._miss(type(error).__name__)
            else:
                self._misses = 0
                self._metrics.ready.set(1)

    def _miss(self, why: str) -> None:
        self._misses += 1
        self._metrics.ready.set(0)
        _log.error("the engine did not answer (%s), %d in a row", why, self._misses)
        if self._misses >= _MISSES_TO_DEATH:
            self.die()

    def _page(self) -> EnginePage:
        limits = self._engine.limits
        width, height = limits.image_width, min(limits.image_height, limits.image_width)
        paper = Picture(width, height, "L", b"\xff" * (width * height))
        box = (0.1 * width, 0.1 * height, 0.3 * width, 0.15 * height)
        return EnginePage(("Total",), (box,), width, height, paper)
