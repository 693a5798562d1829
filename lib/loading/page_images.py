"""Parts of an open document's pages as images, for a model that looks at them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from lib.domain.deadline import Deadline
from lib.domain.document import Page, Size
from lib.domain.geometry import Polygon
from lib.domain.page_images import WHOLE_PAGE, EncodedImage, ImageLimits
from lib.domain.source import OpenDocument

if TYPE_CHECKING:
    from lib.loading.drawing import Pixels

_A4_LONG_SIDE_IN = 297 / 25.4


class DocumentImages:
    """A `PageImages` over an open document; keeps the page drawn last. For one thread."""

    def __init__(self, document: OpenDocument, deadline: Deadline) -> None:
        self._document = document
        self._deadline = deadline
        self._drawn: tuple[int, int, Size | None] | None = None
        self._pixels: Pixels | None = None

    def encoded(self, page: Page, part: Polygon, limits: ImageLimits) -> EncodedImage:
        """`part` of the page as JPEG. Raises what drawing the page raises."""
        # Imported here: OpenCV, which a server needs only where somebody looks at pages.
        from lib.loading.drawing import jpeg, scaled  # noqa: PLC0415

        # A whole page is drawn as large as it is sent. Parts are cut from one drawing of it.
        size = page.width, page.height
        whole = self._upright(page, _within(limits, size, size) if part == WHOLE_PAGE else None)
        height, width = whole.shape[:2]
        left, right = _range(part.x0, part.x1, width)
        top, bottom = _range(part.y0, part.y1, height)
        crop = whole[top:bottom, left:right]
        wanted = _within(limits, (width, height), (right - left, bottom - top))
        return jpeg(scaled(crop, wanted), limits.quality)

    def _upright(self, page: Page, size: Size | None) -> Pixels:
        from lib.loading.drawing import turned  # noqa: PLC0415 - as above

        key = (page.number, page.rotation, size)
        if self._pixels is None or self._drawn != key:
            stored = size[::-1] if size is not None and page.rotation % 180 else size
            image = self._document.image(page.number, self._deadline, stored)
            self._pixels = turned(image, page.rotation)
            self._drawn = key
        return self._pixels


def _within(limits: ImageLimits, page: Size, part: Size) -> Size:
    """The size that a part of a page is sent in, of those that both have in pixels now."""
    scale = min(
        1.0,
        # Rounded up as a page is drawn: one at this resolution is not scaled.
        ceil(limits.dpi * _A4_LONG_SIDE_IN) / max(page),
        (limits.max_pixels / (part[0] * part[1])) ** 0.5,
        (limits.max_width or part[0]) / part[0],
    )
    width, height = (
        max(limits.multiple, int(side * scale) // limits.multiple * limits.multiple)
        for side in part
    )
    return width, height


def _range(start: float, end: float, size: int) -> tuple[int, int]:
    """Pixels of a range in 0..1: one at least."""
    first = min(int(start * size), size - 1)
    return first, max(first + 1, min(size, round(end * size)))
