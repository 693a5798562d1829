"""Page images as a model sees them: limits, encoded bytes, and who makes them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Protocol

from lib.domain.document import Page, Size
from lib.domain.geometry import BoundingBox, Polygon

WHOLE_PAGE = Polygon.from_box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """How large a page may be when it is sent.

    `dpi` is the resolution of an A4 page: its longer side is at most `dpi` x 297 mm, rounded
    up; a crop is as large as it is within its page. `multiple`: both sides are multiples of it (a
    vision model's patch). `quality` is JPEG's.
    """

    dpi: int
    max_pixels: int
    max_width: int | None = None
    multiple: int = 1
    quality: int = 90


@dataclass(frozen=True, slots=True)
class PagePart:
    """What of a document is to be shown: `box` of page `number` (from 1), all of it or less.

    `rotation` turns the stored page clockwise, by 0, 90, 180 or 270 degrees. Of the page turned so,
    `size` is width and height in pixels and `box` is in 0..1.
    """

    number: int
    size: Size
    rotation: int
    box: BoundingBox


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image file in memory; `width` and `height` in pixels."""

    media_type: str
    width: int
    height: int
    data: bytes = field(repr=False)

    @property
    def data_uri(self) -> str:
        """As it goes into a request: a model server is never given an address to fetch."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


class PageImages(Protocol):
    """Makes images of an open document's pages."""

    def encoded(self, page: Page, part: Polygon, limits: ImageLimits) -> EncodedImage:
        """`part` of a page, upright as it is read, within the limits; never enlarged.

        Raises as the document's `encoded` does.
        """
        ...

    def release(self) -> None:
        """Only what was encoded before will be asked for again: what the rest is drawn from may go.
        A second time does nothing.
        """
        ...
