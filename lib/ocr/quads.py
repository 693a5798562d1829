"""Quadrilaterals around text: lengths, angles, turns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float32]
"""(4, 2) pixels: start of the text's top edge, its end, end of the bottom edge, its start."""

Quads = NDArray[np.float32]
"""(n, 4, 2) pixels: such quads."""


def length(quad: Quad) -> float:
    """Extent along the text, in pixels."""
    return max(math.dist(quad[0], quad[1]), math.dist(quad[3], quad[2]))


def height(quad: Quad) -> float:
    """Extent across the text, in pixels."""
    return max(math.dist(quad[0], quad[3]), math.dist(quad[1], quad[2]))


def lengths(places: Quads) -> NDArray[np.float64]:
    """`length` of each."""
    return np.maximum(_distances(places, 0, 1), _distances(places, 3, 2))


def heights(places: Quads) -> NDArray[np.float64]:
    """`height` of each."""
    return np.maximum(_distances(places, 0, 3), _distances(places, 1, 2))


def angles(places: Quads) -> NDArray[np.float64]:
    """Directions of the text in radians, 0 to the right, positive downwards."""
    starts = ((places[:, 0] + places[:, 3]) / 2).astype(np.float64)
    ends = ((places[:, 1] + places[:, 2]) / 2).astype(np.float64)
    return np.arctan2(ends[:, 1] - starts[:, 1], ends[:, 0] - starts[:, 0])


def _distances(places: Quads, start: int, end: int) -> NDArray[np.float64]:
    between = places[:, end].astype(np.float64) - places[:, start]
    return np.hypot(between[:, 0], between[:, 1])


def read_downwards(quad: Quad) -> Quad:
    """The same place for text that runs from top to bottom, letters lying on their right side."""
    return np.roll(quad, -1, axis=0)


def upside_down(quad: Quad) -> Quad:
    """The same place for text that stands on its head."""
    return np.roll(quad, -2, axis=0)


def part(quad: Quad, start: float, end: float) -> Quad:
    """The piece between two fractions (0..1) of the extent along the text."""
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    return np.array(
        [
            quad[0] + top * start,
            quad[0] + top * end,
            quad[3] + bottom * end,
            quad[3] + bottom * start,
        ],
        dtype=np.float32,
    )
