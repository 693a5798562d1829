"""Places on a page: points and four-cornered polygons in 0..1 of the page as it is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
BoundingBox = tuple[float, float, float, float]
"""Left, top, right and bottom edge, in the unit of what it bounds."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """Four corners in 0..1 of width and height, clockwise from the top left of the page as read."""

    corners: tuple[Point, Point, Point, Point]

    @staticmethod
    def from_box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
        """The axis-parallel polygon of a box (left, top, right, bottom), clamped to 0..1."""
        x0, x1 = _unit(min(x0, x1)), _unit(max(x0, x1))
        y0, y1 = _unit(min(y0, y1)), _unit(max(y0, y1))
        return Polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)))

    @property
    def box(self) -> BoundingBox:
        """All four edges of the bounding box."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.corners
        return min(ax, bx, cx, dx), min(ay, by, cy, dy), max(ax, bx, cx, dx), max(ay, by, cy, dy)

    @property
    def x0(self) -> float:
        """Left edge of the bounding box."""
        (a, _), (b, _), (c, _), (d, _) = self.corners
        return min(a, b, c, d)

    @property
    def y0(self) -> float:
        """Top edge of the bounding box."""
        (_, a), (_, b), (_, c), (_, d) = self.corners
        return min(a, b, c, d)

    @property
    def x1(self) -> float:
        """Right edge of the bounding box."""
        (a, _), (b, _), (c, _), (d, _) = self.corners
        return max(a, b, c, d)

    @property
    def y1(self) -> float:
        """Bottom edge of the bounding box."""
        (_, a), (_, b), (_, c), (_, d) = self.corners
        return max(a, b, c, d)


def bounding_polygon(polygons: Iterable[Polygon]) -> Polygon:
    """The box around all polygons; ValueError for none."""
    boxes = [polygon.box for polygon in polygons]
    if not boxes:
        raise ValueError("no polygons to bound")
    return Polygon.from_box(*around(boxes))


def around(boxes: Sequence[BoundingBox]) -> BoundingBox:
    """The box around all boxes; ValueError for none."""
    if not boxes:
        raise ValueError("no boxes to bound")
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
