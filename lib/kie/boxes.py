"""Axis-parallel boxes in deskewed pixels of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-parallel box in deskewed pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Right minus left."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Bottom minus top."""
        return self.y1 - self.y0

    @property
    def center_x(self) -> float:
        """Horizontal middle."""
        return (self.x0 + self.x1) / 2

    @property
    def center_y(self) -> float:
        """Vertical middle."""
        return (self.y0 + self.y1) / 2

    def overlap_x(self, other: Box) -> float:
        """Common horizontal length; negative is the gap between the two."""
        return min(self.x1, other.x1) - max(self.x0, other.x0)

    def overlap_y(self, other: Box) -> float:
        """Common vertical length; negative is the gap between the two."""
        return min(self.y1, other.y1) - max(self.y0, other.y0)


def bounding_box(boxes: Sequence[Box]) -> Box:
    """The box around all boxes; ValueError for none."""
    if not boxes:
        raise ValueError("no boxes to bound")
    return Box(
        min([b.x0 for b in boxes]),
        min([b.y0 for b in boxes]),
        max([b.x1 for b in boxes]),
        max([b.y1 for b in boxes]),
    )
