"""The span of a request, within the caller's trace where it names one."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.api_cpu.middleware import method_of, route_of
from apps.api_cpu.request_context import context_in
from apps.api_cpu.tracing.tracer import Tracer
from lib.domain.tracing import SpanKind

# Asked for every few seconds by machines.
_UNTRACED = frozenset({"/v1/health", "/metrics"})
_W3C_HEADERS = ("traceparent", "tracestate")
_SERVER_ERRORS = 500


class TracingMiddleware:
    """Pure ASGI. Names and attributes by OpenTelemetry's conventions for HTTP servers.

    A path as sent may hold anything, so a span has the route's template only.
    https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        tracer: Tracer = scope["app"].state.tracer
        context = context_in(scope)
        sent = Headers(scope=scope)
        carrier = {name: sent[name] for name in _W3C_HEADERS if name in sent}
        method = method_of(scope)
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with tracer.span(method, SpanKind.SERVER, carrier, attributes) as span:
            context.span = span

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.note({"http.response.status_code": status})
                    if status >= _SERVER_ERRORS:
                        span.fail(str(status))
                await send(message)

            try:
                await self._app(scope, receive, noted)
            finally:
                route = route_of(scope)
                span.rename(f"{method} {route}")
                span.note(
                    {
                        "http.route": route,
                        "ocr.request.id": context.request_id,
                        "ocr.key.id": context.key_id,
                        "ocr.job.id": context.job_id,
                    }
                )
