"""The heading over the items: which columns it names, and what stands under them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lib.kie.boxes import Box
from lib.kie.layout import Row, Span
from lib.kie.mentions import Mentions

_COUNT = re.compile(r"\d{1,3}")


def is_heading(mentions: Mentions, row: Row) -> bool:
    """Whether a row names two columns or more of a table of items, and says little else."""
    labels = [label for label in mentions.row_labels(row) if label.match.columns]
    columns = {frozenset(label.match.columns) for label in labels}
    letters = sum(map(str.isalpha, row.text))
    named = sum(c.isalpha() for label in labels for c in label.span.text)
    if len(columns) < 2 or any(map(str.isdigit, row.text)) or named < 0.5 * letters:
        return False
    return not any("tax_summary" in label.match.cues for label in mentions.row_labels(row))


def quantity_columns(mentions: Mentions, rows: Sequence[Row]) -> dict[int, Box]:
    """Per row of the items, by its index, the heading of the quantities that it stands under."""
    columns: dict[int, Box] = {}
    column: Box | None = None
    for row in mentions.layout.rows[: rows[-1].index + 1] if rows else ():
        if column is not None:
            columns[row.index] = column
        if is_heading(mentions, row):
            spans = [la.span for la in mentions.row_labels(row) if "quantity" in la.match.columns]
            column = spans[0].box if spans else None
    return columns


def counted(row: Row, quantities: Mapping[int, Box]) -> Span | None:
    """A whole number in a cell of its own under the heading of the quantities."""
    column = quantities.get(row.index)
    for cell in row.cells if column else ():
        if _COUNT.fullmatch(cell.text) and column and column.overlap_x(cell.box) > 0:
            return Span(cell, 0, len(cell.text))
    return None


def is_column_name(mentions: Mentions, span: Span) -> bool:
    """Whether the span is a column's name and nothing else: the second row of a heading."""
    return any(
        label.match.columns and label.span.start <= span.start and label.span.end >= span.end
        for label in mentions.labels(span.cell)
    )
