"""A loader whose documents have one page, with a text layer and a picture ready to be sent."""

from __future__ import annotations

import io

from PIL import Image

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Line, Word
from lib.domain.geometry import Polygon
from lib.domain.page_images import EncodedImage, ImageLimits, PagePart
from lib.domain.source import SourcePage, TextLayer

_TEXT = ("INVOICE", "Number", "R-17", "Date", "2026-03-17", "Total", "EUR", "119.00")
_WIDTH, _HEIGHT = 112, 168


class OnePage:
    """`OpenDocument`: an invoice, whatever the bytes were."""

    mime_type, page_count, einvoice = "application/pdf", 1, None

    def page(self, number: int, deadline: Deadline) -> SourcePage:
        lines = tuple(
            Line(
                tuple(
                    Word(word, Polygon.from_box(0.1 * x, 0.05 * y, 0.1 * x + 0.08, 0.05 * y + 0.02))
                    for x, word in enumerate(_TEXT)
                )
            )
            for y in range(1, 8)
        )
        return SourcePage(number, 620, 877, TextLayer(lines, 0.0, 0.0, 0.0))

    def encoded(self, part: PagePart, limits: ImageLimits, deadline: Deadline) -> EncodedImage:
        out = io.BytesIO()
        Image.new("RGB", (_WIDTH, _HEIGHT)).save(out, "JPEG")
        return EncodedImage("image/jpeg", _WIDTH, _HEIGHT, out.getvalue())

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> OnePage:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class OnePageLoader:
    """`DocumentLoader` of such documents."""

    def open(
        self,
        data: bytes,
        deadline: Deadline,
        cancellation: Cancellation | None = None,
        owner: str | None = None,
    ) -> OnePage:
        return OnePage()
