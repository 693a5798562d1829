"""What is written in each quad: crops, batches, CTC decoding with a place per character."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.ocr import quads
from lib.ocr.doubts import Doubt, find_doubts
from lib.ocr.quads import Quad
from lib.ocr.runtime import CTC_HEIGHT, Image, Runtime

_WIDTH_STEPS = ((320, 32), (640, 64), (3200, 128))
"""Crops up to so wide whose widths round up to the same multiple share a batch."""

_BATCH = 16
_MIN_WIDTH = 8
_MAX_WIDTH = 3200
"""Bound for a hostile line 1 px high: 66 times as long as high is beyond any print."""

_PADDING = 127
"""Grey: 0 after normalisation, as the network was taught."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A quad that was read.

    `text` has one character for each of `confidences` (0..1) and `positions`; a position is the
    character's centre as a fraction of the quad's extent along the text, ascending. `doubts` say
    what else may be written, in the order of the text.
    """

    quad: Quad
    text: str
    confidences: NDArray[np.float32]
    positions: NDArray[np.float32]
    doubts: tuple[Doubt, ...] = ()

    @property
    def confidence(self) -> float:
        """Mean over the characters; 0 for none."""
        return float(self.confidences.mean()) if len(self.confidences) else 0.0


def recognise(
    image: Image, places: Sequence[Quad], runtime: Runtime, threads: int = 1
) -> list[Segment]:
    """Read each quad of the image; the segments are in the order of `places`.

    `threads`: batches that the runtime may read at a time.
    """
    crops = [_crop(image, quad) for quad in places]
    read: list[Segment | None] = [None] * len(crops)
    # Those that take long first: what is read side by side then ends at about the same time.
    batches = sorted(
        _batches([crop.shape[1] for crop in crops]), key=lambda found: -found[0] * len(found[1])
    )
    found = runtime.top_classes((_filled(crops, *batch) for batch in batches), threads)
    for (width, batch), (classes, probabilities) in zip(batches, found, strict=True):
        for row, index in enumerate(batch):
            shown = crops[index].shape[1] / width
            read[index] = _decode(
                places[index], classes[row], probabilities[row], shown, runtime.alphabet
            )
    return [segment for segment in read if segment is not None]


def _filled(crops: Sequence[Image], width: int, batch: Sequence[int]) -> Image:
    """The batch's crops, one below the other, filled up to the width."""
    pixels = np.full((len(batch), CTC_HEIGHT, width, 3), _PADDING, np.uint8)
    for row, index in enumerate(batch):
        pixels[row, :, : crops[index].shape[1]] = crops[index]
    return pixels


def _crop(image: Image, quad: Quad) -> Image:
    """The quad straightened to the network's height."""
    ratio = quads.length(quad) / max(1.0, quads.height(quad))
    width = min(_MAX_WIDTH, max(_MIN_WIDTH, int(np.ceil(CTC_HEIGHT * ratio))))
    target = np.array([[0, 0], [width, 0], [width, CTC_HEIGHT], [0, CTC_HEIGHT]], np.float32)
    turn = cv2.getPerspectiveTransform(quad, target)
    return cv2.warpPerspective(  # type: ignore[return-value] # OpenCV's stubs widen uint8
        image, turn, (width, CTC_HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _batches(widths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Indices of crops to read together and the width that holds them, narrow ones first.

    Runtimes keep a plan for every shape they have met, about a megabyte each: widths grow in coarse
    steps and batches hold a power of two, so that there are few shapes.
    """
    by_width: dict[int, list[int]] = defaultdict(list)
    for index, width in enumerate(widths):
        step = next(step for limit, step in _WIDTH_STEPS if width <= limit)
        by_width[-(-width // step) * step].append(index)
    for width, indices in sorted(by_width.items()):
        start = 0
        while start < len(indices):
            size = min(_BATCH, 1 << (len(indices) - start).bit_length() - 1)
            yield width, indices[start : start + size]
            start += size


def _decode(
    quad: Quad,
    classes: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    shown: float,
    alphabet: Sequence[str],
) -> Segment:
    """Greedy CTC: repeats merged, blanks dropped. `shown` is the columns' share without padding."""
    best = classes[:, 0]
    starts = best != 0
    starts[1:] &= best[1:] != best[:-1]
    columns = np.flatnonzero(starts)
    extent = len(best) * shown
    return Segment(
        quad=quad,
        text="".join(alphabet[index] for index in best[columns]),
        confidences=probabilities[columns, 0],
        positions=np.minimum((columns + 0.5) / extent, 1.0).astype(np.float32),
        doubts=find_doubts(classes, probabilities, columns.tolist(), extent, alphabet),
    )
