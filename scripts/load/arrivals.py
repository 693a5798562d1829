"""Sends requests: at moments that do not wait for answers, or from clients that do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

PATIENCE_S = 180.0
# The mock closes a connection that is idle for 5 s, as vLLM does.
_KEEPALIVE_S = 4.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `status` 0: none came. Seconds; `latency_s` counts from the moment at which the
    request was due, so that one that is sent late because others are slow is not thought fast.
    """

    due_s: float
    late_s: float
    latency_s: float
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def milliseconds(self) -> float:
        """The latency."""
        return self.latency_s * 1000

    def json(self) -> dict[str, object]:
        """The body."""
        found: dict[str, object] = orjson.loads(self.body)
        return found


Call = Callable[[], Awaitable[httpx.Response]]


class Target:
    """A server and the request that it is sent again and again."""

    def __init__(self, url: str, path: str, content: bytes, headers: dict[str, str]) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=PATIENCE_S,
            limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEPALIVE_S),
        )
        self._path, self._content, self._headers = path, content, headers

    @classmethod
    def upload(cls, url: str, document: Path | bytes, **fields: str) -> Target:
        """`POST /v1/extract` of a document."""
        data = document if isinstance(document, bytes) else document.read_bytes()
        built = httpx.Request("POST", url, files={"file": ("document", data)}, data=fields)
        kind = {"Content-Type": built.headers["Content-Type"]}
        return cls(url, "/v1/extract", built.read(), kind)

    async def __call__(self) -> httpx.Response:
        """Send it once."""
        return await self._client.post(self._path, content=self._content, headers=self._headers)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def moments(rate: float, seconds: float, seed: int | None) -> list[float]:
    """When requests are due, in seconds from the start: evenly spaced without a `seed`, else by
    chance (a Poisson process), so that some come together.
    """
    if seed is None:
        return [number / rate for number in range(round(rate * seconds))]
    chance = random.Random(seed)
    gaps = (chance.expovariate(rate) for _ in itertools.count())
    return list(itertools.takewhile(lambda moment: moment < seconds, itertools.accumulate(gaps)))


async def on_schedule(call: Call, due: Sequence[float]) -> list[Reply]:
    """An open loop: each request is sent when it is due, whether or not others were answered."""
    begun = time.perf_counter()

    async def one(moment: float) -> Reply:
        await asyncio.sleep(begun + moment - time.perf_counter())
        return await _reply(call, begun, moment)

    return list(await asyncio.gather(*map(one, due)))


async def kept_busy(call: Call, clients: int, seconds: float) -> list[Reply]:
    """A closed loop: so many clients, each of which sends again as soon as it was answered."""
    begun = time.perf_counter()
    replies: list[Reply] = []

    async def client() -> None:
        while (now := time.perf_counter() - begun) < seconds:
            replies.append(await _reply(call, begun, now))

    await asyncio.gather(*(client() for _ in range(clients)))
    return replies


async def without_end(call: Call, rate: float, replies: list[Reply], over: asyncio.Event) -> None:
    """An open loop of `rate` requests a second until `over`; an answer is in `replies` as soon as
    it has come, and all have when this returns.
    """
    begun = time.perf_counter()

    async def one(moment: float) -> None:
        replies.append(await _reply(call, begun, moment))

    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            due = number / rate
            with contextlib.suppress(TimeoutError):
                left = max(0.0, begun + due - time.perf_counter())
                await asyncio.wait_for(over.wait(), left)
            if over.is_set():
                return
            group.create_task(one(due))


async def _reply(call: Call, begun: float, due: float) -> Reply:
    late = time.perf_counter() - begun - due
    try:
        response = await call()
    except httpx.TransportError:
        status, headers, body = 0, httpx.Headers(), b""
    else:
        status, headers, body = response.status_code, response.headers, response.content
    return Reply(due, late, time.perf_counter() - begun - due, status, headers, body)
