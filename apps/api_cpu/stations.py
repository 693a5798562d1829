"""The reader of documents that the settings ask for: its stations, and what they hold open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.api_cpu.inference import build_inference
from apps.api_cpu.ocr_workers import build_ocr_workers
from apps.api_cpu.settings import CONFIGS, Settings
from lib.domain.deadline import Deadline
from lib.domain.task import Task
from lib.inference.client import Snapshot
from lib.kie.extractor_later import CpuExtractorLater
from lib.kie.models.card_files import load_cards
from lib.loading.limits import LoadingLimits
from lib.loading.loader import ProcessLoader, build_loader
from lib.ocr.pool import OcrPool
from lib.pipelines.extract import Pipeline, Stations, extract
from lib.pipelines.field_reading import CPU
from lib.pipelines.readers.pool import ReaderLimits, ReaderPool
from lib.pipelines.readers.remote import RulesInReaders
from lib.pipelines.rules import RulesHere
from lib.pipelines.tasks import load_tasks
from lib.processes.child import PoolStats

# Field readers start after so long, though the OCR workers may have no rest.
_START_PATIENCE_S = 60.0
# Decoders that wait for another document of their key: decision 0035.
_MOST_KEPT = 8


@dataclass(frozen=True, slots=True)
class Reader:
    """Stations; whether they could read a document now; what ends their processes; the pipeline.

    `workers`, `field_readers` and `upstreams` are looked at for metrics; None where there are none.
    `prepare` makes what the first document would wait for.
    """

    stations: Stations
    is_ready: Callable[[], bool]
    close: Callable[[], None]
    extract: Pipeline = extract
    prepare: Callable[[], object] = lambda: None
    workers: Callable[[], PoolStats | None] = lambda: None
    field_readers: Callable[[], PoolStats | None] = lambda: None
    upstreams: Callable[[], Snapshot | None] = lambda: None

    @property
    def backend(self) -> str:
        """Who is asked for fields, as in responses: cpu, vllm or mock."""
        return self.stations.model.backend if self.stations.model else CPU

    @property
    def model(self) -> str:
        """The model or the rules that read fields, by name."""
        model = self.stations.model
        return model.reader.model if model else self.stations.rules.name


def build_reader(
    settings: Settings, workers: OcrPool | None = None, *, serves: bool = False
) -> Reader:
    """The reader; its OCR models load in the background, unless `workers` do so already.

    `serves`: for a process that reads documents as they come, beside other work; the fields are
    then found in processes of their own, as the settings say, and in this one otherwise.

    Raises `Error` when something that it needs is missing, or a task file, a model card or a prompt
    is wrong.
    """
    tasks = load_tasks(CONFIGS / "tasks")
    extractor = CpuExtractorLater()
    inference = build_inference(settings, extractor)
    loader = build_document_loader(settings)
    pool = workers or build_ocr_workers(settings)
    readers = build_field_readers(settings, tasks, pool) if serves else None
    here = RulesHere(extractor)
    rules = RulesInReaders(here, readers, tasks) if readers is not None else here

    def close() -> None:
        pool.close()  # first: the readers may still wait for it to be at rest
        if readers is not None:
            readers.close()
        loader.close()
        if inference is not None:
            inference.close()

    def is_ready() -> bool:
        return pool.ready and (inference is None or inference.is_ready())

    model = inference.station if inference is not None else None
    return Reader(
        Stations(loader, pool, rules, tasks, model),
        is_ready,
        close,
        prepare=extractor.make,
        workers=lambda: pool.stats,
        field_readers=lambda: readers.stats if readers is not None else None,
        upstreams=inference.snapshot if inference is not None else lambda: None,
    )


def build_field_readers(
    settings: Settings, tasks: Mapping[str, Task], workers: OcrPool
) -> ReaderPool | None:
    """The pool, starting once the OCR workers have loaded and read what waited: until then the
    cores are theirs.
    """
    if not settings.reader_count:
        return None
    limits = ReaderLimits(
        readers=settings.reader_count,
        # Every running extraction may wait for one without being refused.
        waiting=settings.concurrency + settings.job_threads,
        document_seconds=settings.fields_timeout_s,
    )
    patience = Deadline.after(_START_PATIENCE_S)
    return ReaderPool(limits, tasks.values(), lambda: workers.wait_at_rest(patience))


def check_configs() -> None:
    """Raise `Error`, with one line, for a task file, a model card or a prompt that is wrong."""
    load_tasks(CONFIGS / "tasks")
    load_cards(CONFIGS / "models", CONFIGS / "prompts")


def build_document_loader(settings: Settings) -> ProcessLoader:
    """The loader alone, for who looks at documents without reading them."""
    return build_loader(
        LoadingLimits(
            max_bytes=settings.max_upload_bytes,
            max_pages=settings.max_pages,
            wall_seconds=settings.loading_timeout_s,
            max_processes=settings.concurrency + settings.job_threads,
            documents_per_process=settings.decoder_documents,
            kept_processes=min(_MOST_KEPT, settings.concurrency),
        )
    )
