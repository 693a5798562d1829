"""Runs the PaddleOCR engine on real PaddleOCR with two toy networks made here, so without weights.

    pip install 'ocr-service[paddle]'        # in an environment of its own: it takes 1.4 GB
    python scripts/check_paddle_engine.py

The detector answers "text" where pixels are dark, the recogniser reads every dark run as `A`. That
shows the adapter's constructor arguments, its input and every key of the result that it uses to be
what the installed PaddleOCR understands; how well PaddleOCR's own weights read, it does not show.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import paddle
import yaml
from paddle import nn
from PIL import Image, ImageDraw

from lib.domain.document import PageImage
from lib.ocr.engine_settings import PaddleModels
from lib.ocr.paddle import build_paddle

DETECTOR_CONFIG: dict[str, Any] = {
    "Global": {"model_name": "PP-OCRv5_mobile_det"},
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"DetResizeForTest": {"resize_long": 960}},
            {
                "NormalizeImage": {
                    "mean": [0.485, 0.456, 0.406],
                    "std": [0.229, 0.224, 0.225],
                    "scale": "1./255.",
                    "order": "hwc",
                }
            },
            {"ToCHWImage": None},
        ]
    },
    "PostProcess": {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.3, "unclip_ratio": 1.5},
}
RECOGNISER_CONFIG: dict[str, Any] = {
    "Global": {"model_name": "PP-OCRv5_mobile_rec"},
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"RecResizeImg": {"image_shape": [3, 48, 320]}},
        ]
    },
    "PostProcess": {"name": "CTCLabelDecode", "character_dict": ["A", "B"]},
}
BARS = ((50, 60, 200, 90), (230, 60, 330, 90), (50, 200, 300, 230))


def grey() -> nn.Conv2D:
    """The mean of the three channels, as a layer: Paddle saves no network without parameters."""
    third = paddle.ParamAttr(initializer=nn.initializer.Constant(1 / 3))
    zero = paddle.ParamAttr(initializer=nn.initializer.Constant(0.0))
    return nn.Conv2D(3, 1, 1, weight_attr=third, bias_attr=zero)


class DarkIsText(nn.Layer):
    """(n, 3, h, w) normalised to (n, 1, h, w) probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.grey, self.blur = grey(), nn.AvgPool2D(5, 1, 2)

    def forward(self, x: Any) -> Any:
        return nn.functional.sigmoid(-4.0 * self.blur(self.grey(x)))


class DarkIsA(nn.Layer):
    """(n, 3, 48, w) in -1..1 to (n, w / 8, classes): blank, A, B and the space."""

    def __init__(self) -> None:
        super().__init__()
        self.grey, self.columns = grey(), nn.AvgPool2D((48, 8), (48, 8))

    def forward(self, x: Any) -> Any:
        dark = (0.3 - self.columns(self.grey(x)).squeeze([1, 2])) * 20
        never = dark * 0 - 50
        return nn.functional.softmax(paddle.stack([-dark, dark, never, never], axis=-1), axis=-1)


def save(network: nn.Layer, shape: list[int | None], config: dict[str, Any], folder: Path) -> str:
    """Write the network as a Paddle inference model; its folder."""
    folder.mkdir()
    network.eval()
    spec = paddle.static.InputSpec(shape, "float32", name="x")
    paddle.jit.save(network, str(folder / "inference"), input_spec=[spec])
    (folder / "inference.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(folder)


def main() -> None:
    """Read an image of three bars; fail unless each is found where it stands."""
    image = Image.new("RGB", (600, 400), "white")
    for bar in BARS:
        ImageDraw.Draw(image).rectangle(bar, fill="black")
    with tempfile.TemporaryDirectory() as work:
        models = PaddleModels(
            save(DarkIsText(), [None, 3, None, None], DETECTOR_CONFIG, Path(work, "det")),
            save(DarkIsA(), [None, 3, 48, None], RECOGNISER_CONFIG, Path(work, "rec")),
        )
        engine = build_paddle(models)
        lines = engine.recognize(PageImage(600, 400, image.tobytes()))
    assert len(lines) == len(BARS), [line.text for line in lines]
    for line, (x0, y0, x1, y1) in zip(lines, BARS, strict=True):
        place = line.polygon
        assert set(line.text) == {"A"}, line.text
        assert place.x0 * 600 <= x0 + 8 and place.x1 * 600 >= x1 - 8, place
        assert place.y0 * 400 <= y0 and place.y1 * 400 >= y1, place
    print(f"{engine.name}: {len(lines)} lines, each where it stands")


if __name__ == "__main__":
    main()
