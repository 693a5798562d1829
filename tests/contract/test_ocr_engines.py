"""One suite for every OCR engine: what `OcrEngine` promises, on pages drawn here.

PP-OCR runs for real on both runtimes. PaddleOCR's weights are not part of the project: its engine
is run over results of the shape that PaddleOCR 3.x returns, so what is proved for it is that they
are converted right (and in tests/unit/ocr/test_paddle.py its settings and errors), not that Paddle
reads.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lib.domain.document import Line, PageImage
from lib.ocr.engine import OcrEngine
from lib.ocr.engine_settings import Precision, RuntimeChoice
from lib.ocr.paddle import PaddleEngine
from lib.ocr.ppocr import build_ppocr

WIDTH, HEIGHT = 900, 640
PRINTED = (  # left, top, size, text; two columns in the middle
    (80, 40, 44, "CORNER STORE"),
    (80, 120, 30, "12 Market Street"),
    (80, 220, 30, "Coffee beans"),
    (640, 220, 30, "12.50"),
    (80, 280, 30, "Green tea"),
    (640, 280, 30, "4.25"),
    (80, 380, 34, "Total due"),
    (640, 380, 34, "16.75"),
    (80, 520, 26, "Thank you for your visit"),
)


def drawn() -> tuple[Image.Image, list[tuple[float, float, float, float]]]:
    """The page, and the box of each printed text in pixels."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    boxes = []
    for left, top, size, text in PRINTED:
        font = ImageFont.load_default(size)
        draw.text((left, top), text, font=font, fill="black")
        boxes.append(draw.textbbox((left, top), text, font=font))
    return image, boxes


def as_page(image: Image.Image) -> PageImage:
    return PageImage(image.width, image.height, image.convert("RGB").tobytes())


class RecordedPaddle:
    """Answers as `paddleocr.PaddleOCR.predict` does, for the drawn page in any orientation."""

    def predict(self, image: NDArray[np.uint8]) -> Sequence[Mapping[str, Any]]:
        angle = self._turn(image)
        texts, polygons, words, regions = [], [], [], []
        if angle is not None:
            for (_, _, _, text), (x0, y0, x1, y1) in zip(PRINTED, drawn()[1], strict=True):
                texts.append(text)
                polygons.append(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.int16))
                step = (x1 - x0) / len(text)
                pieces, places, start = text.split(" "), [], 0
                for piece in pieces:
                    a, b = x0 + step * start, x0 + step * (start + len(piece))
                    places.append(((a, y0), (b, y0), (b, y1), (a, y1)))
                    start += len(piece) + 1
                words.append(pieces)
                regions.append(places)
        return [
            {
                "doc_preprocessor_res": {"angle": angle or 0},
                "rec_texts": texts,
                "rec_scores": [0.98] * len(texts),
                "rec_polys": polygons,
                "text_word": words,
                "text_word_region": regions,
            }
        ]

    @staticmethod
    def _turn(image: NDArray[np.uint8]) -> int | None:
        original = np.asarray(drawn()[0])
        for angle in (0, 90, 180, 270):  # the classifier's label: turned clockwise by that much
            turned = np.rot90(original, -angle // 90)
            if turned.shape == image.shape and (turned == image).all():
                return angle
        return None


@pytest.fixture(scope="module", params=["openvino", "onnxruntime", "paddle"])
def engine(request: pytest.FixtureRequest) -> OcrEngine:
    if request.param == "paddle":
        return PaddleEngine(RecordedPaddle(), ["PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec"])
    pytest.importorskip(request.param)
    return build_ppocr(RuntimeChoice(request.param), Precision.AUTO, 1280, threads=3)


@pytest.fixture(scope="module")
def lines(engine: OcrEngine) -> tuple[Line, ...]:
    return engine.recognize(as_page(drawn()[0]))


def test_the_name_has_no_spaces_and_says_the_models(engine: OcrEngine) -> None:
    family, _, rest = engine.name.partition("/")
    assert family in {"pp-ocrv6-small", "paddleocr"}
    assert rest
    assert " " not in engine.name


def test_the_text_is_read_in_reading_order(lines: tuple[Line, ...]) -> None:
    assert [line.text for line in lines] == [text for _, _, _, text in PRINTED]


def test_columns_are_lines_of_their_own(lines: tuple[Line, ...]) -> None:
    row = [line for line in lines if line.text in {"Coffee beans", "12.50"}]
    assert row[0].polygon.x1 < row[1].polygon.x0


def test_words_have_no_white_space_and_follow_each_other(lines: tuple[Line, ...]) -> None:
    for line in lines:
        assert all(word.text and not any(map(str.isspace, word.text)) for word in line.words)
        for left, right in zip(line.words, line.words[1:], strict=False):
            assert left.polygon.x1 <= right.polygon.x0 + 1e-6


def test_confidences_are_in_0_to_1(lines: tuple[Line, ...]) -> None:
    assert all(0.5 < word.confidence <= 1.0 for line in lines for word in line.words)


def test_polygons_are_in_the_page_and_around_the_print(lines: tuple[Line, ...]) -> None:
    for line, (x0, y0, x1, y1) in zip(lines, drawn()[1], strict=True):
        polygon = line.polygon
        assert 0.0 <= polygon.x0 < polygon.x1 <= 1.0
        assert 0.0 <= polygon.y0 < polygon.y1 <= 1.0
        margin = y1 - y0
        found = (
            polygon.x0 * WIDTH,
            polygon.y0 * HEIGHT,
            polygon.x1 * WIDTH,
            polygon.y1 * HEIGHT,
        )
        assert np.allclose(found, (x0, y0, x1, y1), atol=margin)


def test_a_words_polygon_is_around_the_word(lines: tuple[Line, ...]) -> None:
    image, _ = drawn()
    draw = ImageDraw.Draw(image)
    word = next(line for line in lines if line.text == "Thank you for your visit").words[-1]
    font = ImageFont.load_default(26)
    start = 80 + draw.textlength("Thank you for your ", font=font)
    assert word.text == "visit"
    assert abs(word.polygon.x0 * WIDTH - start) < 20


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_turned_page_is_read_as_if_upright(engine: OcrEngine, turn: int) -> None:
    """`turn`: how far the stored image is turned clockwise from upright."""
    image, boxes = drawn()
    reading = engine.read(as_page(image.rotate(-turn, expand=True)))
    assert reading.rotation == (360 - turn) % 360
    assert (reading.width, reading.height) == (WIDTH, HEIGHT)
    assert [line.text for line in reading.lines] == [text for _, _, _, text in PRINTED]
    total = next(line for line in reading.lines if line.text == "16.75")
    assert abs(total.polygon.x0 * WIDTH - boxes[7][0]) < 30
    assert abs(total.polygon.y0 * HEIGHT - boxes[7][1]) < 30


def test_more_threads_read_the_very_same(engine: OcrEngine) -> None:
    page = as_page(drawn()[0])
    assert engine.read(page, 3) == engine.read(page, 2) == engine.read(page)


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3), (64, 64)])
@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_page_without_text_has_no_lines(
    engine: OcrEngine, size: tuple[int, int], colour: str
) -> None:
    reading = engine.read(as_page(Image.new("RGB", size, colour)))
    assert reading.lines == ()
    assert (reading.rotation, reading.width, reading.height) == (0, *size)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are bound to cores on Linux only")
def test_no_thread_is_bound_to_a_core_while_it_reads(engine: OcrEngine) -> None:
    """Two processes whose engines bind themselves to the same core read at half their speed."""
    allowed = os.sched_getaffinity(0)
    bound: set[frozenset[int]] = set()
    read = threading.Event()

    def watch() -> None:
        last = False
        while not last:
            last = read.is_set()
            for task in Path("/proc/self/task").iterdir():
                with suppress(ProcessLookupError):
                    bound.add(frozenset(os.sched_getaffinity(int(task.name))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        engine.recognize(as_page(drawn()[0]))
    finally:
        read.set()
        watcher.join()
    assert bound == {frozenset(allowed)}
