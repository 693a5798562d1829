"""An event loop whose clock goes on only while nothing is left to do: no wait takes any time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class _Selector(selectors.DefaultSelector):
    """Where the loop would sleep, it is at once as late as it wanted to be."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            assert timeout is not None, "everybody waits for what will never happen"
            self.now += timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run_in_virtual_time(work: Coroutine[Any, Any, _T]) -> _T:
    """Like `asyncio.run`, for work without threads, sockets and processes: nothing is ever late."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
