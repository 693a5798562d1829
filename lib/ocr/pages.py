"""Document to pages: each page's text layer when it can be trusted, OCR of its image otherwise."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Line, Page, PageSource
from lib.domain.source import OpenDocument, SourcePage
from lib.errors import Error
from lib.ocr.pool import OcrPool
from lib.ocr.reading_order import in_reading_order, quad_of
from lib.ocr.ticket import Ticket
from lib.ocr.trust import is_trusted

__all__ = ["OcrPool", "read_pages"]


def read_pages(
    document: OpenDocument,
    numbers: Sequence[int],
    pool: OcrPool,
    deadline: Deadline,
    cancellation: Cancellation | None = None,
) -> tuple[Page, ...]:
    """The pages of these numbers, in their order.

    Pages without a trusted text layer are read by the pool's workers side by side; at most two
    images more than there are workers are held. Raises `Error`: the document's, or the first
    page's that cannot be read, with `details.page`; what is still being read is then given up,
    as it is once `cancellation` is set: `Canceled`.
    """
    wanted = cancellation or Cancellation()
    reader = _Reader(document, pool, deadline)
    try:
        with wanted.calling(reader.give_up):
            for number in numbers:
                wanted.check()
                reader.add(number)
            return reader.pages()
    except Error:
        wanted.check()  # a page that was given up looks like one that took too long
        raise
    finally:
        reader.give_up()


class _Reader:
    """Pages read so far and those under way, in order."""

    def __init__(self, document: OpenDocument, pool: OcrPool, deadline: Deadline) -> None:
        self._document = document
        self._pool = pool
        self._deadline = deadline
        self._pages: list[Page | None] = []
        self._given_up = False
        self._under_way: deque[tuple[int, int, Ticket]] = deque()  # place in _pages, number, ticket

    def add(self, number: int) -> None:
        """Take the page's text layer, or send its image to the pool."""
        source = self._document.page(number, self._deadline)
        layer = source.text_layer
        if layer is not None and is_trusted(layer, source.width, source.height):
            self._pages.append(_from_text_layer(source, layer.lines))
            return
        if len(self._under_way) > self._pool.workers:
            self._take_oldest()
        self._submit(number)

    def pages(self) -> tuple[Page, ...]:
        """All pages, once they are read."""
        while self._under_way:
            self._take_oldest()
        return tuple(page for page in self._pages if page is not None)

    def give_up(self) -> None:
        """Cancel what is still under way. May be called from another thread."""
        self._given_up = True
        for _, _, ticket in tuple(self._under_way):
            self._pool.cancel(ticket)

    def _submit(self, number: int) -> None:
        """Queue the page. A document that already has pages in a full queue waits for its own."""
        image = self._document.image(number, self._deadline)
        while True:
            try:
                ticket = self._pool.submit(image, self._deadline)
                break
            except Error as full:
                if not (full.retryable and self._under_way):
                    raise
            self._take_oldest()
        self._under_way.append((len(self._pages), number, ticket))
        self._pages.append(None)
        if self._given_up:
            self._pool.cancel(ticket)

    def _take_oldest(self) -> None:
        place, number, ticket = self._under_way[0]
        try:
            reading = ticket.result()
        except Error as error:
            error.details.setdefault("page", number)
            raise
        self._under_way.popleft()
        self._pages[place] = Page(
            number=number,
            width=reading.width,
            height=reading.height,
            rotation=reading.rotation,
            source=PageSource.OCR,
            lines=reading.lines,
        )


def _from_text_layer(source: SourcePage, lines: tuple[Line, ...]) -> Page:
    quads = [quad_of(line.polygon, source.width, source.height) for line in lines]
    return Page(
        number=source.number,
        width=source.width,
        height=source.height,
        rotation=0,
        source=PageSource.TEXT_LAYER,
        lines=tuple(in_reading_order(lines, quads)),
    )
