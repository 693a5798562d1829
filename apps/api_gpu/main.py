"""The application around an engine: started before anything is served, watched while it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from apps.api_gpu.answering import Answering
from apps.api_gpu.endpoints import Desk
from apps.api_gpu.engine import TiltEngine
from apps.api_gpu.errors import error_response, not_found
from apps.api_gpu.guard import Guard
from apps.api_gpu.metrics import Metrics
from apps.api_gpu.settings import Settings
from apps.api_gpu.tracing import TracingMiddleware, build_tracer
from apps.api_gpu.vitals import Vitals
from lib.errors import Error, Kind

if TYPE_CHECKING:
    # Only newer ones have it; older ones ignore the argument.
    from fastapi.telemetry import TelemetryConfig

_MIB = 1024 * 1024

# FastAPI's own would record paths as sent and the texts of exceptions; ours is in `tracing`.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False, "metrics": False, "logs": False, "auto_configure": False,
}  # fmt: skip


def create_app(settings: Settings, engine: TiltEngine, on_death: Callable[[], None]) -> FastAPI:
    """The server's application. `on_death` is called once when the engine has died.

    Nothing is served before the engine has answered for the first time: until then a connection
    is refused, as with vLLM.
    """
    tracer = build_tracer(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await engine.start()
        metrics = Metrics()
        vitals = Vitals(
            engine,
            metrics,
            interval_s=settings.tilt_probe_interval_s,
            probe_timeout_s=settings.tilt_probe_timeout_s,
            on_death=on_death,
        )
        answering = Answering(
            engine,
            metrics,
            queue=settings.tilt_queue,
            decoders=settings.tilt_decoders,
            on_death=vitals.die,
        )
        await vitals.first(answering)
        desk = Desk(
            answering,
            vitals,
            metrics,
            model=settings.vllm_model,
            max_tokens=engine.limits.tokens,
            max_body_bytes=settings.tilt_max_body_mb * _MIB,
            body_timeout_s=settings.tilt_body_timeout_s,
            request_timeout_s=settings.tilt_request_timeout_s,
        )
        app.include_router(desk.router())
        watch = asyncio.create_task(vitals.watch(answering))
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await answering.close()
            await engine.stop()
            # It waits for the collector, in bounded time.
            await run_in_threadpool(tracer.stop)

    # No /docs and no /openapi.json: vLLM's open addresses are what one has to hide.
    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.add_exception_handler(HTTPException, _on_http)
    app.add_middleware(TracingMiddleware, tracer=tracer)
    key = settings.vllm_api_key
    app.add_middleware(Guard, api_key=None if key is None else key.get_secret_value())
    return app


def _on_http(_request: Request, exc: Exception) -> Response:
    """The framework's own 404 and 405 in our shape."""
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    if status == 405:
        error = Error("method_not_allowed", Kind.METHOD_NOT_ALLOWED, "Method Not Allowed")
        response = error_response(error)
        response.headers.update(getattr(exc, "headers", None) or {})
        return response
    return error_response(not_found("Not Found"))
