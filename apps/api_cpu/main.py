"""The application: `create_app` puts the pieces together; nothing happens at import time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from apps.api_cpu import errors, logs, openapi
from apps.api_cpu.artifacts.endpoints import router as artifacts
from apps.api_cpu.artifacts.schemas import Artifact
from apps.api_cpu.artifacts.service import ArtifactService
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.auth.endpoints import router as auth
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.batches.endpoints import SHOWN_MODELS as BATCH_MODELS
from apps.api_cpu.batches.endpoints import router as batches
from apps.api_cpu.batches.service import BatchService
from apps.api_cpu.batches.sources import ServerFolder
from apps.api_cpu.corrections.endpoints import SHOWN_MODELS as CORRECTION_MODELS
from apps.api_cpu.corrections.endpoints import router as corrections
from apps.api_cpu.corrections.service import CorrectionService
from apps.api_cpu.corrections.store import CorrectionIndex
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.evals.endpoints import SHOWN_MODELS as EVAL_MODELS
from apps.api_cpu.evals.endpoints import router as evals
from apps.api_cpu.evals.run_evaluation import RunEvaluation
from apps.api_cpu.extractions.admission import Admission
from apps.api_cpu.extractions.endpoints import SHOWN_MODELS
from apps.api_cpu.extractions.endpoints import router as extractions
from apps.api_cpu.extractions.service import ExtractionService
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.health.endpoints import router as health
from apps.api_cpu.health.service import Readiness
from apps.api_cpu.middleware import BodyLimitMiddleware, LocalHostMiddleware, RequestMiddleware
from apps.api_cpu.runs.endpoints import SHOWN_MODELS as RUN_MODELS
from apps.api_cpu.runs.endpoints import router as runs
from apps.api_cpu.runs.service import RunService
from apps.api_cpu.runs.store import RunIndex
from apps.api_cpu.settings import Settings, is_loopback
from apps.api_cpu.shutdown import Shutdown
from apps.api_cpu.stations import Reader, build_reader
from apps.api_cpu.tasks.endpoints import router as tasks
from apps.api_cpu.vendors.endpoints import router as vendors
from apps.api_cpu.vendors.service import NoVendorMemory, VendorService
from apps.api_cpu.vendors.store import VendorStore
from apps.api_cpu.web.endpoints import mount as mount_page

# Besides the document, a body holds options and the multipart frame or base64's third on top.
_BODY_OVERHEAD_BYTES = 1024 * 1024
# All bodies of the requests in hand, so that many slow uploads cannot fill the memory.
_BODIES_BYTES = 256 * 1024 * 1024
# A request may run for its deadline and a moment more; an id is free again when nobody can hold it.
_LEASE_FACTOR = 2.0

_ROUTERS = (
    health, auth, tasks, extractions, corrections, vendors, batches, runs, evals, artifacts,
)  # fmt: skip
_MODELS = (
    *SHOWN_MODELS, *CORRECTION_MODELS, *BATCH_MODELS, *RUN_MODELS, *EVAL_MODELS, Artifact,
)  # fmt: skip


def create_app(
    settings: Settings, make_reader: Callable[[Settings], Reader] = build_reader
) -> FastAPI:
    """The server for these settings. It opens files and processes when it starts, not before."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stop = await run_in_threadpool(_start, app, settings, make_reader)
        app.state.shutdown = Shutdown(settings.shutdown_grace_s, app.state.admission.close)
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
    )
    body_limit = settings.max_upload_bytes * 4 // 3 + _BODY_OVERHEAD_BYTES
    app.state.body_limit = body_limit
    app.state.sync_deadline_s = settings.sync_deadline_s
    app.add_middleware(
        BodyLimitMiddleware, limit=body_limit, together=max(_BODIES_BYTES, 4 * body_limit)
    )
    if not settings.asks_for_keys and is_loopback(settings.host):
        app.add_middleware(LocalHostMiddleware)
    app.add_middleware(RequestMiddleware)
    errors.register(app)
    for router in _ROUTERS:
        app.include_router(router)
    mount_page(app)
    openapi.install(app, _MODELS)
    return app


def build_artifact_store(settings: Settings) -> ArtifactStore:
    """The artifact store that the settings ask for."""
    return LocalArtifactStore(
        settings.artifacts_folder, allow_overwrite=settings.s3_allow_overwrite
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
        # First, because its models load in the background.
        reader = make_reader(settings)
        opened.callback(reader.close)
        store = build_artifact_store(settings)
        index_engine = open_database(settings.index_database, Schema.INDEX, Durability.POWER_LOSS)
        opened.callback(index_engine.dispose)
        vendors_engine = open_database(settings.vendors_database, Schema.VENDORS, Durability.CRASH)
        opened.callback(vendors_engine.dispose)
        memory = VendorService(VendorStore(vendors_engine))
        keys = build_keys(settings)
        readiness = Readiness(store, reader.is_ready)
        readiness.start()
        opened.callback(readiness.stop)
        admission = Admission(settings.concurrency, settings.extract_queue)
        opened.callback(admission.shut_down)
        state = app.state
        state.keys = keys
        state.admission = admission
        state.readiness = readiness
        state.store = store
        state.store_name = store.name
        state.backend = reader.backend
        state.model_name = reader.model
        state.tasks = reader.stations.tasks
        state.artifacts = ArtifactService(store)
        state.vendors = memory
        index = ExtractIndex(index_engine, settings.sync_deadline_s * _LEASE_FACTOR)
        state.extractions = ExtractionService(
            reader.stations,
            store,
            index,
            settings.max_upload_bytes,
            memory if settings.vendor_memory else NoVendorMemory(),
        )
        state.corrections = CorrectionService(
            store, index, CorrectionIndex(index_engine), reader.stations.tasks, memory
        )
        run_index = RunIndex(index_engine)
        state.runs = RunService(run_index, state.artifacts)
        state.evals = RunEvaluation(
            store, state.artifacts, state.runs, state.corrections, reader.stations.tasks
        )
        state.batches = BatchService(
            state.extractions,
            state.runs,
            run_index,
            store,
            ServerFolder(
                settings.data_root,
                (settings.artifacts_folder, settings.auth_database),
                settings.max_upload_bytes,
            ),
            reader.stations.tasks,
            state.evals,
        )
        if keys is not None and not keys.all():
            logs.warning("there are no API keys yet: make one with `ocr keys create`")
        return opened.pop_all().close
