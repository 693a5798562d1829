"""Images of an open document's pages, turned upright and scaled: for a model, and for people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.domain.deadline import Deadline
from lib.domain.document import Page, PageImage
from lib.domain.geometry import Polygon
from lib.domain.page_images import EncodedImage, ImageLimits
from lib.domain.source import OpenDocument
from lib.errors import Error, Kind

_A4_LONG_SIDE_IN = 11.69
# zlib's level: higher ones take three times as long for a tenth of the size.
_PNG_COMPRESSION = 2
_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}

_Pixels = NDArray[np.uint8]


class DocumentImages:
    """A `PageImages` over an open document; keeps the page drawn last. For one thread."""

    def __init__(self, document: OpenDocument, deadline: Deadline) -> None:
        self._document = document
        self._deadline = deadline
        self._drawn: tuple[int, int] | None = None
        self._pixels: _Pixels = np.zeros((1, 1, 3), np.uint8)

    def encoded(self, page: Page, part: Polygon, limits: ImageLimits) -> EncodedImage:
        """`part` of the page as JPEG. Raises what drawing the page raises."""
        whole = self._upright(page)
        height, width = whole.shape[:2]
        left, right = _range(part.x0, part.x1, width)
        top, bottom = _range(part.y0, part.y1, height)
        crop = whole[top:bottom, left:right]
        scale = min(
            1.0,
            limits.dpi * _A4_LONG_SIDE_IN / max(height, width),
            (limits.max_pixels / (crop.shape[0] * crop.shape[1])) ** 0.5,
            (limits.max_width or crop.shape[1]) / crop.shape[1],
        )
        scaled = _scaled(crop, scale, limits.multiple)
        data = _encode(".jpg", scaled, (cv2.IMWRITE_JPEG_QUALITY, limits.quality))
        return EncodedImage("image/jpeg", scaled.shape[1], scaled.shape[0], data)

    def _upright(self, page: Page) -> _Pixels:
        key = (page.number, page.rotation)
        if self._drawn != key:
            image = self._document.image(page.number, self._deadline)
            self._pixels = _turned(image, page.rotation)
            self._drawn = key
        return self._pixels


def shown_page(image: PageImage, rotation: int, width: int) -> EncodedImage:
    """A page for people: turned clockwise by `rotation` degrees, at most `width` pixels, as PNG."""
    upright = _turned(image, rotation)
    scaled = _scaled(upright, min(1.0, width / upright.shape[1]), 1)
    options = (cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION)
    data = _encode(".png", scaled, options)
    return EncodedImage("image/png", scaled.shape[1], scaled.shape[0], data)


def _turned(image: PageImage, rotation: int) -> _Pixels:
    pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, 3)
    turn = _TURNS.get(rotation)
    return pixels if turn is None else np.asarray(cv2.rotate(pixels, turn), np.uint8)


def _encode(suffix: str, pixels: _Pixels, options: tuple[int, ...]) -> bytes:
    done, encoded = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise Error("internal_error", Kind.INTERNAL, "A page image could not be encoded.")
    return encoded.tobytes()


def _range(start: float, end: float, size: int) -> tuple[int, int]:
    """Pixels of a range in 0..1: one at least."""
    first = min(int(start * size), size - 1)
    return first, max(first + 1, min(size, round(end * size)))


def _scaled(pixels: _Pixels, scale: float, multiple: int) -> _Pixels:
    height, width = (
        max(multiple, int(side * scale) // multiple * multiple) for side in pixels.shape[:2]
    )
    if (height, width) == pixels.shape[:2]:
        return np.ascontiguousarray(pixels)
    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)
