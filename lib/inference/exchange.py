"""One request to one inference server: the only importer of httpcore and httpx in this package."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import anyio
import httpcore
import httpx

from lib.domain.tracing import Attributes
from lib.inference.failures import Cause, Failure, failure_of
from lib.inference.secret import Secret

_LARGEST_ERROR_BODY = 64 * 1024
_KEEPALIVE_S = 4.0
"""uvicorn, and with it vLLM, closes an idle connection after 5 s: ours are given up before."""

_PORTS = {"http": 80, "https": 443}
_BROKEN = (httpcore.NetworkError, httpcore.RemoteProtocolError, httpcore.ConnectionNotAvailable)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Longest waits of one attempt in seconds: for a TCP and TLS connection, for the next bytes,
    until bytes can be sent, for a place among the connections. Together they bound the whole
    attempt, which a server that drips its bytes would otherwise stretch for ever.
    """

    connect_s: float = 5.0
    read_s: float = 120.0
    write_s: float = 30.0
    pool_s: float = 5.0

    @property
    def attempt_s(self) -> float:
        """Longest duration of an attempt."""
        return self.connect_s + self.read_s + self.write_s + self.pool_s


class Exchange:
    """Connections to one server. Belongs to one event loop.

    They are kept here, and the one used last is used next: httpcore's pool looks through all its
    connections for each request, which at 64 costs 5 ms of CPU a call, and httpx over a pool of one
    costs 0.2 ms more than the connection itself. It follows no redirect and no proxy variable.
    """

    def __init__(
        self,
        address: str,
        key: Secret,
        timeouts: Timeouts,
        max_connections: int,
        max_body_bytes: int,
    ) -> None:
        self._base = httpx.URL(address)
        self._host = self._base.netloc.decode("ascii")
        self._targets: dict[str, httpcore.URL] = {}
        self._attributes: dict[str, Attributes] = {}
        self._headers = {
            **key.headers(),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "ocr-service",
        }
        self._timeouts = timeouts
        self._max_body_bytes = max_body_bytes
        self._places = anyio.Semaphore(max_connections)
        self._idle: deque[tuple[float, httpcore.AsyncHTTPConnection]] = deque()
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    def attributes(self, route: str) -> Attributes:
        """What a trace says of a request.

        https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
        """
        if route not in self._attributes:
            url = self._url(route)
            self._attributes[route] = {
                "http.request.method": "POST",
                "server.address": url.host,
                "server.port": url.port or _PORTS.get(url.scheme),
                "url.full": str(url),
            }
        return self._attributes[route]

    async def post(
        self, route: str, body: bytes, headers: Mapping[str, str], *, fresh: bool = False
    ) -> bytes:
        """The body of a 200; with `fresh` on a new connection. Raises `Failure` for all else.

        `headers` are sent besides the usual ones.
        """
        headers = {**headers, **self._headers, "Content-Type": "application/json"}
        request = self._request("POST", route, headers, body)
        with anyio.move_on_after(self._timeouts.attempt_s):
            await self._take_place()
            try:
                return await self._sent(request, None if fresh else await self._kept())
            finally:
                self._places.release()
        raise Failure(Cause.TIMEOUT)

    async def get(self, route: str, within_s: float) -> bytes:
        """The body of a 200, in that time on a connection of its own. Raises `Failure`."""
        await self._let_go(before=time.monotonic() - _KEEPALIVE_S)
        with anyio.move_on_after(within_s):
            return await self._sent(self._request("GET", route, self._headers), None)
        raise Failure(Cause.TIMEOUT)

    async def close(self) -> None:
        """Close idle connections now, and those in use when their requests end."""
        self._closed = True
        await self._let_go()

    def _request(
        self, method: str, route: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> httpcore.Request:
        waits = self._timeouts
        limits = {"connect": waits.connect_s, "read": waits.read_s, "write": waits.write_s}
        sent = {"Host": self._host, **headers}
        if body is not None:
            sent["Content-Length"] = str(len(body))
        return httpcore.Request(
            method,
            self._target(route),
            headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()],
            content=body,
            extensions={"timeout": limits},
        )

    def _target(self, route: str) -> httpcore.URL:
        if route not in self._targets:
            url = self._url(route)
            self._targets[route] = httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            )
        return self._targets[route]

    def _url(self, route: str) -> httpx.URL:
        return self._base.copy_with(path=self._base.path.rstrip("/") + route)

    async def _take_place(self) -> None:
        """Have one of the connections that are allowed at once."""
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(self._timeouts.pool_s) as waiting:
                await self._places.acquire()
            if waiting.cancelled_caught:
                raise Failure(Cause.NO_CONNECTION_FREE) from None

    async def _kept(self) -> httpcore.AsyncHTTPConnection | None:
        """The connection used last, unless the server has closed it or is about to."""
        while self._idle and self._idle[-1][0] > time.monotonic() - _KEEPALIVE_S:
            connection = self._idle.pop()[1]
            if not connection.has_expired():
                return connection
            await _closed(connection)
        return None

    async def _sent(
        self, request: httpcore.Request, kept: httpcore.AsyncHTTPConnection | None
    ) -> bytes:
        """The body of a 200, on a kept connection or a new one, which is kept when all is read."""
        connection = kept or self._connection(request.url.origin)
        whole = False
        try:
            response = await connection.handle_async_request(request)
            try:
                body = await self._received(response)
            finally:
                await response.aclose()
            whole = True
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            raise Failure(Cause.CONNECT) from None
        except httpcore.TimeoutException:
            raise Failure(Cause.TIMEOUT) from None
        except _BROKEN:
            if kept is None:
                raise Failure(Cause.RESET) from None
            await self._let_go()  # what happened to this one happened to the others
            raise Failure(Cause.STALE_CONNECTION) from None
        except httpcore.ProtocolError:
            raise Failure(Cause.NOT_THE_PROTOCOL) from None
        finally:
            if whole and connection.is_available() and not self._closed:
                self._idle.append((time.monotonic(), connection))
            else:
                await _closed(connection)
        return self._judged(response, body)

    async def _received(self, response: httpcore.Response) -> bytes:
        """The raw body; when it is longer than allowed, somewhat more than that of it.

        Raw: we asked for no compression, and what comes compressed all the same is not inflated.
        """
        good = response.status == HTTPStatus.OK
        most = self._max_body_bytes if good else _LARGEST_ERROR_BODY
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > most:
                break
        return bytes(body)

    def _judged(self, response: httpcore.Response, body: bytes) -> bytes:
        if response.status != HTTPStatus.OK:
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            raise failure_of(response.status, headers, body[:_LARGEST_ERROR_BODY])
        if len(body) > self._max_body_bytes:
            raise Failure(Cause.ANSWER_TOO_LARGE)
        return body

    def _connection(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        """One that connects with its first request."""
        if self._tls is None and origin.scheme == b"https":
            self._tls = httpx.create_ssl_context(trust_env=False)
        return httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._tls, keepalive_expiry=_KEEPALIVE_S
        )

    async def _let_go(self, before: float = float("inf")) -> None:
        """Close the connections that have not been used since that moment."""
        while self._idle and self._idle[0][0] < before:
            await _closed(self._idle.popleft()[1])


async def _closed(connection: httpcore.AsyncHTTPConnection) -> None:
    """Close it, also where the request was given up."""
    with anyio.CancelScope(shield=True):
        await connection.aclose()
