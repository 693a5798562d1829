"""Notices that a caller has left while a model is asked, so that the GPU works for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from lib.domain.cancellation import Cancellation


@asynccontextmanager
async def canceled_when_left(request: Request, cancellation: Cancellation) -> AsyncIterator[None]:
    """Set `cancellation` when the connection ends within the block; the body has been read."""
    watch = asyncio.ensure_future(_watch(request, cancellation))
    try:
        yield
    finally:
        watch.cancel()


async def _watch(request: Request, cancellation: Cancellation) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    cancellation.set()
