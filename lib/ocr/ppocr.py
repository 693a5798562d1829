"""The PP-OCR engine: detection, recognition and page orientation as one pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lib.domain.document import Line, PageImage
from lib.ocr import quads
from lib.ocr.characters import fold, prints_accents, without_accents
from lib.ocr.detection import detect, shrink_factor
from lib.ocr.engine import OrientedReading
from lib.ocr.engine_settings import Precision, RuntimeChoice
from lib.ocr.letter_model import LetterModel, load_letters
from lib.ocr.models import MODEL_NAME
from lib.ocr.quads import Quad
from lib.ocr.reading_order import in_reading_order
from lib.ocr.recognition import Segment, recognise
from lib.ocr.runtime import Image, Runtime, build_runtime
from lib.ocr.spelling import respell
from lib.ocr.words import PlacedLine, place_lines

_SOURCE_SIDE = 2000
"""Larger pages are area-averaged first: letters only get finer than recognition needs."""

_MIN_CONFIDENCE = 0.5
"""Segments below are drawings, stamps and dirt."""

_TALL = 1.5
"""A quad this much higher than wide may hold sideways text."""

_SIDEWAYS_SHARE = 0.5
"""Share of the text's extent in tall quads above which the whole page lies on its side."""

_UPRIGHT_CONFIDENCE = 0.85
"""Above this mean confidence a page is upright: upside-down text reaches 0.75, upright text 0.9."""

_SAMPLE = 10
"""Segments that are read both ways when a page may stand on its head."""

_EVERY = 8
"""Of so many pixels of a side one is looked at to judge a page's contrast."""

_DARK_TAIL, _BRIGHT_TAIL = 0.05, 0.5
"""Per cent of pixels that may be darker or brighter: a line of words is more than the first."""

_BLANK, _FAINT = 24, 80
"""Shades of 256 between the tails: below the first there is only noise, below the second faint ink.
Of 320 receipts photographed or scanned two lie below 90."""

_QUARTER_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


@dataclass(frozen=True, slots=True)
class _Reading:
    """Segments of an image turned by `rotation` degrees clockwise, in its pixels."""

    image: Image
    rotation: int
    segments: tuple[Segment, ...]


class PpOcrEngine:
    """Implements `OcrEngine` with the weights of RapidOCR's wheel."""

    def __init__(self, runtime: Runtime, detection_side: int, letters: LetterModel | None) -> None:
        self._runtime = runtime
        self._side = detection_side
        self._letters = letters

    @property
    def name(self) -> str:
        """See `OcrEngine`."""
        return f"{MODEL_NAME}/{self._runtime.name}"

    def recognize(self, image: PageImage) -> tuple[Line, ...]:
        """See `OcrEngine`."""
        pixels = _pixels(image)
        places = detect(pixels, self._side, self._runtime)
        return _lines(_Reading(pixels, 0, self._segments(pixels, places)), self._letters)

    def read(self, image: PageImage, threads: int = 1) -> OrientedReading:
        """See `OcrEngine`. An upright page costs nothing extra: its confidence speaks for it."""
        pixels = _pixels(image)
        places = detect(pixels, self._side, self._runtime)
        rotation = 0
        if _sideways_share(places) > _SIDEWAYS_SHARE:
            rotation = 90
            pixels = _turned(pixels, rotation)
            places = detect(pixels, self._side, self._runtime)
        reading = _Reading(pixels, rotation, self._segments(pixels, places, threads))
        if self._upside_down(reading, threads):
            reading = self._turned_over(reading, places, threads)
        swapped = reading.rotation in (90, 270)
        return OrientedReading(
            lines=_lines(reading, self._letters),
            rotation=reading.rotation,
            width=image.height if swapped else image.width,
            height=image.width if swapped else image.height,
        )

    def _segments(
        self, pixels: Image, places: Sequence[Quad], threads: int = 1
    ) -> tuple[Segment, ...]:
        """Each place read; a tall one both across and downwards, keeping the surer reading.

        A tall quad is sideways text or a lone narrow character such as `1`.
        """
        tall = [index for index, quad in enumerate(places) if _is_tall(quad)]
        wanted = [*places, *(quads.read_downwards(places[index]) for index in tall)]
        segments = recognise(pixels, wanted, self._runtime, threads)
        best = segments[: len(places)]
        for index, downwards in zip(tall, segments[len(places) :], strict=True):
            best[index] = max(best[index], downwards, key=lambda segment: segment.confidence)
        return tuple(best)

    def _upside_down(self, reading: _Reading, threads: int) -> bool:
        """Whether the longest segments of an unsure reading read better the other way round."""
        told = [s for s in reading.segments if quads.length(s.quad) >= 2 * quads.height(s.quad)]
        if not told or _mean_confidence(told) >= _UPRIGHT_CONFIDENCE:
            return False
        sample = sorted(told, key=lambda s: quads.length(s.quad), reverse=True)[:_SAMPLE]
        turned = recognise(
            reading.image, [quads.upside_down(s.quad) for s in sample], self._runtime, threads
        )
        return _mean_confidence(turned) > _mean_confidence(sample)

    def _turned_over(self, reading: _Reading, places: Sequence[Quad], threads: int) -> _Reading:
        """The same places read on the image turned by half a turn."""
        height, width = reading.image.shape[:2]
        end = np.array([width, height], dtype=np.float32)
        turned = [quads.upside_down(end - quad) for quad in places]
        pixels = _turned(reading.image, 180)
        segments = self._segments(pixels, turned, threads)
        return _Reading(pixels, (reading.rotation + 180) % 360, segments)


def build_ppocr(
    runtime: RuntimeChoice,
    precision: Precision,
    detection_side: int,
    threads: int = 1,
    *,
    respells: bool = True,
) -> PpOcrEngine:
    """The engine with its networks loaded; `inference_unavailable` when the models are missing.

    `threads`: how many may be at work at most. `respells`: whether doubtful letters are settled by
    their context, or stay as they were read.
    """
    cv2.setNumThreads(1)
    letters = load_letters() if respells else None
    return PpOcrEngine(build_runtime(runtime, precision, threads), detection_side, letters)


def _pixels(image: PageImage) -> Image:
    """The page as OpenCV holds it, shrunk where it is larger than recognition needs."""
    rgb = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, 3)
    factor = shrink_factor(image.width, image.height, _SOURCE_SIDE)
    if factor < 1.0:
        rgb = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)  # type: ignore[assignment] # OpenCV's stubs widen uint8
    return _with_contrast(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))  # type: ignore[arg-type] # as above


def _with_contrast(pixels: Image) -> Image:
    """The image itself, or that of a faint page spread over all shades.

    Detection misses most lines of ink that is hardly darker than its paper.
    """
    sample = pixels[::_EVERY, ::_EVERY, 1]
    dark, bright = np.percentile(sample, (_DARK_TAIL, 100 - _BRIGHT_TAIL))
    if not _BLANK <= bright - dark < _FAINT:
        return pixels
    shades = np.rint((np.arange(256) - dark) * (255 / (bright - dark)))
    return cv2.LUT(pixels, np.clip(shades, 0, 255).astype(np.uint8))  # type: ignore[return-value] # as above


def _turned(pixels: Image, degrees: int) -> Image:
    """The image turned clockwise."""
    return cv2.rotate(pixels, _QUARTER_TURNS[degrees])  # type: ignore[return-value] # as above


def _is_tall(quad: Quad) -> bool:
    return quads.height(quad) >= _TALL * quads.length(quad)


def _sideways_share(places: Sequence[Quad]) -> float:
    """Share of tall quads among those that have a clear direction, weighted by their long sides."""
    tall = sum(quads.height(quad) for quad in places if _is_tall(quad))
    wide = sum(
        quads.length(quad) for quad in places if quads.length(quad) >= _TALL * quads.height(quad)
    )
    return tall / (tall + wide) if tall else 0.0


def _mean_confidence(segments: Sequence[Segment]) -> float:
    """Mean weighted by the quads' lengths: an unread one counts as 0."""
    weights = [quads.length(segment.quad) for segment in segments]
    total = sum(w * s.confidence for w, s in zip(weights, segments, strict=True))
    return total / max(sum(weights), 1e-6)


def _lines(reading: _Reading, letters: LetterModel | None) -> tuple[Line, ...]:
    height, width = reading.image.shape[:2]
    sure = [s for s in reading.segments if s.confidence >= _MIN_CONFIDENCE]
    accents = prints_accents((segment.text, segment.confidences) for segment in sure)
    placed: list[PlacedLine] = []
    for segment in sure:
        text = segment.text if accents else without_accents(segment.text)
        printed = replace(segment, text=fold(text))
        if letters is not None:
            printed = respell(printed, letters, accents)
        placed.extend(place_lines(printed, width, height))
    return tuple(found.line for found in in_reading_order(placed, [found.quad for found in placed]))
