"""Where a receipt prints phone numbers: whole, in two cells, or glued to their label."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lib.kie.layout import Span
from lib.kie.mentions import Mentions
from lib.values.identifiers import IdentifierMatch, find_phones

PHONE_NAMES = frozenset({"vendor_phone", "contact"})  # of labels
_FEWEST_DIGITS = 6


def printed_phones(mentions: Mentions) -> Iterator[tuple[Span, IdentifierMatch]]:
    """Phone numbers, then those that OCR glued to their label: "Telephone802-555-0148"."""
    cells = [c for c in mentions.layout.cells if sum(map(str.isdigit, c.text)) >= _FEWEST_DIGITS]
    for cell in cells:
        for match in find_phones(cell.text):
            yield _behind_a_code(Span(cell, match.start, match.end)), match
    for cell in cells:
        for label in mentions.labels(cell):
            end = label.span.end
            if label.match.fields & PHONE_NAMES and cell.text[end - 1 : end].isalpha():
                glued = (m for m in find_phones(cell.text[end:]) if m.start == 0)
                yield from ((Span(cell, end, end + m.end), m) for m in glued)


def _behind_a_code(span: Span) -> Span:
    """Without a number that stands before an area code in brackets: "#204 (705) 745-3381"."""
    match = re.match(r"[\d\s\-]{2,}(?=\(\d{3}\))", span.text)
    return Span(span.cell, span.start + match.end(), span.end) if match else span


def with_area_code(mentions: Mentions, span: Span) -> list[Span]:
    """The number, and the area code in brackets that was read as a cell of its own before it."""
    row = mentions.layout.row_of(span.cell)
    if span.start == 0 and span.cell.column and "(" not in span.text:
        left = row.cells[span.cell.column - 1]
        match = re.search(r"\(\d{2,4}\)$", left.text)
        gap = span.cell.box.x0 - left.box.x1
        if match and gap < 1.5 * span.cell.box.height:
            return [Span(left, match.start(), match.end()), span]
    return [span]
