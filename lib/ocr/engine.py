"""What an OCR engine is: an image in, words and lines in reading order out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lib.domain.document import Line, PageImage


@dataclass(frozen=True, slots=True)
class OrientedReading:
    """A stored page as it is read.

    `rotation` is the clockwise turn in degrees (0, 90, 180, 270) that makes the stored image
    upright; `width` and `height` are the pixels of the upright image, in whose 0..1 the polygons
    are.
    """

    lines: tuple[Line, ...]
    rotation: int
    width: int
    height: int


class OcrEngine(Protocol):
    """Reads one image at a time in this process. Not safe to share between threads."""

    @property
    def name(self) -> str:
        """Engine, models and runtime, as artifacts name it, e.g. `pp-ocrv6-small/openvino`."""
        ...

    def recognize(self, image: PageImage) -> tuple[Line, ...]:
        """Read an upright image: lines in reading order, polygons in 0..1, confidences in 0..1."""
        ...

    def read(self, image: PageImage, threads: int = 1) -> OrientedReading:
        """Find out how the image must be turned to be upright, and read it that way.

        `threads`: how many may work on it; an engine may use fewer.
        """
        ...
