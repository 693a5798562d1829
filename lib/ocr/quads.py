"""Quadrilaterals around text: lengths, angles, turns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float32]
"""(4, 2) pixels: start of the text's top edge, its end, end of the bottom edge, its start."""


def length(quad: Quad) -> float:
    """Extent along the text, in pixels."""
    return max(math.dist(quad[0], quad[1]), math.dist(quad[3], quad[2]))


def height(quad: Quad) -> float:
    """Extent across the text, in pixels."""
    return max(math.dist(quad[0], quad[3]), math.dist(quad[1], quad[2]))


def angle(quad: Quad) -> float:
    """Direction of the text in radians, 0 to the right, positive downwards."""
    start = (quad[0] + quad[3]) / 2
    end = (quad[1] + quad[2]) / 2
    return math.atan2(float(end[1] - start[1]), float(end[0] - start[0]))


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
