"""A body that comes too slowly is not waited for; one that the server reads slowly is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message, Receive, Scope, Send
from virtual_time import run_in_virtual_time

from apps.api_cpu.middleware import SlowBodyMiddleware
from lib.errors import Error

PATIENCE_S = 0.2


async def _nothing() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def _read(chunks: AsyncIterator[bytes], reading_takes_s: float = 0.0) -> bytes:
    """The body as an endpoint gets it that takes its time with each piece."""
    body = bytearray()

    async def receive() -> Message:
        try:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.request", "body": b"", "more_body": False}

    async def endpoint(_scope: Scope, receive: Receive, _send: Send) -> None:
        while True:
            message = await receive()
            body.extend(message["body"])
            await asyncio.sleep(reading_takes_s)
            if not message["more_body"]:
                return

    async def send(_message: Message) -> None:
        raise AssertionError

    run_in_virtual_time(SlowBodyMiddleware(endpoint, PATIENCE_S)({"type": "http"}, receive, send))
    return bytes(body)


async def _pieces(piece: bytes, count: int, pause_s: float) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(pause_s)
        yield piece


def test_one_that_drips_is_refused() -> None:
    with pytest.raises(Error, match="did not arrive in time"):
        _read(_pieces(b"x", 10_000, 0.01))


def test_one_that_stops_is_refused() -> None:
    with pytest.raises(Error, match="did not arrive in time"):
        _read(_pieces(b"x", 1, 3600.0))


def test_one_that_stops_late_is_refused_as_soon() -> None:
    async def much_and_then_nothing() -> AsyncIterator[bytes]:
        yield b"x" * 100_000_000
        await asyncio.sleep(3600)

    with pytest.raises(Error, match="did not arrive in time"):
        _read(much_and_then_nothing())


def test_a_long_one_has_the_time_that_it_needs() -> None:
    piece = b"x" * 10_240
    assert len(_read(_pieces(piece, 30, 0.02))) == 30 * len(piece)


def test_the_servers_own_time_does_not_count() -> None:
    assert _read(_pieces(b"x", 4, 0.0), reading_takes_s=0.1) == b"xxxx"


def test_after_the_body_nothing_is_timed() -> None:
    """The endpoint waits for its caller to leave, for as long as the work takes."""
    left: list[str] = []

    async def endpoint(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        try:
            async with asyncio.timeout(PATIENCE_S * 2):
                await receive()
        except TimeoutError:
            left.append("the endpoint's own patience")

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await _nothing()

    async def send(_message: Message) -> None:
        raise AssertionError

    run_in_virtual_time(SlowBodyMiddleware(endpoint, PATIENCE_S)({"type": "http"}, receive, send))
    assert left
