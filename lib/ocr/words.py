"""Segments cut into lines and words, each with its polygon, from the places of their characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib.domain.document import Line, Word
from lib.domain.geometry import Polygon
from lib.ocr import quads
from lib.ocr.quads import Quad
from lib.ocr.recognition import Segment

_COLUMN_GAP, _COLUMN_ADVANCES = 2.0, 3.0
"""White space inside a segment separates columns, not words, when it is wider than this many line
heights and than this many characters: words set in spaced letters stay together."""

_LONE_WIDTH = 0.5
"""Width of a character in line heights, where a segment has too few of them to tell."""


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line and the quad around it, in pixels of the upright page."""

    line: Line
    quad: Quad


@dataclass(frozen=True, slots=True)
class _Run:
    """Characters `first` to before `last` of a segment, and their extent along it (0..1)."""

    first: int
    last: int
    start: float
    end: float


def place_lines(segment: Segment, width: int, height: int) -> Iterator[PlacedLine]:
    """The lines of a segment: one, or several where a column gap runs through it.

    `width` and `height` are the page's pixels: polygons come out in 0..1 of them.
    """
    text = segment.text
    aspect = quads.length(segment.quad) / max(1.0, quads.height(segment.quad))
    half = _half_character(segment.positions, aspect)
    column_gap = max(_COLUMN_GAP / max(aspect, 1e-6), _COLUMN_ADVANCES * 2 * half)
    runs = _word_runs(text, segment.positions, half, column_gap)
    size = np.array([width, height], dtype=np.float32)
    for columns in _split_at_gaps(runs, column_gap):
        words = tuple(
            Word(
                text=text[run.first : run.last],
                polygon=_polygon(quads.part(segment.quad, run.start, run.end) / size),
                confidence=float(segment.confidences[run.first : run.last].mean()),
            )
            for run in columns
        )
        yield PlacedLine(Line(words), quads.part(segment.quad, columns[0].start, columns[-1].end))


def _word_runs(
    text: str, positions: NDArray[np.float32], half: float, column_gap: float
) -> list[_Run]:
    """Words of a segment; the outer ones reach its ends, unless a column gap lies there.

    `half` a character and `column_gap` are fractions of the segment's extent.
    """
    bounds = list(_bounds(text))
    if not bounds:
        return []
    runs = []
    for index, (first, last) in enumerate(bounds):
        start = max(0.0, float(positions[first]) - half)
        end = min(1.0, float(positions[last - 1]) + half)
        if index == 0 and start < column_gap:
            start = 0.0
        if index == len(bounds) - 1 and 1.0 - end < column_gap:
            end = 1.0
        runs.append(_Run(first, last, start, max(start, end)))
    return _without_overlap(runs)


def _bounds(text: str) -> Iterator[tuple[int, int]]:
    """First and past-the-last index of each run without white space."""
    first = None
    for index, character in enumerate(text):
        if character.isspace():
            if first is not None:
                yield first, index
            first = None
        elif first is None:
            first = index
    if first is not None:
        yield first, len(text)


def _half_character(positions: NDArray[np.float32], aspect: float) -> float:
    """Half the usual distance between neighbouring characters, as a fraction of the segment."""
    if len(positions) < 3:
        return min(0.5, _LONE_WIDTH / max(aspect, 1e-6) / 2)
    return float(np.median(np.diff(positions))) / 2


def _without_overlap(runs: list[_Run]) -> list[_Run]:
    """Neighbours that run into each other meet half way."""
    apart = list(runs)
    for index in range(len(apart) - 1):
        left, right = apart[index], apart[index + 1]
        if left.end > right.start:
            middle = max(left.start, min((left.end + right.start) / 2, right.end))
            apart[index] = _Run(left.first, left.last, left.start, middle)
            apart[index + 1] = _Run(right.first, right.last, middle, right.end)
    return apart


def _split_at_gaps(runs: list[_Run], column_gap: float) -> Iterator[list[_Run]]:
    """Words that belong together, split where white space is a column gap."""
    together: list[_Run] = []
    for run in runs:
        if together and run.start - together[-1].end > column_gap:
            yield together
            together = []
        together.append(run)
    if together:
        yield together


def _polygon(corners: NDArray[np.float32]) -> Polygon:
    points = [(float(x), float(y)) for x, y in np.clip(corners, 0.0, 1.0)]
    return Polygon((points[0], points[1], points[2], points[3]))
