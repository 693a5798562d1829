"""Sends requests: at moments that do not wait for answers, or from clients that do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import orjson

PATIENCE_S = 180.0
# The mock closes a connection that is idle for 5 s, as vLLM does.
_KEEPALIVE_S = 4.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `status` 0: nothing came, and the body names the error. The names of
    `headers` have no case.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> dict[str, Any]:
        """The body."""
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    def good(self) -> Answer:
        """Itself; where it is not 200, the end of the benchmark with what was said."""
        if self.status != HTTPStatus.OK:
            raise SystemExit(f"HTTP {self.status}: {self.body[:400].decode('utf-8', 'replace')}")
        return self


@dataclass(frozen=True, slots=True)
class Reply(Answer):
    """The answer to a request of a load. Seconds; `latency_s` counts from the moment at which the
    request was due, so that one that is sent late because others are slow is not thought fast.
    """

    due_s: float = 0.0
    late_s: float = 0.0
    latency_s: float = 0.0

    @property
    def milliseconds(self) -> float:
        """The latency."""
        return self.latency_s * 1000


Call = Callable[[], Awaitable[Answer]]


class Target:
    """A server and the request that it is sent again and again. Made where an event loop runs.

    The generator shares its cores with what it measures, and httpx takes three times the processor
    time that aiohttp takes (docs/performance.md).
    """

    def __init__(self, url: str, path: str, content: bytes, headers: dict[str, str]) -> None:
        self._client = aiohttp.ClientSession(
            url,
            timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
        )
        self._path, self._content, self._headers = path, content, headers

    @classmethod
    def upload(cls, url: str, document: Path | bytes, **fields: str) -> Target:
        """`POST /v1/extract` of a document."""
        data = document if isinstance(document, bytes) else document.read_bytes()
        built = httpx.Request("POST", url, files={"file": ("document", data)}, data=fields)
        kind = {"Content-Type": built.headers["Content-Type"]}
        return cls(url, "/v1/extract", built.read(), kind)

    async def __call__(self) -> Answer:
        """Send it once."""
        try:
            async with self._client.post(
                self._path, data=self._content, headers=self._headers, allow_redirects=False
            ) as response:
                return Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(0, body=type(error).__name__.encode())

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


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
    answer = await call()
    taken = time.perf_counter() - begun - due
    return Reply(
        answer.status, answer.headers, answer.body, due_s=due, late_s=late, latency_s=taken
    )
