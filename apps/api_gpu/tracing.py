"""Traces: a document's request as a part of the trace of whoever sent it."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.api_gpu.settings import Settings
from apps.tracing.http import carrier_of, first_attributes, noting_status
from apps.tracing.tracer import NoTracer, Tracer
from lib.domain.tracing import Span, SpanKind

_NAME, _PACKAGE = "ocr-inference", "ocr-service"
_log = logging.getLogger(__name__)


def build_tracer(settings: Settings) -> Tracer:
    """The tracer that the settings ask for; OpenTelemetry's SDK must be there for any but none."""
    if settings.traces_endpoint is None:
        return NoTracer()
    # Imported here: the fork's environment need not have it.
    from apps.tracing.otel import OtelTracer, Program  # noqa: PLC0415

    return OtelTracer(settings.traces_endpoint, Program(_NAME, _version()), _say)


def sdk_is_missing(settings: Settings) -> bool:
    """Whether traces are asked for in an environment that cannot make them."""
    if settings.traces_endpoint is None:
        return False
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is None
    except ModuleNotFoundError:  # a package that it lies in
        return True


def span_of(connection: HTTPConnection) -> Span:
    """The span of a request to `/v1`."""
    span: Span = connection.state.span
    return span


class TracingMiddleware:
    """Pure ASGI, within `Guard`: of requests with the key, those that bring a document."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        # The others are asked for every few seconds by machines.
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        attributes = {**first_attributes("POST", scope), "ocr.request.id": _request_id(scope)}
        with self._tracer.span("POST", SpanKind.SERVER, carrier_of(scope), attributes) as span:
            scope["state"]["span"] = span
            try:
                await self._app(scope, receive, noting_status(span, send))
            finally:
                route = getattr(scope.get("route"), "path", None)
                span.rename(f"POST {route}" if route else "POST")
                span.note({"http.route": route})


def _request_id(scope: Scope) -> str:
    found: str = scope["state"]["request_id"]
    return found


def _version() -> str:
    """Of the package; a pod runs a checkout of it."""
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return "checkout"


def _say(took: bool) -> None:
    if took:
        _log.info("the collector of traces is back")
    else:
        _log.warning("the collector of traces takes none: they are dropped meanwhile")
