"""The reader of documents that the settings ask for: its stations, and what they hold open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.api_cpu.inference import build_inference
from apps.api_cpu.ocr_workers import build_ocr_workers
from apps.api_cpu.settings import CONFIGS, Settings
from lib.inference.client import Snapshot
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.models.card_files import load_cards
from lib.loading.limits import LoadingLimits
from lib.loading.loader import ProcessLoader, build_loader
from lib.ocr.pool import OcrPool, PoolStats
from lib.pipelines.extract import Pipeline, Stations, extract
from lib.pipelines.field_reading import CPU
from lib.pipelines.tasks import load_tasks


@dataclass(frozen=True, slots=True)
class Reader:
    """Stations; whether they could read a document now; what ends their processes; the pipeline.

    `workers` and `upstreams` are looked at for metrics; None where there are none.
    """

    stations: Stations
    is_ready: Callable[[], bool]
    close: Callable[[], None]
    extract: Pipeline = extract
    workers: Callable[[], PoolStats | None] = lambda: None
    upstreams: Callable[[], Snapshot | None] = lambda: None

    @property
    def backend(self) -> str:
        """Who is asked for fields, as in responses: cpu, vllm or mock."""
        return self.stations.model.backend if self.stations.model else CPU

    @property
    def model(self) -> str:
        """The model or the rules that read fields, by name."""
        model = self.stations.model
        return model.reader.model if model else self.stations.extractor.name


def build_reader(settings: Settings, workers: OcrPool | None = None) -> Reader:
    """The reader; its OCR models load in the background, unless `workers` do so already.

    Raises `Error` when something that it needs is missing, or a task file, a model card or a prompt
    is wrong.
    """
    tasks = load_tasks(CONFIGS / "tasks")
    extractor = build_cpu_extractor()
    inference = build_inference(settings, extractor)
    loader = build_document_loader(settings)
    pool = workers or build_ocr_workers(settings)

    def close() -> None:
        pool.close()
        loader.close()
        if inference is not None:
            inference.close()

    def is_ready() -> bool:
        return pool.ready and (inference is None or inference.is_ready())

    model = inference.station if inference is not None else None
    return Reader(
        Stations(loader, pool, extractor, tasks, model),
        is_ready,
        close,
        workers=lambda: pool.stats,
        upstreams=inference.snapshot if inference is not None else lambda: None,
    )


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
        )
    )
