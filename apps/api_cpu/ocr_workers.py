"""The OCR workers that the settings ask for. Light, so that they can start before all else."""

from __future__ import annotations

from apps.api_cpu.settings import Settings
from lib.ocr.build import OcrSettings, build_ocr_pool
from lib.ocr.engine_settings import EngineChoice, EngineSettings, PaddleModels, RuntimeChoice
from lib.ocr.pool import OcrPool

_PAGES_WAITING = 16


def build_ocr_workers(settings: Settings) -> OcrPool:
    """The pool, loading in the background. Raises `inference_unavailable` for missing parts."""
    folders = (
        settings.paddle_detection_model_dir,
        settings.paddle_recognition_model_dir,
        settings.paddle_orientation_model_dir,
    )
    engine = EngineSettings(
        engine=EngineChoice(settings.ocr_engine),
        runtime=RuntimeChoice(settings.ocr_runtime),
        # More than there are workers are never at work on a page.
        threads=min(settings.ocr_threads, settings.worker_count),
        paddle=PaddleModels(*(str(folder or "") for folder in folders)),
    )
    # Every running extraction may have a page in the queue without being refused.
    waiting = max(_PAGES_WAITING, settings.concurrency + settings.job_threads)
    return build_ocr_pool(
        OcrSettings(
            engine=engine,
            workers=settings.worker_count,
            waiting=waiting,
            worker_memory_mb=settings.worker_memory_mb,
            page_seconds=settings.ocr_page_timeout_s,
        )
    )
