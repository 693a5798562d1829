"""One request to one inference server: the only importer of httpx in this package."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

import anyio
import httpx

from lib.inference.failures import Cause, Failure, failure_of

_LARGEST_ERROR_BODY = 64 * 1024
_KEEPALIVE_S = 4.0
"""uvicorn, and with it vLLM, closes an idle connection after 5 s: ours are given up before."""

_BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Longest waits of one attempt in seconds: for a TCP and TLS connection, for the next bytes,
    until bytes can be sent, for a free connection. Together they bound the whole attempt, which a
    server that drips its bytes would otherwise stretch for ever.
    """

    connect_s: float = 5.0
    read_s: float = 120.0
    write_s: float = 30.0
    pool_s: float = 5.0

    @property
    def attempt_s(self) -> float:
        """Longest duration of an attempt."""
        return self.connect_s + self.read_s + self.write_s + self.pool_s


class Secret:
    """A key that shows nowhere: not in a repr, an exception or a log record."""

    def __init__(self, value: str) -> None:
        """Raises ValueError, without the key, for one that no HTTP header can carry."""
        if not all("!" <= character <= "~" for character in value):
            raise ValueError("the key has a character that a header cannot carry")
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret()"

    def headers(self) -> dict[str, str]:
        """The `Authorization` header; none without a key."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}


class Exchange:
    """Connections to one server. Belongs to one event loop."""

    def __init__(
        self,
        address: str,
        key: Secret,
        timeouts: Timeouts,
        max_connections: int,
        max_body_bytes: int,
    ) -> None:
        self._address = address
        self._key = key
        self._timeouts = timeouts
        self._max_connections = max_connections
        self._max_body_bytes = max_body_bytes

    @cached_property
    def _pooled(self) -> httpx.AsyncClient:
        return self._client(keepalive=self._max_connections)

    @cached_property
    def _fresh(self) -> httpx.AsyncClient:
        """For the try after a connection turned out stale: others of the pool may be as well."""
        return self._client(keepalive=0)

    def _client(self, keepalive: int) -> httpx.AsyncClient:
        waits = self._timeouts
        return httpx.AsyncClient(
            base_url=self._address,
            headers={**self._key.headers(), "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(
                connect=waits.connect_s, read=waits.read_s, write=waits.write_s, pool=waits.pool_s
            ),
            limits=httpx.Limits(
                max_connections=self._max_connections,
                max_keepalive_connections=keepalive,
                keepalive_expiry=_KEEPALIVE_S,
            ),
            follow_redirects=False,  # a redirect may lead to an address that only we can reach
            trust_env=False,
            verify=_tls() if self._address.startswith("https:") else False,
        )

    async def post(
        self, route: str, body: bytes, request_id: str | None = None, *, fresh: bool = False
    ) -> bytes:
        """The body of a 200. Raises `Failure` for everything else."""
        headers = {"Content-Type": "application/json"}
        if request_id is not None:
            headers["X-Request-Id"] = request_id
        client = self._fresh if fresh else self._pooled
        return await self._within(
            self._timeouts.attempt_s, client, "POST", route, headers=headers, content=body
        )

    async def get(self, route: str, within_s: float) -> bytes:
        """The body of a 200, in that time on a connection of its own. Raises `Failure`."""
        return await self._within(within_s, self._fresh, "GET", route)

    async def close(self) -> None:
        """Close every connection; calls under way fail."""
        for client in ("_pooled", "_fresh"):
            if client in self.__dict__:
                await self.__dict__[client].aclose()

    async def _within(
        self, seconds: float, client: httpx.AsyncClient, method: str, route: str, **request: Any
    ) -> bytes:
        with anyio.move_on_after(seconds):
            return await self._send(client, method, route, request)
        raise Failure(Cause.TIMEOUT)

    async def _send(
        self, client: httpx.AsyncClient, method: str, route: str, request: dict[str, Any]
    ) -> bytes:
        opened: list[str] = []
        extensions = {"trace": _noting_connections(opened)}
        try:
            async with client.stream(method, route, extensions=extensions, **request) as response:
                return await self._received(response)
        except httpx.PoolTimeout:
            raise Failure(Cause.NO_CONNECTION_FREE) from None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise Failure(Cause.CONNECT) from None
        except httpx.TimeoutException:
            raise Failure(Cause.TIMEOUT) from None
        except _BROKEN:
            cause = Cause.RESET if opened else Cause.STALE_CONNECTION
            raise Failure(cause) from None
        except httpx.HTTPError:
            raise Failure(Cause.NOT_THE_PROTOCOL) from None

    async def _received(self, response: httpx.Response) -> bytes:
        if response.status_code != HTTPStatus.OK:
            body = await _up_to(response, _LARGEST_ERROR_BODY)
            raise failure_of(response.status_code, response.headers, body[:_LARGEST_ERROR_BODY])
        # We asked for no compression: what comes compressed all the same is never inflated.
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Failure(Cause.NOT_THE_PROTOCOL)
        body = await _up_to(response, self._max_body_bytes)
        if len(body) > self._max_body_bytes:
            raise Failure(Cause.ANSWER_TOO_LARGE)
        return body


async def _up_to(response: httpx.Response, most: int) -> bytes:
    """The raw body; when it is longer than `most` bytes, somewhat more than those."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most:
            break
    return bytes(body)


def _noting_connections(opened: list[str]) -> Callable[[str, dict[str, Any]], Any]:
    """A httpcore trace: notes when the request opens a connection instead of using an old one."""

    async def trace(event: str, _: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            opened.append(event)

    return trace


def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
