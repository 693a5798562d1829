"""One suite for every runtime of the PP-OCR networks: batches of crops, read some at a time."""

from collections.abc import Iterator

import numpy as np
import pytest

from lib.ocr.engine_settings import Precision, RuntimeChoice
from lib.ocr.runtime import CTC_HEIGHT, TOP_CLASSES, Image, Runtime, build_runtime

BATCHES: list[Image] = [
    np.random.default_rng(width).integers(0, 256, (count, CTC_HEIGHT, width, 3), np.uint8)
    for count, width in ((4, 320), (1, 64), (2, 192), (8, 32), (1, 320))
]


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    pytest.importorskip(request.param)
    return build_runtime(RuntimeChoice(request.param), Precision.AUTO, threads=2)


def read(runtime: Runtime, threads: int) -> list[tuple[bytes, bytes]]:
    found = runtime.top_classes(iter(BATCHES), threads)
    return [(classes.tobytes(), probabilities.tobytes()) for classes, probabilities in found]


def test_each_batch_has_its_best_classes_in_its_place(runtime: Runtime) -> None:
    found = runtime.top_classes(BATCHES, 1)
    for (classes, probabilities), crops in zip(found, BATCHES, strict=True):
        assert classes.shape == probabilities.shape
        assert (classes.shape[0], classes.shape[2]) == (len(crops), TOP_CLASSES)
        assert classes.min() >= 0
        assert classes.max() < len(runtime.alphabet)
        assert (np.diff(probabilities, axis=2) <= 0).all()


@pytest.mark.parametrize("threads", [2, 16])
def test_more_threads_find_the_same_in_the_same_order(runtime: Runtime, threads: int) -> None:
    assert read(runtime, threads) == read(runtime, 1)


def test_what_was_not_taken_is_no_harm_to_the_next(runtime: Runtime) -> None:
    whole = read(runtime, 2)
    left = runtime.top_classes(BATCHES, 2)
    next(left)
    assert read(runtime, 2) == whole
    del left


def test_batches_that_cannot_be_made_are_no_harm_to_the_next(runtime: Runtime) -> None:
    def breaking() -> Iterator[Image]:
        yield from BATCHES[:2]
        raise ValueError("no third")

    whole = read(runtime, 1)
    with pytest.raises(ValueError, match="no third"):
        list(runtime.top_classes(breaking(), 2))
    assert read(runtime, 2) == whole


def test_no_batches_are_nothing(runtime: Runtime) -> None:
    assert list(runtime.top_classes([], 2)) == []
