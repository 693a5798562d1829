"""Turns the words of a page level: boxes in pixels, with the page's median skew removed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from lib.domain.document import Line, Page
from lib.domain.geometry import Point
from lib.kie.boxes import Box, bounding_box

_LARGEST_SKEW = 0.6  # radians; a steeper median angle is noise of very short lines, not a skew


@dataclass(slots=True)
class Placed:
    """A line, its box and its words' boxes, in pixels of the level page."""

    line: Line
    box: Box
    word_boxes: tuple[Box, ...]


def median_angle(page: Page, lines: Sequence[Line]) -> float:
    """Median direction of the lines at least three times as long as high, in radians."""
    angles = []
    for line in lines:
        top_left = _pixels(page, line.words[0].polygon.corners[0])
        top_right = _pixels(page, line.words[-1].polygon.corners[1])
        bottom_left = _pixels(page, line.words[0].polygon.corners[3])
        dx, dy = top_right[0] - top_left[0], top_right[1] - top_left[1]
        if math.hypot(dx, dy) > 3 * math.dist(top_left, bottom_left):
            angles.append(math.atan2(dy, dx))
    angle = median(angles) if angles else 0.0
    return angle if abs(angle) <= _LARGEST_SKEW else 0.0


def _pixels(page: Page, point: Point) -> Point:
    return point[0] * page.width, point[1] * page.height


def place(page: Page, line: Line, angle: float) -> Placed:
    """The line turned back by `angle` radians; each box as high as its words' letters."""
    cosine, sine = math.cos(angle), math.sin(angle)
    width, height = page.width, page.height
    boxes = []
    for word in line.words:
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = [
            (x * width * cosine + y * height * sine, y * height * cosine - x * width * sine)
            for x, y in word.polygon.corners
        ]
        # Means of the sides, not the bounding box: a word turned against the page keeps its height.
        x0, x1 = (ax + dx) / 2, (bx + cx) / 2
        y0, y1 = (ay + by) / 2, (cy + dy) / 2
        boxes.append(Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    outer = bounding_box(boxes)
    # The letter height is that of the words, not of a line that rises from left to right.
    letter_height = sum(b.height for b in boxes) / len(boxes)
    middle = outer.center_y
    box = Box(outer.x0, middle - letter_height / 2, outer.x1, middle + letter_height / 2)
    return Placed(line, box, tuple(boxes))
