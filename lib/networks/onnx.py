"""ONNX Runtime: a network from a file or from bytes, run on one thread of the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

# Its Linux wheels report to Microsoft (seen in 1.31): the import alone makes an id of the machine
# (~/.cache/Microsoft/DeveloperTools/.onnxruntime/deviceid) and a sender of events. This is the only
# switch that comes in time; `disable_telemetry_events` is there only after the import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

Array = NDArray[Any]


class OnnxNetwork:
    """A loaded network. Safe to share between threads.

    Foreign exceptions are not translated: its callers load files that are part of an installed
    package and give shapes that they made themselves, so that a failure is a fault of ours.
    """

    def __init__(self, model: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors: warnings about unused initialisers say nothing
        # Every document has another size: a plan made for one shape only holds memory for the next.
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            options,
            providers=["CPUExecutionProvider"],
        )

    @property
    def metadata(self) -> Mapping[str, str]:
        """The custom metadata that the file carries."""
        found: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return found

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """All outputs, in the order in which the file names them."""
        outputs: list[Array] = self._session.run(None, dict(inputs))
        return outputs
