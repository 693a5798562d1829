"""The end of the server: running requests get a time to finish, then they are cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from lib.errors import Error, Kind

T = TypeVar("T")


class Shutdown:
    """Made on the event loop that serves the requests."""

    def __init__(self, grace_s: float, refuse_new: Callable[[], None]) -> None:
        """`refuse_new` is called at once when the end begins, `grace_s` seconds before the cut."""
        self._grace_s = grace_s
        self._refuse_new = refuse_new
        self._loop = asyncio.get_running_loop()
        self._cut = self._loop.create_future()

    def begin(self) -> None:
        """Begin the end. May be called from a signal handler and from any thread."""
        self._refuse_new()
        self._loop.call_soon_threadsafe(self._loop.call_later, self._grace_s, self._end)

    async def unless_cut(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; raises what it raises, and `shutting_down` when it is cut."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._cut}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise shutting_down()
        finally:
            task.cancel()
            # An exception would hold this frame, the frame its task, and the task the exception
            # with all that its traceback holds: a whole document, until the collector comes by.
            del task

    def _end(self) -> None:
        if not self._cut.done():
            self._cut.set_result(None)


def shutting_down() -> Error:
    """503: nothing more is begun, or the time to finish is over."""
    return Error("shutting_down", Kind.UNAVAILABLE, "The server is shutting down.", retryable=True)
