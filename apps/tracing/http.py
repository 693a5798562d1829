"""The span of a request: the trace that it belongs to, and how it was answered.

Names and attributes by OpenTelemetry's conventions for HTTP servers. A path as sent may hold
anything, so a span has the route's template only.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Message, Scope, Send

from apps.tracing.tracer import Carrier
from lib.domain.tracing import Attributes, Span

_W3C_HEADERS = ("traceparent", "tracestate")
_SERVER_ERRORS = 500


def carrier_of(scope: Scope) -> Carrier:
    """What a request says of its caller's trace."""
    sent = Headers(scope=scope)
    return {name: sent[name] for name in _W3C_HEADERS if name in sent}


def first_attributes(method: str, scope: Scope) -> Attributes:
    """What is known before it is answered; `method` is one that is known, or `_OTHER`."""
    return {"http.request.method": method, "url.scheme": scope["scheme"]}


def noting_status(span: Span, send: Send) -> Send:
    """`send`, which tells the span how the request is answered; a fault of ours is a failure."""

    async def noted(message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            span.note({"http.response.status_code": status})
            if status >= _SERVER_ERRORS:
                span.fail(str(status))
        await send(message)

    return noted
