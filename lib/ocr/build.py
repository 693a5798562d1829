"""The one place that chooses the OCR engine, its runtime and the size of the pool."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import orjson

from lib.ocr.engine import OcrEngine
from lib.ocr.paddle import PaddleModels, build_paddle, check_paddle
from lib.ocr.pool import OcrPool, PoolLimits
from lib.ocr.ppocr import build_ppocr
from lib.ocr.runtime import Precision, RuntimeChoice


class EngineChoice(StrEnum):
    """PPOCR: the pipeline over the weights in RapidOCR's wheel. PADDLE: PaddleOCR, if installed."""

    PPOCR = "ppocr"
    PADDLE = "paddle"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What a worker needs to know to load its engine.

    `runtime`, `precision` and `detection_side` (pixels of a page's long side as the detector
    sees it; more finds smaller print and costs quadratically) are for PPOCR, `paddle` for PADDLE.
    """

    engine: EngineChoice = EngineChoice.PPOCR
    runtime: RuntimeChoice = RuntimeChoice.AUTO
    precision: Precision = Precision.AUTO
    detection_side: int = 1280
    paddle: PaddleModels = field(default_factory=PaddleModels)

    def to_json(self) -> str:
        """As a worker gets it on its command line."""
        return orjson.dumps(asdict(self)).decode()

    @staticmethod
    def from_json(text: str) -> EngineSettings:
        """The settings that `to_json` wrote."""
        body = orjson.loads(text)
        return EngineSettings(
            engine=EngineChoice(body["engine"]),
            runtime=RuntimeChoice(body["runtime"]),
            precision=Precision(body["precision"]),
            detection_side=body["detection_side"],
            paddle=PaddleModels(**body["paddle"]),
        )


@dataclass(frozen=True, slots=True)
class OcrSettings:
    """The engine and its pool.

    `workers`: None means one for each CPU that this process may use. `waiting`: pages that may
    queue, each holding its image. A worker is replaced after `pages_per_worker` pages or when it
    holds more than `worker_memory_mb` after a page.
    """

    engine: EngineSettings = field(default_factory=EngineSettings)
    workers: int | None = None
    waiting: int = 16
    pages_per_worker: int = 500
    worker_memory_mb: int = 1500


def build_engine(settings: EngineSettings) -> OcrEngine:
    """The engine, loaded into this process. `inference_unavailable` when a part is missing."""
    if settings.engine is EngineChoice.PADDLE:
        return build_paddle(settings.paddle)
    return build_ppocr(settings.runtime, settings.precision, settings.detection_side)


def build_ocr_pool(settings: OcrSettings) -> OcrPool:
    """The pool, loading in the background. Raises `inference_unavailable` for missing parts."""
    if settings.engine.engine is EngineChoice.PADDLE:
        check_paddle(settings.engine.paddle)
    # -P: the working directory is no place to import from. -m: the parent's main module stays out.
    command = (sys.executable, "-P", "-m", "lib.ocr.worker", settings.engine.to_json())
    limits = PoolLimits(
        workers=settings.workers or _usable_cpus(),
        waiting=settings.waiting,
        pages_per_worker=settings.pages_per_worker,
        worker_bytes=settings.worker_memory_mb * 1024 * 1024,
    )
    return OcrPool(command, limits)


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
