"""The span of a request, within the caller's trace where it names one."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from apps.api_cpu.middleware import method_of, route_of
from apps.api_cpu.request_context import context_in
from apps.tracing.http import carrier_of, first_attributes, noting_status
from apps.tracing.tracer import Tracer
from lib.domain.tracing import SpanKind

# Asked for every few seconds by machines.
_UNTRACED = frozenset({"/v1/health", "/metrics"})


class TracingMiddleware:
    """Pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        tracer: Tracer = scope["app"].state.tracer
        context = context_in(scope)
        method = method_of(scope)
        attributes = first_attributes(method, scope)
        with tracer.span(method, SpanKind.SERVER, carrier_of(scope), attributes) as span:
            context.span = span
            try:
                await self._app(scope, receive, noting_status(span, send))
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
