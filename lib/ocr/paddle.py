"""PaddleOCR 3.x as an OCR engine: its own folders of weights, nothing downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import yaml
from numpy.typing import NDArray

from lib.domain.document import Line, PageImage
from lib.errors import Error, Kind
from lib.ocr.engine import OrientedReading
from lib.ocr.engine_settings import PaddleModels
from lib.ocr.reading_order import in_reading_order
from lib.ocr.recognition import Segment
from lib.ocr.words import place_lines

_MODEL_CONFIG = "inference.yml"
"""Paddle's description of a model folder; names the model that the weights belong to."""


class PaddlePredictor(Protocol):
    """The part of `paddleocr.PaddleOCR` that is used."""

    def predict(self, image: NDArray[np.uint8]) -> Sequence[Mapping[str, Any]]:
        """One result for the image (height, width, blue-green-red)."""
        ...


class PaddleEngine:
    """Implements `OcrEngine` over PaddleOCR's predictor."""

    def __init__(self, predictor: PaddlePredictor, model_names: Sequence[str]) -> None:
        self._predictor = predictor
        self._name = "paddleocr/" + "+".join(model_names)

    @property
    def name(self) -> str:
        """`paddleocr/` and its models."""
        return self._name

    def recognize(self, image: PageImage) -> tuple[Line, ...]:
        """See `OcrEngine`. An orientation model, where configured, is asked all the same."""
        return self.read(image).lines

    def read(self, image: PageImage, threads: int = 1) -> OrientedReading:
        """See `OcrEngine`."""
        rgb = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, 3)
        results = self._predictor.predict(np.ascontiguousarray(rgb[:, :, ::-1]))
        return to_reading(results[0], image.width, image.height)


def to_reading(result: Mapping[str, Any], width: int, height: int) -> OrientedReading:
    """PaddleOCR's result for an image of that size in pixels.

    Used keys: `rec_texts`, `rec_scores`, `rec_polys` (four corners in pixels of the turned image),
    `text_word` and `text_word_region` (pieces of each text and their corners), and
    `doc_preprocessor_res.angle`: the turn to the left that made the image upright, -1 if not asked.
    """
    angle = int(result.get("doc_preprocessor_res", {}).get("angle", -1))
    rotation = (360 - angle) % 360 if angle > 0 else 0
    if rotation in (90, 270):
        width, height = height, width
    pieces = result.get("text_word") or [()] * len(result["rec_texts"])
    regions = result.get("text_word_region") or [()] * len(result["rec_texts"])
    segments = [
        _segment(text, float(score), np.asarray(corners, np.float32), tokens, places)
        for text, score, corners, tokens, places in zip(
            result["rec_texts"],
            result["rec_scores"],
            result["rec_polys"],
            pieces,
            regions,
            strict=True,
        )
    ]
    placed = [line for segment in segments for line in place_lines(segment, width, height)]
    ordered = in_reading_order(placed, [found.quad for found in placed])
    return OrientedReading(tuple(found.line for found in ordered), rotation, width, height)


def _segment(
    text: str, score: float, corners: NDArray[np.float32], tokens: Sequence[str], places: Any
) -> Segment:
    """A text line whose characters take the places of their pieces, or are spread evenly."""
    positions = (np.arange(len(text), dtype=np.float32) + 0.5) / max(1, len(text))
    axis = 1 if np.ptp(corners[:, 1]) > 1.5 * np.ptp(corners[:, 0]) else 0
    start, extent = corners[:, axis].min(), max(float(np.ptp(corners[:, axis])), 1e-6)
    cursor = 0
    for token, place in zip(tokens, places, strict=False):
        found = text.find(token, cursor)
        if not token or found < 0:
            break  # pieces in another order than the text: the rest stays evenly spread
        along = (np.asarray(place, np.float32)[:, axis] - start) / extent
        inner = (np.arange(len(token)) + 0.5) / len(token)
        positions[found : found + len(token)] = along.min() + np.ptp(along) * inner
        cursor = found + len(token)
    ascending = np.maximum.accumulate(np.clip(positions, 0.0, 1.0)).astype(np.float32)
    quad = np.roll(corners, -1, axis=0) if axis == 1 else corners
    return Segment(quad, text, np.full(len(text), score, np.float32), ascending)


def check_paddle(models: PaddleModels) -> dict[str, str]:
    """Check that all that is needed is there; the model name of each given folder, by setting.

    Raises `inference_unavailable`, with `details.missing` naming the package or the settings.
    """
    if find_spec("paddleocr") is None or find_spec("paddle") is None:
        raise _missing(["paddleocr"], "PaddleOCR is not installed: install the extra `paddle`.")
    if version("paddleocr").startswith(("1.", "2.")):  # they download models, whatever is named
        raise _missing(["paddleocr"], "PaddleOCR is too old: install the extra `paddle` (3.x).")
    folders = {
        "detection_dir": models.detection_dir,
        "recognition_dir": models.recognition_dir,
        "orientation_dir": models.orientation_dir,
    }
    wanted = {name: folder for name, folder in folders.items() if folder or "orient" not in name}
    names = {name: _model_name(folder) for name, folder in wanted.items()}
    missing = sorted(name for name, model in names.items() if not model)
    if missing:
        raise _missing(
            missing, f"Not folders of Paddle models ({_MODEL_CONFIG}): {', '.join(missing)}."
        )
    return names


def build_paddle(models: PaddleModels) -> PaddleEngine:
    """The engine, loaded. Raises as `check_paddle`, or when Paddle refuses the models."""
    names = check_paddle(models)
    from paddleocr import PaddleOCR  # noqa: PLC0415 (1.4 GB with its dependencies: only when chosen)

    try:
        predictor = PaddleOCR(
            text_detection_model_name=names["detection_dir"],
            text_detection_model_dir=models.detection_dir,
            text_recognition_model_name=names["recognition_dir"],
            text_recognition_model_dir=models.recognition_dir,
            doc_orientation_classify_model_name=names.get("orientation_dir"),
            doc_orientation_classify_model_dir=models.orientation_dir or None,
            use_doc_orientation_classify=bool(models.orientation_dir),
            use_doc_unwarping=False,
            use_textline_orientation=False,
            return_word_box=True,
            device="cpu",
            cpu_threads=1,
        )
    except Exception as refused:  # PaddleX raises bare Exception for any model it cannot load
        raise _missing(sorted(names), "PaddleOCR cannot load the models.") from refused
    return PaddleEngine(predictor, list(names.values()))


def _model_name(folder: str) -> str:
    """What Paddle calls the model in the folder; empty when it is no model folder."""
    try:
        config = yaml.safe_load(Path(folder, _MODEL_CONFIG).read_text(encoding="utf-8"))
        return str(config["Global"]["model_name"]) if folder else ""
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return ""


def _missing(missing: Sequence[str], message: str) -> Error:
    return Error("inference_unavailable", Kind.UNAVAILABLE, message, {"missing": list(missing)})
