"""The one place that chooses the OCR engine, its runtime and the size of the pool."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from lib.ocr.engine import OcrEngine
from lib.ocr.engine_settings import EngineChoice, EngineSettings
from lib.ocr.pool import OcrPool, PoolLimits
from lib.processes.affinity import usable_cores

# The engines are imported where they are chosen: they bring what only a worker needs, and a server
# starts its workers before it imports anything else.


@dataclass(frozen=True, slots=True)
class OcrSettings:
    """The engine and its pool.

    `workers`: None means one for each CPU that this process may use. `waiting`: pages that may
    queue, each holding its image. A worker is replaced after `pages_per_worker` pages or when it
    holds more than `worker_memory_mb` after a page, and killed when a page takes it longer than
    `page_seconds`.
    """

    engine: EngineSettings = field(default_factory=EngineSettings)
    workers: int | None = None
    waiting: int = 16
    pages_per_worker: int = 500
    worker_memory_mb: int = 1500
    page_seconds: float = 60.0


def build_engine(settings: EngineSettings) -> OcrEngine:
    """The engine, loaded into this process. `inference_unavailable` when a part is missing."""
    if settings.engine is EngineChoice.PADDLE:
        from lib.ocr.paddle import build_paddle  # noqa: PLC0415

        return build_paddle(settings.paddle)
    from lib.ocr.ppocr import build_ppocr  # noqa: PLC0415

    return build_ppocr(
        settings.runtime, settings.precision, settings.detection_side, settings.threads
    )


def build_ocr_pool(settings: OcrSettings) -> OcrPool:
    """The pool, loading in the background. Raises `inference_unavailable` for missing parts."""
    if settings.engine.engine is EngineChoice.PADDLE:
        from lib.ocr.paddle import check_paddle  # noqa: PLC0415

        check_paddle(settings.engine.paddle)
    # -P: the working directory is no place to import from. -m: the parent's main module stays out.
    command = (sys.executable, "-P", "-m", "lib.ocr.worker", settings.engine.to_json())
    limits = PoolLimits(
        workers=settings.workers or usable_cores(),
        threads=settings.engine.threads,
        waiting=settings.waiting,
        pages_per_worker=settings.pages_per_worker,
        worker_bytes=settings.worker_memory_mb * 1024 * 1024,
        page_seconds=settings.page_seconds,
    )
    return OcrPool(command, limits)
