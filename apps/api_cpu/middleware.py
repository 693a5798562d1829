"""What wraps every request, as pure ASGI: id, last resort, access log, headers, body limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.api_cpu import logs
from apps.api_cpu.errors import error_response, internal_error, invalid
from apps.api_cpu.request_context import (
    RequestContext,
    attach,
    is_request_id,
    new_request_id,
)
from lib.errors import Error, Kind

_LONGEST_METHOD = 20
# Bytes a second: slower than any connection that a document can be sent over.
_SLOWEST_BODY = 10 * 1024


class RequestMiddleware:
    """Outermost: gives each request its id, answers what nobody else did, and logs one line."""

    def __init__(self, app: ASGIApp, security_headers: Mapping[str, str]) -> None:
        self._app = app
        self._security_headers = security_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        sent_id = Headers(scope=scope).get("x-request-id")
        id_is_good = sent_id is None or is_request_id(sent_id)
        made_id = None if sent_id and id_is_good else new_request_id()
        context = RequestContext(made_id or sent_id or "", made_id=made_id)
        attach(scope, context)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = context.request_id
                headers.update(context.headers)
                for name, value in self._security_headers.items():
                    headers.setdefault(name, value)
            await send(message)

        with logs.within(context):
            try:
                if id_is_good:
                    await self._app(scope, receive, send_with_headers)
                else:
                    bad_id = invalid("X-Request-ID", "must match the pattern of request ids")
                    answer = error_response(bad_id, context.request_id)
                    await answer(scope, receive, send_with_headers)
            except Exception as exc:  # noqa: BLE001 the 500 handler: nothing may leave without an envelope
                logs.unexpected(exc, request_id=context.request_id, path=route_of(scope))
                if status == 0:
                    answer = error_response(internal_error(), context.request_id)
                    await answer(scope, receive, send_with_headers)
            finally:
                logs.info(
                    "request",
                    request_id=context.request_id,
                    key_id=context.key_id,
                    method=method_of(scope),
                    path=route_of(scope),
                    status=status,
                    ms=round((time.monotonic() - started) * 1000),
                )


class BodyLimitMiddleware:
    """Stops reading a body at `limit` bytes, whether or not its length was announced.

    The bodies of all requests in hand have `together` bytes; what would be more gets 503. The paths
    of `streamed` have limits of their own and are not counted: they do not hold their bodies.
    """

    def __init__(
        self, app: ASGIApp, limit: int, together: int, streamed: Mapping[str, int]
    ) -> None:
        self._app = app
        self._limit = limit
        self._together = together
        self._streamed = streamed
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with a counting `receive`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_held = scope["path"] not in self._streamed
        limit = self._limit if is_held else self._streamed[scope["path"]]
        announced = Headers(scope=scope).get("content-length", "")
        too_long = announced.isdigit() and int(announced[:20]) > limit
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            if too_long:
                raise body_too_large(limit)
            message = await receive()
            if message["type"] == "http.request":
                size = len(message.get("body", b""))
                seen += size
                self._held += size if is_held else 0
                if self._held > self._together:
                    # Before its failure is written down, so that the others need not fail too.
                    self._held, seen = self._held - seen, 0
                    raise _too_many_bodies()
                if seen > limit:
                    raise body_too_large(limit)
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= seen if is_held else 0


class SlowBodyMiddleware:
    """Ends the wait for a body that comes too slowly, however it drips.

    A body may keep the server waiting for `patience_s` and a second more for each 10 KiB that has
    come, but never longer than `patience_s` for its next bytes. Time in which the server itself
    does not read does not count.
    """

    def __init__(self, app: ASGIApp, patience_s: float) -> None:
        self._app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with a timed `receive`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_whole = False
        left_s = self._patience_s

        async def timed() -> Message:
            nonlocal is_whole, left_s
            if is_whole:
                return await receive()
            clock = asyncio.get_running_loop().time
            started = clock()
            try:
                async with asyncio.timeout(min(left_s, self._patience_s)):
                    message = await receive()
            except TimeoutError:
                raise Error(
                    "bad_request", Kind.BAD_REQUEST, "The body did not arrive in time."
                ) from None
            left_s += len(message.get("body", b"")) / _SLOWEST_BODY - (clock() - started)
            is_whole = not message.get("more_body", False)
            return message

        await self._app(scope, timed, send)


def _too_many_bodies() -> Error:
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "Too many documents are being received.",
        {"retry_after_s": 5},
        retryable=True,
    )


def body_too_large(limit: int) -> Error:
    """413 with the limit in bytes."""
    return Error("payload_too_large", Kind.TOO_LARGE, "The request is too large.", {"limit": limit})


def method_of(scope: Scope) -> str:
    """The method as it was sent, where it is a word."""
    sent = str(scope["method"])
    return sent if sent.isalpha() and len(sent) <= _LONGEST_METHOD else "?"


def route_of(scope: Scope) -> str:
    """The route's template: a path as sent may hold anything, so it is not logged."""
    route = scope.get("route")
    return str(getattr(route, "path", "")) or "(no route)"
