"""Which web pages may use the server: its host names, its own page, and origins that are named.

Whoever has to send a key cannot be impersonated by a page that somebody visits, since no cookie
goes with its requests. Without keys the network is the only credential, and a browser lends it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.api_cpu.errors import error_response
from apps.api_cpu.request_context import context_in
from lib.errors import Error, Kind

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, "
    "Prefer, X-API-Key, X-Request-ID, X-Upload-Token",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = (
    "Content-Disposition, Idempotent-Replayed, Location, Preference-Applied, RateLimit, "
    "RateLimit-Policy, Retry-After, X-Request-ID"
)
# Of the browser, which no script can set: https://www.w3.org/TR/fetch-metadata/
_OWN_PAGE = frozenset({"same-origin", "none"})


class HostMiddleware:
    """Answers only to addresses, `localhost` and `names`.

    A page on the web can have its own name resolve to this machine (DNS rebinding), and its scripts
    then read what they like. They cannot choose the `Host` header.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not self._is_ours(Headers(scope=scope).get("host", "")):
            await _refuse(
                scope,
                receive,
                send,
                "This server answers only to an IP address, to `localhost` and to names that "
                "ALLOWED_HOSTS gives it.",
            )
            return
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        name = name.lower().rstrip(".")
        if name in {"", "localhost"} or name.endswith(".localhost") or name in self._names:
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


class OwnPageMiddleware:
    """For a server without keys: refuses requests that a page of another origin makes.

    It could not read the answer, but begin work, and have it told to a `callback_url` of its own.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not self._is_welcome(Headers(scope=scope)):
            await _refuse(
                scope,
                receive,
                send,
                "Without keys, this server takes requests of no other page than its own and those "
                "of CORS_ORIGINS.",
            )
            return
        await self._app(scope, receive, send)

    def _is_welcome(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return True
        if headers.get("sec-fetch-site") in _OWN_PAGE:  # a proxy may have changed the host
            return True
        return origin.partition("://")[2].lower() == headers.get("host", "").lower()


class CorsMiddleware:
    """Lets pages of `origins` read the answers (https://fetch.spec.whatwg.org/#http-cors-protocol).

    There are no cookies, so no credentials are allowed; everybody else is answered as without it.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        origin = headers.get("origin", "")
        if origin not in self._origins:
            await self._app(scope, receive, send)
            return
        context_in(scope).headers.update(
            {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Expose-Headers": _EXPOSED,
                "Vary": "Origin",
            }
        )
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, message: str) -> None:
    error = Error("bad_request", Kind.BAD_REQUEST, message)
    await error_response(error, context_in(scope).request_id)(scope, receive, send)
