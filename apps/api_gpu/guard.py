"""What wraps every request, as pure ASGI: id, key, last resort, access log."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.api_gpu.errors import error_response, internal, unauthorized_response
from lib.errors import Error

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_log = logging.getLogger(__name__)


class Guard:
    """Outermost. The key guards `/v1` as vLLM's does; health and metrics are for the pod's own."""

    def __init__(self, app: ASGIApp, api_key: str | None) -> None:
        self._app = app
        self._expected = None if api_key is None else _digest(api_key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers.get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            if scope["path"].startswith("/v1") and not self._is_known(headers):
                await unauthorized_response()(scope, receive, send_with_id)
            else:
                await self._app(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 the last resort: nothing leaves without a body
            # Its text may quote the document.
            _log.error("unexpected %s, request %s", type(error).__name__, request_id)
            if not status:
                failure = error if isinstance(error, Error) else internal()
                await error_response(failure)(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "(no route)")
            took_ms = round((time.monotonic() - started) * 1000)
            if scope["path"].startswith("/v1"):
                _log.info("%s %s %d %d ms", request_id, route, status, took_ms)

    def _is_known(self, headers: Headers) -> bool:
        if self._expected is None:
            return True
        scheme, _, key = headers.get("authorization", "").partition(" ")
        # Digests have one length, so the comparison says nothing about the key's.
        return hmac.compare_digest(_digest(key), self._expected) and scheme.lower() == "bearer"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _request_id(sent: str) -> str:
    return sent if _REQUEST_ID.match(sent) else secrets.token_hex(16)
