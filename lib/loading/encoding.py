"""Parts of a page as JPEG, for a model that looks at them. Runs in a decoder process."""

from __future__ import annotations

import io
from collections.abc import Callable
from math import ceil
from typing import Final

from PIL import Image

from lib.domain.document import PageImage, Size
from lib.domain.page_images import WHOLE_PAGE, EncodedImage, ImageLimits, PagePart

_A4_LONG_SIDE_IN = 297 / 25.4

# Pillow turns counter-clockwise.
_TURNS: Final = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


class PageEncoder:
    """Encodes parts of one document's pages; keeps the page drawn last. For one thread."""

    def __init__(self, draw: Callable[[int, Size | None], PageImage]) -> None:
        """`draw` gives a page by its number as `OpenDocument.image` does."""
        self._draw = draw
        self._drawn: tuple[tuple[int, int, Size | None], Image.Image] | None = None

    def encoded(self, part: PagePart, limits: ImageLimits) -> EncodedImage:
        """See `OpenDocument.encoded`. Raises what drawing the page raises."""
        # A whole page is drawn as large as it is sent. Parts are cut from one drawing of it.
        is_whole = part.box == WHOLE_PAGE.box
        picture = self._upright(part, _within(limits, part.size, part.size) if is_whole else None)
        x0, y0, x1, y1 = part.box
        left, right = _range(x0, x1, picture.width)
        top, bottom = _range(y0, y1, picture.height)
        size = _within(limits, picture.size, (right - left, bottom - top))
        box = left, top, right, bottom
        if (size, box) != (picture.size, (0, 0, *picture.size)):
            # Pillow's box filter takes or leaves whole pixels: letters lose strokes between the
            # whole factors.
            picture = picture.resize(size, Image.Resampling.HAMMING, box)
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=limits.quality, subsampling="4:2:0")
        return EncodedImage("image/jpeg", *size, out.getvalue())

    def _upright(self, part: PagePart, size: Size | None) -> Image.Image:
        """The part's whole page in that size, or in its own."""
        key = (part.number, part.rotation, size)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = None
            stored = size[::-1] if size is not None and part.rotation % 180 else size
            picture = _picture(self._draw(part.number, stored))
            turn = _TURNS.get(part.rotation)
            self._drawn = key, picture if turn is None else picture.transpose(turn)
        return self._drawn[1]


def _picture(image: PageImage) -> Image.Image:
    return Image.frombytes("RGB", (image.width, image.height), image.pixels)


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
