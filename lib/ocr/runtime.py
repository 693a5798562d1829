"""Runs the two PP-OCR networks: the Protocol, and the choice of OpenVINO or ONNX Runtime."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lib.errors import Error, Kind
from lib.ocr.engine_settings import Precision, RuntimeChoice
from lib.ocr.models import bundled_models

Image = NDArray[np.uint8]
"""Pixels as OpenCV holds them: height x width x 3, blue first, contiguous."""

CTC_HEIGHT = 48
"""Height in pixels of a crop as the recognition network takes it."""

MEAN = SCALE = 127.5
"""Both networks take `(pixel - MEAN) / SCALE`, that is -1..1."""


TOP_CLASSES = 4
"""Classes of a column that leave the recogniser: a misread letter's right one is the second best in
four of five cases, and among these in nine of ten."""


Columns = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Of crops (n, 48, width, 3) each column's `TOP_CLASSES` best classes, best first, and their
probabilities; both (n, columns, TOP_CLASSES)."""


class Runtime(Protocol):
    """Both networks, loaded. Results are valid until the next call, or until the next is asked for.

    Not safe to share between threads; it may use some of its own.
    """

    @property
    def name(self) -> str:
        """The library and, where it is not float32, the precision: `openvino-bf16`."""
        ...

    @property
    def alphabet(self) -> tuple[str, ...]:
        """The character of each class; class 0 is the CTC blank, as an empty string."""
        ...

    def text_map(self, image: Image) -> NDArray[np.float32]:
        """Probability that each pixel is text, same height and width (multiples of 32)."""
        ...

    def top_classes(self, batches: Iterable[Image], threads: int) -> Iterator[Columns]:
        """What is read in each batch of crops (n, 48, width, 3), in their order.

        At most `threads` of them are read at a time; a runtime may read fewer.
        """
        ...


def build_runtime(choice: RuntimeChoice, precision: Precision, threads: int = 1) -> Runtime:
    """Load the bundled networks. `inference_unavailable` when models or library are missing.

    `threads`: how many may be at work at most, where the runtime has more than one.
    """
    files = bundled_models()
    if choice is RuntimeChoice.AUTO:
        openvino = _imports("openvino")
        choice = RuntimeChoice.OPENVINO if openvino else RuntimeChoice.ONNXRUNTIME
    if not _imports(choice.value):
        raise Error(
            "inference_unavailable",
            Kind.UNAVAILABLE,
            f"The OCR runtime {choice.value} is not installed.",
            {"missing": [choice.value]},
        )
    if choice is RuntimeChoice.OPENVINO:
        from lib.ocr.openvino_runtime import OpenVinoRuntime  # noqa: PLC0415 (only when chosen)

        return OpenVinoRuntime(files, precision, threads)
    from lib.ocr.onnx_runtime import OnnxRuntime  # noqa: PLC0415 (only when chosen)

    return OnnxRuntime(files)


def _imports(module: str) -> bool:
    """Whether the module imports here: it may be missing, or built for another CPU or libc."""
    # Importing OpenVINO starts its telemetry, which forks a child that reports to the internet and
    # keeps our pipes open. With None here its import fails, and OpenVINO uses its own empty stub.
    # So does its converter of other formats, which is a third of its import and not needed.
    for unwanted in ("openvino_telemetry", "openvino.tools.ovc"):
        sys.modules.setdefault(unwanted, None)  # type: ignore[arg-type]
    try:
        importlib.import_module(module)
    except (ImportError, OSError):
        return False
    return True


def alphabet_of(characters: str) -> tuple[str, ...]:
    """The recogniser's classes from its `character` metadata: blank, one a line, the space."""
    return ("", *characters.splitlines(), " ")
