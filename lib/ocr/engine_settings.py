"""What a worker is told of its engine. Light: the parent of the workers loads no engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum

import orjson


class EngineChoice(StrEnum):
    """PPOCR: the pipeline over the weights in RapidOCR's wheel. PADDLE: PaddleOCR, if installed."""

    PPOCR = "ppocr"
    PADDLE = "paddle"


class RuntimeChoice(StrEnum):
    """Which library runs the networks; AUTO is OpenVINO where it imports, else ONNX Runtime."""

    AUTO = "auto"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"


class Precision(StrEnum):
    """Arithmetic; AUTO is bfloat16 on OpenVINO where the CPU has it, else float32."""

    AUTO = "auto"
    BF16 = "bf16"
    F32 = "f32"


@dataclass(frozen=True, slots=True)
class PaddleModels:
    """Folders of unpacked Paddle inference models; empty where not given.

    `orientation_dir` (a document orientation classifier) is optional: without it pages are taken
    to be upright.
    """

    detection_dir: str = ""
    recognition_dir: str = ""
    orientation_dir: str = ""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What a worker needs to know to load its engine.

    `runtime`, `precision` and `detection_side` (pixels of a page's long side as the detector
    sees it; more finds smaller print and costs quadratically) and `threads` (that may work on a
    page, at most) are for PPOCR, `paddle` for PADDLE.
    """

    engine: EngineChoice = EngineChoice.PPOCR
    runtime: RuntimeChoice = RuntimeChoice.AUTO
    precision: Precision = Precision.AUTO
    detection_side: int = 1280
    threads: int = 1
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
            threads=body["threads"],
            paddle=PaddleModels(**body["paddle"]),
        )
