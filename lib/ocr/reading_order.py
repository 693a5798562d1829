"""Reading order: rows from top to bottom, each from left to right, on skewed pages too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from lib.domain.geometry import Polygon
from lib.ocr import quads
from lib.ocr.quads import Quad

_T = TypeVar("_T")

_SAME_ROW = 0.5
"""Baselines closer than this share of the smaller height are one row."""

_OVERLAP = 0.25
"""Neighbours in a row may overlap by this share of the narrower one: quads have margins."""

_SLOPE_SPAN = 6.0
"""A segment at least this many heights long tells its own slope; shorter ones take the page's."""


@dataclass(slots=True)
class _Box:
    """A segment in a frame in which the page's text is level."""

    index: int
    left: float
    right: float
    width: float
    middle: float
    height: float
    slope: float


@dataclass(slots=True)
class _Row:
    boxes: list[_Box] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """Height-weighted mean: long and large text says where the row is."""
        weight = sum(box.width for box in self.boxes)
        return sum(box.middle * box.width for box in self.boxes) / max(weight, 1e-6)


def in_reading_order(items: Sequence[_T], places: Sequence[Quad]) -> list[_T]:
    """The items sorted by their places (quads in pixels of one page)."""
    if len(items) < 2:
        return list(items)
    boxes = _level(places)
    rows: list[_Row] = []
    for box in sorted(boxes, key=lambda box: box.left):
        row = _row_of(box, rows)
        if row is None:
            rows.append(_Row([box]))
        else:
            row.boxes.append(box)
    rows.sort(key=lambda row: row.middle)
    return [items[box.index] for row in rows for box in row.boxes]


def quad_of(polygon: Polygon, width: int, height: int) -> Quad:
    """A polygon in 0..1 as a quad in pixels."""
    return np.array([(x * width, y * height) for x, y in polygon.corners], dtype=np.float32)


def _level(places: Sequence[Quad]) -> list[_Box]:
    """Boxes after turning the page back by its skew: the median angle, weighted by length."""
    # All at once: a quad at a time, numpy's calls cost more than what they compute.
    corners = np.stack(places)
    lengths, heights, angles = quads.lengths(corners), quads.heights(corners), quads.angles(corners)
    # Text that runs across the page's direction says nothing about its skew.
    along = np.abs(angles) < math.pi / 4
    skew = _weighted_median(angles[along], lengths[along]) if along.any() else 0.0
    turn = np.array(
        [[math.cos(skew), math.sin(skew)], [-math.sin(skew), math.cos(skew)]], dtype=np.float64
    )
    level = corners @ turn.T
    lefts = level[:, :, 0].min(axis=1)
    rights = np.maximum(level[:, :, 0].max(axis=1), lefts + 1e-6)
    high = np.where(along, heights, np.ptp(level[:, :, 1], axis=1))
    tells = along & (lengths >= _SLOPE_SPAN * high)
    columns = (
        lefts,
        rights,
        rights - lefts,
        level[:, :, 1].mean(axis=1),
        np.maximum(high, 1e-6),
        np.where(tells, np.tan(angles - skew), 0.0),
    )
    rows = np.column_stack(columns).tolist()
    return [_Box(index, *row) for index, row in enumerate(rows)]


def _row_of(box: _Box, rows: Sequence[_Row]) -> _Row | None:
    """The row whose last segment, carried on along its slope, meets the box best, if any."""
    best, best_distance = None, _SAME_ROW
    left, width = box.left, box.width
    met = box.middle - box.slope * width / 2
    for row in rows:  # the square of a page's segments: no call is made that need not be
        last = row.boxes[-1]
        if left < last.right - _OVERLAP * (last.width if last.width < width else width):
            continue  # one above the other, not side by side
        reach = (left - last.right) + last.width / 2
        expected = last.middle + last.slope * reach
        distance = abs(met - expected) / min(box.height, last.height)
        if distance < best_distance:
            best, best_distance = row, distance
    return best


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
