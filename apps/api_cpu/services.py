"""What reads, keeps and shows documents: built alike for the server and for a worker without it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from apps.api_cpu.archive.build import Archive, build_archive
from apps.api_cpu.archive.indexes import Indexes
from apps.api_cpu.archive.store import ErasureIndex
from apps.api_cpu.artifacts.index import ArtifactIndex
from apps.api_cpu.artifacts.indexed import IndexedStore
from apps.api_cpu.artifacts.service import ArtifactService
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.artifacts.stores.build import build_artifact_store
from apps.api_cpu.batches.finishing import BatchFinisher, JobsOfRuns
from apps.api_cpu.batches.plan import BATCHES, BatchPlanner
from apps.api_cpu.batches.receiving import UploadReceiver
from apps.api_cpu.batches.service import BatchService
from apps.api_cpu.batches.sources import ServerFolder
from apps.api_cpu.batches.upload import UploadLimits
from apps.api_cpu.corrections.service import CorrectionService
from apps.api_cpu.corrections.store import CorrectionIndex
from apps.api_cpu.corrections.truth import CorrectedDocuments
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.debug.service import DebugService
from apps.api_cpu.duplicates.service import DuplicateService
from apps.api_cpu.duplicates.store import DocumentIndex
from apps.api_cpu.evals.run_evaluation import RunEvaluation
from apps.api_cpu.extractions.observer import Observer
from apps.api_cpu.extractions.reuse import Reuse
from apps.api_cpu.extractions.service import ExtractionService
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.housekeeping import Housekeeping
from apps.api_cpu.idempotency.service import Idempotency
from apps.api_cpu.idempotency.store import IdempotencyStore
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.inputs.store import InputIndex
from apps.api_cpu.inputs.upload_store import UploadIndex
from apps.api_cpu.inputs.uploads import UploadService
from apps.api_cpu.jobs.build import Jobs, build_jobs
from apps.api_cpu.jobs.erasing import JobEraser
from apps.api_cpu.jobs.finishing import JobObserver
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.jobs.telling import job_to_tell
from apps.api_cpu.pages.cache import ImageCache
from apps.api_cpu.pages.service import PageService
from apps.api_cpu.result_cache.fingerprint import fingerprint
from apps.api_cpu.result_cache.service import CacheLimits, ResultCache
from apps.api_cpu.result_cache.store import CachedAnswerIndex
from apps.api_cpu.runs.service import RunService
from apps.api_cpu.runs.store import RunIndex
from apps.api_cpu.settings import Settings
from apps.api_cpu.stations import Reader, build_reader
from apps.api_cpu.vendors.service import NoVendorMemory, VendorService
from apps.api_cpu.vendors.store import VendorStore
from apps.api_cpu.webhooks.build import Webhooks, build_callback_policy, build_webhooks
from apps.api_cpu.webhooks.store import DeliveryStore
from apps.tracing.tracer import Tracer

# A request may run for its deadline and a moment more; an id is free again when nobody can hold it.
_LEASE_FACTOR = 2.0
# Bytes of page images that were shown lately; a page is some hundred kilobytes.
_PAGE_IMAGES = 32 * 1024 * 1024


class ServiceObserver(Observer, JobObserver, Protocol):
    """Is told of extractions and of jobs."""


MakeReader = Callable[[Settings], Reader]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything but what only HTTP needs. Each is safe to share between threads."""

    reader: Reader
    store: ArtifactStore
    artifacts: ArtifactService
    inputs: InputStore
    uploads: UploadService
    pages: PageService
    archive: Archive
    debug: DebugService
    housekeeping: Housekeeping
    vendors: VendorService
    duplicates: DuplicateService
    extract_index: ExtractIndex
    extractions: ExtractionService
    corrections: CorrectionService
    corrected: CorrectedDocuments
    runs: RunService
    evals: RunEvaluation
    batches: BatchService
    batch_planner: BatchPlanner
    upload_receiver: UploadReceiver
    idempotency: Idempotency
    jobs: Jobs
    webhooks: Webhooks


def build_services(
    settings: Settings,
    opened: ExitStack,
    make_reader: MakeReader = build_reader,
    *,
    is_worker: bool = False,
    observer: ServiceObserver | None = None,
    tracer: Tracer,
) -> Services:
    """The services for these settings; what must be closed again is put on `opened`.

    Raises `Error` when a file or a process that they need cannot be opened.
    """
    # First, because its models load in the background.
    reader = make_reader(settings)
    opened.callback(reader.close)
    tasks = reader.stations.tasks
    index_engine = open_database(settings.index_database, Schema.INDEX, Durability.POWER_LOSS)
    opened.callback(index_engine.dispose)
    artifact_index = _open_artifact_index(settings, opened)
    store = IndexedStore(build_artifact_store(settings, opened), artifact_index)
    vendors_engine = open_database(settings.vendors_database, Schema.VENDORS, Durability.CRASH)
    opened.callback(vendors_engine.dispose)
    memory = VendorService(VendorStore(vendors_engine))
    duplicates = _open_duplicates(settings, opened)
    answers = _open_result_cache(settings, reader, store, CachedAnswerIndex(index_engine))
    artifacts = ArtifactService(store)
    index = ExtractIndex(index_engine, settings.sync_deadline_s * _LEASE_FACTOR)
    inputs = InputStore(store, InputIndex(index_engine))
    extractions = ExtractionService(
        reader.stations,
        store,
        index,
        inputs,
        settings.max_upload_bytes,
        memory if settings.vendor_memory else NoVendorMemory(),
        duplicates,
        Reuse(answers, observer),
        observer,
        pipeline=reader.extract,
    )
    correction_index = CorrectionIndex(index_engine)
    corrections = CorrectionService(store, index, correction_index, tasks, memory, answers)
    run_index = RunIndex(index_engine)
    jobs_engine = open_database(settings.jobs_database, Schema.JOBS, Durability.POWER_LOSS)
    opened.callback(jobs_engine.dispose)
    runs = RunService(run_index, artifacts, JobsOfRuns(JobStore(jobs_engine)), tasks)
    evals = RunEvaluation(store, artifacts, runs, corrections, tasks)
    folder = ServerFolder(
        settings.data_root,
        (
            settings.artifacts_folder,
            settings.incoming_folder,
            settings.spool_folder,
            *settings.database_files,
            settings.webhook_key_file,
        ),
        settings.max_upload_bytes,
    )
    uploads = UploadService(
        store,
        UploadIndex(index_engine),
        inputs,
        settings.incoming_folder,
        settings.max_upload_bytes,
        settings.uploads_announced_per_key,
    )
    images = ImageCache(_PAGE_IMAGES)
    indexes = Indexes(
        artifact_index, index, correction_index, run_index, ErasureIndex(index_engine)
    )
    idempotency = Idempotency(IdempotencyStore(index_engine))
    opened.callback(idempotency.close)
    in_jobs = JobEraser(jobs_engine).forget
    erasers = (images.forget, duplicates.forget, answers.forget, idempotency.forget, in_jobs)
    archive = build_archive(store, indexes, inputs, memory, settings.retention_days, erasers)
    policy = build_callback_policy(settings)
    opened.callback(policy.close)
    finishers = dict.fromkeys(BATCHES, BatchFinisher(store, run_index, inputs, evals))
    jobs = build_jobs(
        settings,
        jobs_engine,
        extractions,
        inputs,
        tasks,
        finishers,
        policy.require,
        is_worker=is_worker,
        tracer=tracer,
        observer=observer,
    )
    told = partial(job_to_tell, jobs.store, jobs.service.result)
    webhooks = build_webhooks(settings, DeliveryStore(jobs_engine), policy, told, tracer)
    return Services(
        reader=reader,
        store=store,
        artifacts=artifacts,
        inputs=inputs,
        uploads=uploads,
        pages=PageService(extractions, inputs, reader.stations.loader, images),
        archive=archive,
        debug=DebugService(artifact_index, store, artifacts),
        housekeeping=Housekeeping(
            {
                "inputs of jobs that are over": partial(jobs.service.release_abandoned, inputs),
                "old jobs": partial(jobs.service.forget_old, settings.jobs_keep_days),
                "unheld inputs": inputs.sweep,
                "remembered documents": duplicates.sweep,
                "answers that are given again": answers.sweep,
                "uploads that never came": uploads.sweep,
                "old webhooks": webhooks.service.purge,
                "retention": archive.retention.purge,
                "erasures": archive.erasures.go_on,
            }
        ),
        vendors=memory,
        duplicates=duplicates,
        extract_index=index,
        extractions=extractions,
        corrections=corrections,
        corrected=CorrectedDocuments(store, artifact_index, index, correction_index),
        runs=runs,
        evals=evals,
        batches=BatchService(run_index, store, inputs, folder, jobs.service),
        batch_planner=BatchPlanner(
            folder,
            runs,
            tasks,
            evals,
            asks_model=reader.stations.model is not None,
            most_documents=settings.batch_max_files,
        ),
        upload_receiver=UploadReceiver(
            settings.incoming_folder,
            UploadLimits(
                files=settings.batch_max_files,
                bytes=settings.batch_upload_bytes,
                document_bytes=settings.max_upload_bytes,
                archive_members=settings.batch_max_zip_members,
                archive_ratio=settings.batch_max_zip_ratio,
            ),
            inputs,
            settings.batch_upload_deadline_s,
        ),
        idempotency=idempotency,
        jobs=jobs,
        webhooks=webhooks,
    )


def _open_artifact_index(settings: Settings, opened: ExitStack) -> ArtifactIndex:
    # It can be made again from the artifacts: not worth a disk sync for each of them.
    engine = open_database(settings.index_database, Schema.INDEX, Durability.CRASH)
    opened.callback(engine.dispose)
    return ArtifactIndex(engine)


def _open_result_cache(
    settings: Settings, reader: Reader, store: ArtifactStore, index: CachedAnswerIndex
) -> ResultCache:
    limits = CacheLimits(settings.result_cache_hours * 3600.0, settings.result_cache_max_answers)
    return ResultCache(
        index,
        store,
        limits,
        fingerprint(settings) if settings.result_cache_hours else "",
        lambda: reader.stations.ocr.engine_name,
    )


def _open_duplicates(settings: Settings, opened: ExitStack) -> DuplicateService:
    # An aid: not worth a disk sync for each document.
    engine = open_database(settings.duplicates_database, Schema.DUPLICATES, Durability.CRASH)
    opened.callback(engine.dispose)
    return DuplicateService(DocumentIndex(engine), settings.duplicates_window)
