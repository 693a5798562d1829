"""Two documents in one picture, side by side: they would be read as one, line by line.

Told only where it is plain: a strip without a word from top to bottom, and on either side of it a
label of a total with money behind it, and a page's worth of lines. A single receipt has an empty
strip too, between descriptions and prices, but its total is labelled on one side of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lib.domain.document import PageSource
from lib.kie.boxes import Box
from lib.kie.layout import Cell, PageLayout
from lib.kie.mentions import Mentions

WARNING = "several_documents"
"""What the warning begins with."""

_STRIP = 1.5  # letter heights; columns of one document are further apart at times
_FEWEST_LINES, _FEWEST_WORDS = 6, 12  # of either side
_SIDES = 12.0  # letter heights that either is wide
_TOTALS = frozenset({"total", "amount_due"})


def side_by_side_warnings(mentions: Mentions) -> tuple[str, ...]:
    """`several_documents:page 2: ...` for each picture that seems to show two documents."""
    return tuple(
        f"{WARNING}:page {page.page.number}: it seems to show two documents side by side; "
        "photograph or scan each alone"
        for page in mentions.layout.pages
        if page.page.source is PageSource.OCR and _shows_two(page, mentions)
    )


def _shows_two(page: PageLayout, mentions: Mentions) -> bool:
    boxes = sorted((box for cell in page.cells for box in cell.word_boxes), key=lambda b: b.x0)
    if len(boxes) < 2 * _FEWEST_WORDS:
        return False
    return any(
        _is_document(page, mentions, 0.0, strip.x0)
        and _is_document(page, mentions, strip.x1, float("inf"))
        for strip in _strips(boxes, page.letter_height)
    )


def _strips(boxes: Sequence[Box], height: float) -> list[Box]:
    """Strips that no word reaches into, of words from the left to the right."""
    found, reached = [], boxes[0].x1
    for box in boxes:
        if box.x0 - reached >= _STRIP * height:
            found.append(Box(reached, 0.0, box.x0, 0.0))
        reached = max(reached, box.x1)
    return found


def _is_document(page: PageLayout, mentions: Mentions, left: float, right: float) -> bool:
    """Whether what lies between two x is as much as a document, with a total of its own."""
    cells = [cell for cell in page.cells if left <= cell.box.center_x <= right]
    words = sum(len(cell.word_boxes) for cell in cells)
    if words < _FEWEST_WORDS or len({cell.row for cell in cells}) < _FEWEST_LINES:
        return False
    width = max(cell.box.x1 for cell in cells) - min(cell.box.x0 for cell in cells)
    if width < _SIDES * page.letter_height:
        return False
    with_total = {cell.row for cell in cells if _names_total(cell, mentions)}
    return any(
        amount.is_money
        for cell in cells
        if cell.row in with_total
        for amount in mentions.amounts(cell)
    )


def _names_total(cell: Cell, mentions: Mentions) -> bool:
    labels = mentions.labels(cell)
    return any(label.span.start == 0 and label.match.fields & _TOTALS for label in labels)
