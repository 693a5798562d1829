"""Where the PP-OCR weights are: ONNX files inside RapidOCR's wheel, found without importing it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lib.errors import Error, Kind

MODEL_NAME = "pp-ocrv6-small"
_DETECTION = "PP-OCRv6_det_small.onnx"
_RECOGNITION = "PP-OCRv6_rec_small.onnx"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The two networks of the pipeline, as ONNX files."""

    detection: Path
    recognition: Path


def bundled_models() -> ModelFiles:
    """The files in the installed RapidOCR package; `inference_unavailable` when they are not there.

    Importing `rapidocr` would cost a second and bring its own logging; only its folder is needed.
    """
    spec = find_spec("rapidocr")
    for folder in spec.submodule_search_locations or () if spec else ():
        files = ModelFiles(Path(folder, "models", _DETECTION), Path(folder, "models", _RECOGNITION))
        if files.detection.is_file() and files.recognition.is_file():
            return files
    raise Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "The OCR models are missing: the package rapidocr 3.10 with its ONNX files is needed.",
    )
