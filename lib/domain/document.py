"""What a document is once it has been read: pages, lines and words."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from lib.domain.geometry import Polygon, bounding_polygon


class PageSource(StrEnum):
    """Where a page's words came from."""

    TEXT_LAYER = "text_layer"
    OCR = "ocr"


Size = tuple[int, int]
"""Width and height of an image in pixels."""


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as pixels: 8-bit RGB, row-major, `len(pixels) == width * height * 3`."""

    width: int
    height: int
    pixels: bytes | bytearray = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.pixels) != self.width * self.height * 3:
            raise ValueError("pixels do not fill width x height x 3")


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters without white space. `confidence` in 0..1; 1.0 from a text layer."""

    text: str
    polygon: Polygon
    confidence: float = 1.0


@dataclass(frozen=True)
class Line:
    """Words on one baseline without a column gap: columns side by side are two lines."""

    words: tuple[Word, ...]

    @cached_property
    def text(self) -> str:
        """The words joined by one space."""
        return " ".join(word.text for word in self.words)

    @cached_property
    def polygon(self) -> Polygon:
        """The box around the words."""
        return bounding_polygon(word.polygon for word in self.words)

    @cached_property
    def confidence(self) -> float:
        """Mean of the words' confidences, weighted by their lengths."""
        letters = sum(len(word.text) for word in self.words)
        return sum(word.confidence * len(word.text) for word in self.words) / max(1, letters)


@dataclass(frozen=True)
class Page:
    """One page as it is read, lines in reading order.

    `number` counts from 1. `width` and `height` are the pixels of the page's whole image, upright;
    used only for the aspect ratio and for drawing.
    `rotation` is the clockwise turn in degrees (0, 90, 180, 270) that made the stored page upright.
    """

    number: int
    width: int
    height: int
    rotation: int
    source: PageSource
    lines: tuple[Line, ...]

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """All words, in reading order."""
        return tuple(word for line in self.lines for word in line.words)

    @cached_property
    def text(self) -> str:
        """The lines joined by line feeds."""
        return "\n".join(line.text for line in self.lines)
