"""Notices that a caller has left before the answer, so that nobody works for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import Request


@asynccontextmanager
async def told_of_departure(request: Request, left: Callable[[], None]) -> AsyncIterator[None]:
    """Call `left` when the connection ends within the block; the body has been read."""
    watch = asyncio.ensure_future(_watch(request, left))
    try:
        yield
    finally:
        watch.cancel()


async def _watch(request: Request, left: Callable[[], None]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    left()
