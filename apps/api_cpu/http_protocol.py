"""HTTP/1.1 as we speak it: our envelope for what is not HTTP, no connection held for ever, and no
more connections than there is room for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import h11
from starlette.datastructures import Headers
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from apps.api_cpu.errors import error_response
from apps.api_cpu.request_context import (
    context_in,
    has_context,
    is_request_id,
    new_request_id,
)
from apps.api_cpu.security_headers import SECURITY_HEADERS
from lib.errors import Error, Kind

# As h11 has it by itself.
_MOST_OF_HEAD = 16 * 1024


class _WholeAnswers(h11.Connection):
    """The server's side of a connection, where a head waits for the beginning of its body.

    uvicorn writes the one and then the other: the first would wake a client for an answer that has
    not come, and who is to write the rest would then wait for a processor.
    """

    def __init__(
        self,
        most_of_head: int,
        loop: asyncio.AbstractEventLoop,
        write: Callable[[bytes], None],
    ) -> None:
        """`write` sends a head alone whose body has not begun by the loop's next turn."""
        super().__init__(h11.SERVER, most_of_head)
        self._loop = loop
        self._write = write
        self._head: list[bytes] = []

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """What is to be written for an event, in pieces; for a head nothing yet."""
        pieces = super().send_with_data_passthrough(event)
        if pieces is None:
            return None
        if isinstance(event, h11.Response):
            self._head = pieces
            self._loop.call_soon(self._send_head)
            return []
        pieces[:0], self._head = self._head, []
        return pieces

    def _send_head(self) -> None:
        if self._head:
            self._write(b"".join(self._head))
            self._head = []


class EnvelopeProtocol(H11Protocol):
    """uvicorn's protocol with limits on a client's slowness, which uvicorn has only when idle.

    While a request is served nothing is timed here: the endpoints have deadlines of their own.
    """

    head_s = 15.0
    """Seconds for a connection to send the next request's head, however it drips."""
    linger_s = 5.0
    """Seconds for which the rest of a body is read and dropped once its request is answered."""
    stall_s = 60.0
    """Seconds for a client to take what was written before more is."""

    most_connections = 512
    """Connections open at once; one more is told 503 before it has asked anything."""
    refused_s = 1.0
    """Seconds for a client to take that."""

    _refused = False
    _patience: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, but not for long."""
        super().connection_made(transport)
        self.conn = _WholeAnswers(
            self.config.h11_max_incomplete_event_size or _MOST_OF_HEAD, self.loop, transport.write
        )
        if len(self.connections) > self.most_connections:
            self._refuse()
        else:
            self._wait_at_most(self.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._wait_at_most(None)
        self._cancel_stall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on; once a request has begun it is not the protocol that times it."""
        if self._refused:
            return
        super().data_received(data)
        if self._is_serving:
            self._wait_at_most(None)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for what is left of a body that nobody wants."""
        super().on_response_complete()
        if not self._is_serving:
            is_cut = self.conn.their_state is h11.SEND_BODY
            self._wait_at_most(self.linger_s if is_cut else self.head_s)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        super().pause_writing()
        self._cancel_stall()
        self._stalled = self.loop.call_later(self.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read it."""
        super().resume_writing()
        self._cancel_stall()

    def send_400_response(self, msg: str) -> None:
        """Answer 400 and close the connection; `msg` is uvicorn's own text and is not sent."""
        error = Error("bad_request", Kind.BAD_REQUEST, "The request is not valid HTTP.")
        status, headers, body = _plain(error, self._request_id())
        for event in (
            h11.Response(status_code=status, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _refuse(self) -> None:
        """Say that there are too many, and hear nothing. Without the end that the client sees, its
        request would meet a closed connection, which may take the answer away from it.
        """
        self._refused = True
        status, headers, body = _plain(_too_many_connections(), new_request_id())
        head = [f"HTTP/1.1 {status} Service Unavailable".encode()]
        head += [b"%s: %s" % header for header in headers]
        self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._wait_at_most(self.refused_s)

    @property
    def _is_serving(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _request_id(self) -> str:
        """Of a request whose body is what is broken: the id that its artifact will have."""
        if not self._is_serving:
            return new_request_id()
        scope = cast(Scope, self.scope)
        if has_context(scope):
            return context_in(scope).request_id
        # It arrived in one piece with its head, so nobody has looked at it yet.
        sent = Headers(raw=self.headers).get("x-request-id", "")
        return sent if is_request_id(sent) else new_request_id()

    def _wait_at_most(self, seconds: float | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = (
            None if seconds is None else self.loop.call_later(seconds, self.transport.abort)
        )

    def _cancel_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def protocol_with(most_connections: int) -> type[EnvelopeProtocol]:
    """The protocol for a server that holds so many connections."""
    return type("Protocol", (EnvelopeProtocol,), {"most_connections": most_connections})


def _plain(error: Error, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of an answer that no request leads to."""
    response = error_response(error, request_id)
    named = {b"content-type", b"content-length", b"retry-after"}
    headers = [header for header in response.raw_headers if header[0] in named]
    headers += [(b"x-request-id", request_id.encode()), (b"connection", b"close")]
    headers += [(name.lower().encode(), text.encode()) for name, text in SECURITY_HEADERS.items()]
    return response.status_code, headers, bytes(response.body)


def _too_many_connections() -> Error:
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "Too many connections are open.",
        {"reason": "overloaded", "retry_after_s": 5},
        retryable=True,
    )
