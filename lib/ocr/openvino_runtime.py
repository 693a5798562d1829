"""The PP-OCR networks on OpenVINO, normalisation and the best classes per column in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13
from openvino.preprocess import PrePostProcessor

from lib.ocr.engine_settings import Precision
from lib.ocr.models import ModelFiles
from lib.ocr.runtime import MEAN, SCALE, TOP_CLASSES, Image, alphabet_of


class OpenVinoRuntime:
    """Implements `Runtime`: one thread, one infer request per network.

    The recogniser has 18,710 classes: only the best few of each column leave the graph, which
    saves copying and searching 75 kB a column in Python.
    """

    def __init__(self, files: ModelFiles, precision: Precision) -> None:
        core = ov.Core()
        bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        chosen = precision
        if precision is Precision.AUTO:
            chosen = Precision.BF16 if bf16 else Precision.F32
        config = {
            "INFERENCE_NUM_THREADS": 1,
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
        self._detect = _compile(core, detector, config)
        self._recognise = _compile(core, _with_top_classes(recogniser), config)

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

    def top_classes(self, crops: Image) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See `Runtime`."""
        self._recognise.infer([crops], share_inputs=True)
        probabilities = self._recognise.get_output_tensor(0).data
        classes = self._recognise.get_output_tensor(1).data
        return classes, probabilities


def _compile(core: Any, model: Any, config: dict[str, Any]) -> Any:
    """An infer request that takes 8-bit pixels, channels last."""
    steps = PrePostProcessor(model)
    tensor = steps.input()
    tensor.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    tensor.tensor().set_shape([-1, -1, -1, 3])
    tensor.model().set_layout(ov.Layout("NCHW"))
    tensor.preprocess().convert_element_type(ov.Type.f32).mean([MEAN] * 3).scale([SCALE] * 3)
    return core.compile_model(steps.build(), "CPU", config).create_infer_request()


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
