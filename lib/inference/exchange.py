"""Requests to one inference server, and the connections on which they are made."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

from lib.domain.tracing import Attributes
from lib.inference.connection import Answer, Connection, Request, Timeouts, Unasked, Watch
from lib.inference.failures import Cause, Failure, failure_of
from lib.inference.secret import Secret

_LARGEST_ERROR_BODY = 64 * 1024
_KEEPALIVE_S = 4.0
"""uvicorn, and with it vLLM, closes an idle connection after 5 s: ours are given up before."""

_PORTS = {"http": 80, "https": 443}


class Exchange:
    """One server. Safe between threads: each makes its own requests, and waits for its answer.

    The connection used last is used next. No redirect and no proxy variable is followed.
    """

    def __init__(
        self,
        address: str,
        key: Secret,
        timeouts: Timeouts,
        max_connections: int,
        max_body_bytes: int,
    ) -> None:
        """`address` as in an `AddressBook`. No connection is opened yet."""
        self._address = address
        self._attributes: dict[str, Attributes] = {}
        self._headers = {
            **key.headers(),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "ocr-service",
        }
        self._timeouts = timeouts
        self._max_connections = max_connections
        self._max_body_bytes = max_body_bytes
        self._changed = threading.Condition()
        self._in_use = 0
        self._idle: deque[tuple[float, Connection]] = deque()
        self._closed = False

    def attributes(self, route: str) -> Attributes:
        """What a trace says of a request.

        https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
        """
        if route not in self._attributes:
            url = urlsplit(self._address + route)
            self._attributes[route] = {
                "http.request.method": "POST",
                "server.address": url.hostname,
                "server.port": url.port or _PORTS.get(url.scheme),
                "url.full": url.geturl(),
            }
        return self._attributes[route]

    def post(self, route: str, body: bytes, headers: Mapping[str, str], watch: Watch) -> bytes:
        """The body of a 200. Raises `Failure` for all else, and `Ended`.

        `headers` are sent besides the usual ones.
        """
        headers = {**headers, **self._headers, "Content-Type": "application/json"}
        within_s = self._timeouts.attempt_s - self._timeouts.pool_s  # which is waited before
        request = self._request(route, headers, body, within_s)
        with self._place(watch):
            return self._judged(self._answer(request, watch))

    def get(self, route: str, within_s: float, watch: Watch) -> bytes:
        """The body of a 200 within that time; takes no place. Raises `Failure`, `Ended`."""
        return self._judged(
            self._answer(self._request(route, self._headers, None, within_s), watch)
        )

    def let_go(self, idle_for_s: float = 0.0) -> None:
        """Close the connections that were not used for so long."""
        before = time.monotonic() - idle_for_s
        with self._changed:
            old = []
            while self._idle and self._idle[0][0] <= before:
                old.append(self._idle.popleft()[1])
        for connection in old:
            connection.close()

    def close(self) -> None:
        """Close idle connections now, and those in use when their requests end."""
        with self._changed:
            self._closed = True
        self.let_go()

    def _answer(self, request: Request, watch: Watch) -> Answer:
        """What comes on a kept connection or a new one, which is kept when all is read."""
        connection = self._kept() or Connection(self._timeouts)
        try:
            return connection.answer(request, watch)
        except Unasked:
            pass
        finally:
            if connection.replaced:
                self.let_go()  # what happened to this one happened to the others
                watch.replaced()
            self._put_back(connection)
        watch.replaced()
        return self._answer(request, watch)

    def _request(
        self, route: str, headers: Mapping[str, str], body: bytes | None, within_s: float
    ) -> Request:
        return Request(self._address + route, headers, body, within_s, self._max_body_bytes)

    @contextmanager
    def _place(self, watch: Watch) -> Iterator[None]:
        """Have one of the connections that are allowed at once. Raises `Failure`, `Ended`."""
        with self._changed:
            if self._in_use >= self._max_connections:
                self._wait_for_place(watch)
            self._in_use += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_use -= 1
                self._changed.notify_all()

    def _wait_for_place(self, watch: Watch) -> None:
        def is_over() -> bool:
            return self._in_use < self._max_connections or watch.ended.is_set

        def look_again() -> None:
            with self._changed:
                self._changed.notify_all()

        with watch.ended.calling(look_again):
            self._changed.wait_for(is_over, min(self._timeouts.pool_s, watch.deadline.remaining()))
        watch.check()
        if self._in_use >= self._max_connections:
            raise Failure(Cause.NO_CONNECTION_FREE)

    def _kept(self) -> Connection | None:
        """The connection used last, unless the server has closed it or is about to."""
        self.let_go(_KEEPALIVE_S)
        while True:
            with self._changed:
                connection = self._idle.pop()[1] if self._idle else None
            if connection is None or connection.is_quiet:
                return connection
            connection.close()

    def _put_back(self, connection: Connection) -> None:
        keep = connection.is_quiet
        with self._changed:
            keep = keep and not self._closed
            if keep:
                self._idle.append((time.monotonic(), connection))
        if not keep:
            connection.close()

    def _judged(self, answer: Answer) -> bytes:
        if answer.status != HTTPStatus.OK:
            raise failure_of(answer.status, answer.retry_after_s, answer.body[:_LARGEST_ERROR_BODY])
        if len(answer.body) > self._max_body_bytes:
            raise Failure(Cause.ANSWER_TOO_LARGE)
        return answer.body
