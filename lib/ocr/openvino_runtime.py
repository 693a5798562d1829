"""The PP-OCR networks on OpenVINO, normalisation and the best classes per column in the graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13
from openvino.preprocess import PrePostProcessor

from lib.ocr.engine_settings import Precision
from lib.ocr.models import ModelFiles
from lib.ocr.runtime import MEAN, SCALE, TOP_CLASSES, Columns, Image, alphabet_of


class OpenVinoRuntime:
    """Implements `Runtime`: the page in one infer request that all threads share, the batches of
    crops in one for each thread.

    The recogniser has 18,710 classes: only the best few of each column leave the graph, which
    saves copying and searching 75 kB a column in Python.
    """

    def __init__(self, files: ModelFiles, precision: Precision, threads: int = 1) -> None:
        core = ov.Core()
        bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        chosen = precision
        if precision is Precision.AUTO:
            chosen = Precision.BF16 if bf16 else Precision.F32
        config = {
            "INFERENCE_NUM_THREADS": threads,
            # Else each process binds its thread to the first core, and all of them share that one:
            # https://www.intel.com/content/www/us/en/support/articles/000058227.html
            "ENABLE_CPU_PINNING": False,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": chosen.value,
        }
        self._name = "openvino-bf16" if chosen is Precision.BF16 else "openvino"
        detector = core.read_model(files.detection)
        recogniser = core.read_model(files.recognition)
        self._alphabet = alphabet_of(recogniser.get_rt_info(["framework", "character"]).astype(str))
        self._detect = _compile(core, detector, config).create_infer_request()
        streams = {**config, "NUM_STREAMS": threads}
        recognise = _compile(core, _with_top_classes(recogniser), streams)
        self._recognise = [recognise.create_infer_request() for _ in range(threads)]

    @property
    def name(self) -> str:
        """`openvino` or `openvino-bf16`."""
        return self._name

    @property
    def alphabet(self) -> tuple[str, ...]:
        """See `Runtime`."""
        return self._alphabet

    def text_map(self, image: Image) -> NDArray[np.float32]:
        """See `Runtime`."""
        self._detect.infer([image[None]], share_inputs=True)
        probabilities: NDArray[np.float32] = self._detect.get_output_tensor().data[0, 0]
        return probabilities

    def top_classes(self, batches: Iterable[Image], threads: int) -> Iterator[Columns]:
        """See `Runtime`."""
        for request in self._recognise:  # what a call that failed has left at work
            request.wait()
        idle = self._recognise[:threads]
        reading: deque[Any] = deque()
        for crops in batches:
            if not idle:
                request = reading.popleft()
                yield _columns(request)
                idle.append(request)
            request = idle.pop()
            request.start_async([crops], share_inputs=True)
            reading.append(request)
        yield from map(_columns, reading)


def _columns(request: Any) -> Columns:
    """What a request has read, once it has."""
    request.wait()
    probabilities, classes = (request.get_output_tensor(index).data for index in range(2))
    return classes, probabilities


def _compile(core: Any, model: Any, config: dict[str, Any]) -> Any:
    """The network for 8-bit pixels, channels last."""
    steps = PrePostProcessor(model)
    tensor = steps.input()
    tensor.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    tensor.tensor().set_shape([-1, -1, -1, 3])
    tensor.model().set_layout(ov.Layout("NCHW"))
    tensor.preprocess().convert_element_type(ov.Type.f32).mean([MEAN] * 3).scale([SCALE] * 3)
    return core.compile_model(steps.build(), "CPU", config)


def _with_top_classes(model: Any) -> Any:
    """The recogniser with two outputs: each column's best probabilities, and their classes."""
    scores = model.outputs[0].get_node().input_value(0)
    best = opset13.topk(
        scores,
        opset13.constant(TOP_CLASSES, dtype=np.int32),
        2,
        "max",
        "value",
        index_element_type="i64",
    )
    return ov.Model([best.output(0), best.output(1)], model.get_parameters(), "recogniser")
