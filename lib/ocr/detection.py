"""Where text is on a page: quads from the detection network's map (Differentiable Binarization)."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.ocr.quads import Quad
from lib.ocr.runtime import Image, Runtime

STRIDE = 64
"""Sides are scaled to multiples of this: twice what the network needs, for fewer shapes to keep."""

_SLIP_ASPECT = 2.5
"""Height over width of an ordinary till receipt."""

# PP-OCRv6's own settings for its detector.
_TEXT_THRESHOLD = 0.3
_BOX_THRESHOLD = 0.5
_UNCLIP_RATIO = 1.6
_MAX_CANDIDATES = 1000
_MIN_SIDE = 3  # pixels of the map: less is noise
_KERNEL = np.ones((2, 2), np.uint8)


def shrink_factor(width: int, height: int, side: int) -> float:
    """How much to shrink a page (factor at most 1) so that its long side is `side` pixels.

    A till roll more elongated than `_SLIP_ASPECT` keeps as many pixels as a page of that shape, and
    so a longer side: its print is no larger than on other receipts.
    """
    by_side = side / max(width, height)
    by_area = side / math.sqrt(_SLIP_ASPECT * width * height)
    return min(1.0, max(by_side, by_area))


def detect(image: Image, side: int, runtime: Runtime) -> list[Quad]:
    """Text segments of an image as quads in its pixels, top left first, in no special order."""
    height, width = image.shape[:2]
    factor = shrink_factor(width, height, side)
    shape = (_to_stride(width * factor), _to_stride(height * factor))
    text_map = runtime.text_map(cv2.resize(image, shape))  # type: ignore[arg-type] # OpenCV's stubs widen uint8
    scale = np.array([width / shape[0], height / shape[1]], dtype=np.float32)
    limit = np.array([width, height], dtype=np.float32)
    return [np.clip(quad * scale, 0, limit) for quad in _boxes(text_map)]


def _to_stride(pixels: float) -> int:
    return max(STRIDE, round(pixels / STRIDE) * STRIDE)


def _boxes(text_map: NDArray[np.float32]) -> list[Quad]:
    """Rotated rectangles around the connected text of the map, in its pixels."""
    mask = cv2.dilate((text_map > _TEXT_THRESHOLD).astype(np.uint8), _KERNEL)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours[:_MAX_CANDIDATES]:
        centre, (wide, high), turn = cv2.minAreaRect(contour)
        if min(wide, high) < _MIN_SIDE:
            continue
        if _score(text_map, cv2.boxPoints((centre, (wide, high), turn))) < _BOX_THRESHOLD:
            continue
        # The network is taught shrunk text; DB grows each polygon by area x ratio / perimeter. The
        # smallest rectangle around a rectangle grown with round corners is that rectangle, grown.
        grow = 2 * (wide * high * _UNCLIP_RATIO / (2 * (wide + high)))
        corners = cv2.boxPoints((centre, (wide + grow, high + grow), turn))
        found.append(_from_top_left(corners.astype(np.float32)))
    return found


def _score(text_map: NDArray[np.float32], corners: NDArray[Any]) -> float:
    """Mean of the map inside the rectangle."""
    height, width = text_map.shape
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - (x0, y0)).astype(np.int32)], [1])
    return float(cv2.mean(text_map[y0 : y1 + 1, x0 : x1 + 1], mask)[0])


def _from_top_left(corners: NDArray[np.float32]) -> Quad:
    """Corners clockwise from the top left: the two leftmost by height, then the two others."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    top_left, bottom_left = sorted(by_x[:2], key=lambda point: float(point[1]))
    top_right, bottom_right = sorted(by_x[2:], key=lambda point: float(point[1]))
    return np.array([top_left, top_right, bottom_right, bottom_left], dtype=np.float32)
