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
    middle: float
    height: float
    slope: float


@dataclass(slots=True)
class _Row:
    boxes: list[_Box] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """Height-weighted mean: long and large text says where the row is."""
        weight = sum(box.right - box.left for box in self.boxes)
        return sum(box.middle * (box.right - box.left) for box in self.boxes) / max(weight, 1e-6)


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
    lengths = np.array([quads.length(quad) for quad in places])
    angles = np.array([quads.angle(quad) for quad in places])
    # Text that runs across the page's direction says nothing about its skew.
    along = np.abs(angles) < math.pi / 4
    skew = _weighted_median(angles[along], lengths[along]) if along.any() else 0.0
    turn = np.array(
        [[math.cos(skew), math.sin(skew)], [-math.sin(skew), math.cos(skew)]], dtype=np.float64
    )
    boxes = []
    for index, quad in enumerate(places):
        points = quad @ turn.T
        left, right = float(points[:, 0].min()), float(points[:, 0].max())
        high = quads.height(quad) if along[index] else float(np.ptp(points[:, 1]))
        own = angles[index] - skew
        tells = along[index] and lengths[index] >= _SLOPE_SPAN * high
        boxes.append(
            _Box(
                index=index,
                left=left,
                right=max(right, left + 1e-6),
                middle=float(points[:, 1].mean()),
                height=max(high, 1e-6),
                slope=math.tan(own) if tells else 0.0,
            )
        )
    return boxes


def _row_of(box: _Box, rows: Sequence[_Row]) -> _Row | None:
    """The row whose last segment, carried on along its slope, meets the box best, if any."""
    best, best_distance = None, math.inf
    for row in rows:
        last = row.boxes[-1]
        if box.left < last.right - _OVERLAP * min(last.right - last.left, box.right - box.left):
            continue  # one above the other, not side by side
        reach = (box.left - last.right) + (last.right - last.left) / 2
        expected = last.middle + last.slope * reach
        met = box.middle - box.slope * (box.right - box.left) / 2
        distance = abs(met - expected) / min(box.height, last.height)
        if distance < min(best_distance, _SAME_ROW):
            best, best_distance = row, distance
    return best


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
