"""Parts of an open document's pages as images, for a model that looks at them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.geometry import Polygon
from lib.domain.page_images import EncodedImage, ImageLimits
from lib.domain.source import OpenDocument

if TYPE_CHECKING:
    from lib.loading.drawing import Pixels

_A4_LONG_SIDE_IN = 297 / 25.4


class DocumentImages:
    """A `PageImages` over an open document; keeps the page drawn last. For one thread."""

    def __init__(self, document: OpenDocument, deadline: Deadline) -> None:
        self._document = document
        self._deadline = deadline
        self._drawn: tuple[int, int] | None = None
        self._pixels: Pixels | None = None

    def encoded(self, page: Page, part: Polygon, limits: ImageLimits) -> EncodedImage:
        """`part` of the page as JPEG. Raises what drawing the page raises."""
        # Imported here: OpenCV, which a server needs only where somebody looks at pages.
        from lib.loading.drawing import jpeg, scaled  # noqa: PLC0415

        whole = self._upright(page)
        height, width = whole.shape[:2]
        left, right = _range(part.x0, part.x1, width)
        top, bottom = _range(part.y0, part.y1, height)
        crop = whole[top:bottom, left:right]
        scale = min(
            1.0,
            # Rounded up as a page is drawn: one at this resolution is not drawn again.
            ceil(limits.dpi * _A4_LONG_SIDE_IN) / max(height, width),
            (limits.max_pixels / (crop.shape[0] * crop.shape[1])) ** 0.5,
            (limits.max_width or crop.shape[1]) / crop.shape[1],
        )
        return jpeg(scaled(crop, scale, limits.multiple), limits.quality)

    def _upright(self, page: Page) -> Pixels:
        from lib.loading.drawing import turned  # noqa: PLC0415 - as above

        key = (page.number, page.rotation)
        if self._pixels is None or self._drawn != key:
            image = self._document.image(page.number, self._deadline)
            self._pixels = turned(image, page.rotation)
            self._drawn = key
        return self._pixels


def _range(start: float, end: float, size: int) -> tuple[int, int]:
    """Pixels of a range in 0..1: one at least."""
    first = min(int(start * size), size - 1)
    return first, max(first + 1, min(size, round(end * size)))
