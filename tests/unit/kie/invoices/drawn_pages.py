"""Pages drawn as text: what stands in one row stands on one baseline, two spaces part cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Hints
from lib.domain.geometry import Polygon
from lib.kie.findings import Findings
from lib.kie.invoices.fields import find_invoice_fields
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions

COLUMNS, ROWS = 110, 78  # characters of a line and lines of a page
_CELL = re.compile(r"\S+(?: \S+)*")


def draw(picture: str, number: int = 1) -> Page:
    """The page that the picture shows, on A4 at 100 dpi; the first line may be empty."""
    lines = []
    for row, text in enumerate(picture.strip("\n").splitlines()):
        for cell in _CELL.finditer(text):
            words = [
                Word(word[0], _place(row, cell.start() + word.start(), len(word[0])))
                for word in re.finditer(r"\S+", cell[0])
            ]
            lines.append(Line(tuple(words)))
    return Page(number, 827, 1169, 0, PageSource.TEXT_LAYER, tuple(lines))


def _place(row: int, column: int, length: int) -> Polygon:
    top = (row + 1) / ROWS
    return Polygon.from_box(
        (column + 1) / COLUMNS, top, (column + length + 1) / COLUMNS, top + 0.75 / ROWS
    )


def read(*pictures: str, language: str | None = None) -> Findings:
    """What is found on drawn pages."""
    pages = [draw(picture, number) for number, picture in enumerate(pictures, start=1)]
    mentions = Mentions(lay_out(pages), load_lexicon(), language)
    return find_invoice_fields(mentions, Hints(date(2024, 6, 1), language))


def best(findings: Findings, names: Sequence[str]) -> dict[str, str | None]:
    """The raw text of the best candidate of each field."""
    return {
        name: findings.fields[name][0].raw if name in findings.fields else None for name in names
    }


def items(findings: Findings, *columns: str) -> list[tuple[str | None, ...]]:
    """The raw cells of the line items, column by column."""
    rows = findings.tables.get("line_items", ())
    return [tuple(row[c].raw if c in row else None for c in columns) for row in rows]
