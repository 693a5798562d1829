"""The application: `create_app` puts the pieces together; nothing happens at import time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from apps.api_cpu import errors, logs, openapi
from apps.api_cpu.archive.endpoints import router as archive
from apps.api_cpu.artifacts.endpoints import router as artifacts
from apps.api_cpu.artifacts.schemas import Artifact
from apps.api_cpu.auth.endpoints import AccessLimits
from apps.api_cpu.auth.endpoints import router as auth
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.batches.endpoints import SHOWN_MODELS as BATCH_MODELS
from apps.api_cpu.batches.endpoints import UPLOAD_PATHS
from apps.api_cpu.batches.endpoints import router as batches
from apps.api_cpu.batches.receiving import MOST_UPLOADS
from apps.api_cpu.browser_access import CorsMiddleware, HostMiddleware, OwnPageMiddleware
from apps.api_cpu.corrections.endpoints import SHOWN_MODELS as CORRECTION_MODELS
from apps.api_cpu.corrections.endpoints import router as corrections
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.debug.endpoints import SHOWN_MODELS as DEBUG_MODELS
from apps.api_cpu.debug.endpoints import router as debug
from apps.api_cpu.evals.endpoints import SHOWN_MODELS as EVAL_MODELS
from apps.api_cpu.evals.endpoints import router as evals
from apps.api_cpu.exports.endpoints import router as exports
from apps.api_cpu.exports.service import ExportService
from apps.api_cpu.extractions.admission import Admission
from apps.api_cpu.extractions.endpoints import SHOWN_MODELS
from apps.api_cpu.extractions.endpoints import router as extractions
from apps.api_cpu.extractions.refusals import Refusals
from apps.api_cpu.extractions.turns import AdmissionLimits
from apps.api_cpu.health.endpoints import router as health
from apps.api_cpu.health.service import Readiness
from apps.api_cpu.held_open import HeldOpen
from apps.api_cpu.inputs.endpoints import SHOWN_MODELS as INPUT_MODELS
from apps.api_cpu.inputs.endpoints import router as inputs
from apps.api_cpu.jobs.endpoints import SHOWN_MODELS as JOB_MODELS
from apps.api_cpu.jobs.endpoints import router as jobs
from apps.api_cpu.jobs.events import router as job_events
from apps.api_cpu.long_work import LongWork
from apps.api_cpu.metrics.endpoints import router as metrics_page
from apps.api_cpu.metrics.middleware import MetricsMiddleware
from apps.api_cpu.metrics.registry import Metrics
from apps.api_cpu.middleware import (
    BodyLimitMiddleware,
    RequestMiddleware,
    SlowBodyMiddleware,
)
from apps.api_cpu.pages.endpoints import router as pages
from apps.api_cpu.rate_limits import RateLimit
from apps.api_cpu.runs.endpoints import SHOWN_MODELS as RUN_MODELS
from apps.api_cpu.runs.endpoints import router as runs
from apps.api_cpu.security_headers import security_headers
from apps.api_cpu.services import Services, build_services
from apps.api_cpu.settings import Settings
from apps.api_cpu.shutdown import Shutdown
from apps.api_cpu.stations import Reader, build_reader
from apps.api_cpu.tasks.endpoints import router as tasks
from apps.api_cpu.tracing.build import build_tracer
from apps.api_cpu.tracing.middleware import TracingMiddleware
from apps.api_cpu.vendors.endpoints import router as vendors
from apps.api_cpu.watching import watch_process, watch_server
from apps.api_cpu.web.endpoints import mount as mount_page
from apps.api_cpu.webhooks.endpoints import SHOWN_MODELS as WEBHOOK_MODELS
from apps.api_cpu.webhooks.endpoints import router as webhooks
from apps.tracing.tracer import NoTracer
from lib.errors import Error

if TYPE_CHECKING:
    # Only newer ones have it; older ones ignore the argument.
    from fastapi.telemetry import TelemetryConfig

# Besides the document, a body holds options and the multipart frame or base64's third on top.
_BODY_OVERHEAD_BYTES = 1024 * 1024
# All bodies of the requests in hand, so that many slow uploads cannot fill the memory.
_BODIES_BYTES = 256 * 1024 * 1024

# Streams and waits: each looks at its job twice a second, in case another process changes it.
_MOST_WATCHERS = 256

# So long somebody waits for a thread for what is long.
_PATIENCE_S = 30.0

# FastAPI's own would record paths as sent and the texts of exceptions; ours is in `tracing`.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False, "metrics": False, "logs": False, "auto_configure": False,
}  # fmt: skip

_ROUTERS = (
    health, auth, tasks, extractions, exports, pages, corrections, vendors, batches, jobs,
    job_events, runs, evals, webhooks, inputs, artifacts, archive, debug, metrics_page,
)  # fmt: skip
# In a router of their own: what FastAPI finds out about them at the first request is then found out
# once a process, and not once an application.
_API = APIRouter()
for _router in _ROUTERS:
    _API.include_router(_router)
_MODELS = (
    *SHOWN_MODELS, *CORRECTION_MODELS, *BATCH_MODELS, *JOB_MODELS, *WEBHOOK_MODELS, *RUN_MODELS,
    *EVAL_MODELS, *INPUT_MODELS, *DEBUG_MODELS, Artifact,
)  # fmt: skip


def create_app(
    settings: Settings, make_reader: Callable[[Settings], Reader] = build_reader
) -> FastAPI:
    """The server for these settings. It opens files and processes when it starts, not before."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            stop = await run_in_threadpool(_start, app, settings, make_reader)
        except Error as wrong:
            logs.failure("the server cannot start", reason=wrong.message)
            raise

        def refuse_new() -> None:
            app.state.admission.close()
            app.state.job_machinery.close()

        app.state.shutdown = Shutdown(settings.shutdown_grace_s, refuse_new)
        try:
            yield
        finally:
            await run_in_threadpool(stop)

    app = FastAPI(
        title="OCR service",
        version=version("ocr-service"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        # A redirect would have no envelope, and would repeat the client's Host header.
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        routes=_API.routes,
    )
    body_limit = settings.max_upload_bytes * 4 // 3 + _BODY_OVERHEAD_BYTES
    app.state.body_limit = body_limit
    app.state.sync_deadline_s = settings.sync_deadline_s
    app.add_middleware(
        BodyLimitMiddleware,
        limit=body_limit,
        together=max(_BODIES_BYTES, 4 * body_limit),
        streamed=dict.fromkeys(UPLOAD_PATHS, settings.batch_upload_bytes + _BODY_OVERHEAD_BYTES),
    )
    app.add_middleware(SlowBodyMiddleware, patience_s=settings.body_patience_s)
    app.state.access_limits = build_access_limits(settings)
    _rule_browsers(app, settings)
    app.state.tracer = NoTracer()
    app.add_middleware(TracingMiddleware)
    app.add_middleware(RequestMiddleware, security_headers=security_headers(settings.hsts_seconds))
    app.state.metrics = metrics = Metrics()
    app.state.metrics_token = settings.metrics_token
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    errors.register(app)
    mount_page(app)
    openapi.install(app, _MODELS)
    return app


def _rule_browsers(app: FastAPI, settings: Settings) -> None:
    """Which web pages may use the server."""
    origins, names = settings.page_origins, settings.host_names
    if not settings.asks_for_keys:
        app.add_middleware(OwnPageMiddleware, origins=origins)
    if names is not None:
        app.add_middleware(HostMiddleware, names=names)
    if origins:
        app.add_middleware(CorsMiddleware, origins=origins)


def build_access_limits(
    settings: Settings, clock: Callable[[], float] = time.monotonic
) -> AccessLimits:
    """How often callers may come."""
    requests, failures = settings.requests_per_minute, settings.login_failures_per_minute
    return AccessLimits(
        RateLimit(requests, clock) if requests else None,
        RateLimit(failures, clock) if failures else None,
    )


def build_keys(settings: Settings) -> KeyService | None:
    """The keys, or None when callers need none."""
    if not settings.asks_for_keys or settings.api_key_pepper is None:
        return None
    # The note of a key's last use is not worth a disk sync.
    engine = open_database(settings.auth_database, Schema.KEYS, Durability.CRASH)
    return KeyService(KeyStore(engine), settings.api_key_pepper.get_secret_value())


def _start(
    app: FastAPI, settings: Settings, make_reader: Callable[[Settings], Reader]
) -> Callable[[], None]:
    """Open everything and put it where the endpoints find it; returns what closes it again."""
    with ExitStack() as opened:
        tracer = app.state.tracer = build_tracer(settings)
        opened.callback(tracer.stop)
        services = build_services(
            settings, opened, make_reader, observer=app.state.metrics, tracer=tracer
        )
        reader = services.reader
        keys = build_keys(settings)
        readiness = Readiness(services.store, reader.is_ready)
        readiness.start()
        opened.callback(readiness.stop)
        services.housekeeping.start()
        opened.callback(services.housekeeping.stop)
        state = app.state
        state.keys = keys
        admission = _let_in(state, settings, services, opened)
        state.readiness = readiness
        state.store = services.store
        state.store_name = services.store.name
        state.prepare_reader = reader.prepare
        state.backend = reader.backend
        state.model_name = reader.model
        state.tasks = reader.stations.tasks
        _offer_what_is_kept(state, services)
        state.vendors = services.vendors
        state.extractions = services.extractions
        state.idempotency = services.idempotency
        state.corrections = services.corrections
        state.exports = ExportService(services.extractions, services.corrections)
        state.runs = services.runs
        state.evals = services.evals
        state.batches = services.batches
        state.batch_planner = services.batch_planner
        state.upload_receiver = services.upload_receiver
        state.jobs = services.jobs.service
        state.extract_jobs = services.jobs.extract_jobs
        state.watchers = HeldOpen("waits for jobs", settings.jobs_watched_per_key, _MOST_WATCHERS)
        state.uploads_open = HeldOpen("uploads", settings.batch_uploads_per_key, MOST_UPLOADS)
        state.promises = services.jobs.promises
        state.job_machinery = services.jobs
        state.webhooks = services.webhooks.service
        services.webhooks.deliverer.start()
        opened.callback(services.webhooks.deliverer.stop)
        watch_process(state.metrics, services, tracer)
        watch_server(state.metrics, services, readiness, admission, state.access_limits)
        services.jobs.start()
        opened.callback(services.jobs.stop, settings.shutdown_grace_s)
        if keys is not None and not keys.all():
            logs.warning("there are no API keys yet: make one with `ocr keys create`")
        return opened.pop_all().close


def _let_in(state: State, settings: Settings, services: Services, opened: ExitStack) -> Admission:
    limits = AdmissionLimits(
        running=settings.concurrency,
        waiting=settings.extract_queue,
        per_owner=settings.extract_per_key,
        shares=settings.asks_for_keys,
        target_wait_s=settings.extract_target_wait_s,
    )
    state.admission = admission = Admission(limits)
    opened.callback(admission.shut_down)
    state.refusals = refusals = Refusals(services.store, services.extract_index, state.metrics)
    opened.callback(refusals.stop)
    return admission


def _offer_what_is_kept(state: State, services: Services) -> None:
    state.artifacts = services.artifacts
    state.inputs = services.inputs
    state.uploads = services.uploads
    state.pages = services.pages
    # Documents are opened for looking beside those that are read.
    state.drawing = LongWork(
        "images of pages", at_once=2, most_of_key=64, most=256, patience_s=_PATIENCE_S
    )
    state.long_work = LongWork(
        "long requests", at_once=4, most_of_key=8, most=64, patience_s=_PATIENCE_S
    )
    state.corrected = services.corrected
    state.erasures = services.archive.erasures
    state.debug = services.debug
