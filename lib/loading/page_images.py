"""Parts of an open document's pages as images, for a model that looks at them."""

from __future__ import annotations

from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.geometry import Polygon
from lib.domain.page_images import EncodedImage, ImageLimits, PagePart
from lib.domain.source import OpenDocument


class DocumentImages:
    """A `PageImages` over an open document, whose decoder makes them; keeps what it has made, which
    are the pages that one model is shown. For one thread.
    """

    def __init__(self, document: OpenDocument, deadline: Deadline) -> None:
        self._document = document
        self._deadline = deadline
        self._made: dict[tuple[PagePart, ImageLimits], EncodedImage] = {}

    def encoded(self, page: Page, part: Polygon, limits: ImageLimits) -> EncodedImage:
        """`part` of the page as JPEG. Raises as `OpenDocument.encoded`."""
        wanted = PagePart(page.number, (page.width, page.height), page.rotation, part.box)
        made = self._made.get((wanted, limits))
        if made is None:
            made = self._made[wanted, limits] = self._document.encoded(
                wanted, limits, self._deadline
            )
        return made

    def release(self) -> None:
        """See `PageImages.release`: the decoder is let go."""
        self._document.close()
