"""The PP-OCR networks on ONNX Runtime, for machines without OpenVINO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from lib.networks.onnx import OnnxNetwork
from lib.ocr.models import ModelFiles
from lib.ocr.runtime import MEAN, SCALE, TOP_CLASSES, Columns, Image, alphabet_of


class OnnxRuntime:
    """Implements `Runtime` in float32, on one thread."""

    def __init__(self, files: ModelFiles) -> None:
        self._detector = OnnxNetwork(files.detection)
        self._recogniser = OnnxNetwork(files.recognition)
        self._alphabet = alphabet_of(self._recogniser.metadata["character"])

    @property
    def name(self) -> str:
        """`onnxruntime`."""
        return "onnxruntime"

    @property
    def alphabet(self) -> tuple[str, ...]:
        """See `Runtime`."""
        return self._alphabet

    def text_map(self, image: Image) -> NDArray[np.float32]:
        """See `Runtime`."""
        outputs: list[NDArray[np.float32]] = self._detector.run({"x": _planes(image[None])})
        probabilities: NDArray[np.float32] = outputs[0][0, 0]
        return probabilities

    def top_classes(self, batches: Iterable[Image], threads: int) -> Iterator[Columns]:
        """See `Runtime`."""
        return map(self._top_classes, batches)

    def _top_classes(self, crops: Image) -> Columns:
        scores: NDArray[np.float32] = self._recogniser.run({"x": _planes(crops)})[0]
        some = np.argpartition(scores, -TOP_CLASSES, axis=2)[..., -TOP_CLASSES:]
        order = np.argsort(-np.take_along_axis(scores, some, axis=2), axis=2, kind="stable")
        classes = np.take_along_axis(some, order, axis=2)
        return classes, np.take_along_axis(scores, classes, axis=2)


def _planes(images: Image) -> NDArray[np.float32]:
    """Pixels (n, height, width, 3) as the networks take them: (n, 3, height, width) in -1..1."""
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    planes -= MEAN
    planes /= SCALE
    return planes
