"""Sums in boxes: labels side by side, or alone in a row, over their amounts."""

from __future__ import annotations

from lib.kie.invoices.labels import FieldLabel
from lib.kie.invoices.reading import Reading
from lib.kie.layout import Cell, Row
from lib.kie.mentions import AmountMention

_FEWEST = 2  # labels of a strip
_REACH, _GAP = 3, 3.5  # rows and letter heights to their amounts
_CURRENCY_LETTERS = 4


def in_strip(reading: Reading, label: FieldLabel) -> AmountMention | None:
    """The amount in the box that a label heads, where sums stand side by side in a strip.

    Boxes reach from one label to the next; their amounts may stand at the other end. The last box
    of a strip may have a row of its own.
    """
    row = reading.layout.row_of(label.cell)
    headed = [c for c in row.cells if any(x.clear for x in reading.labels.in_cell(c))]
    if len(headed) < _FEWEST and not (len(row.cells) == 1 and _only_amount_below(reading, row)):
        return None
    height = reading.layout.page_of(label.cell).letter_height
    right = next(iter(row.cells_right_of(label.cell)), None)
    end = right.box.x0 if right else float("inf")
    for below in reading.layout.rows[row.index + 1 : row.index + 1 + _REACH]:
        near = below.box.y0 - row.box.y1 <= _GAP * height
        if below.page_number != row.page_number or not near:
            return None
        if any(reading.labels.opening(cell) for cell in below.cells):
            return None
        inside = [
            amount
            for cell in below.cells
            for amount in money(reading, cell)
            if label.cell.box.x0 - height <= amount.box.x0 and amount.box.x1 < end + height
        ]
        if inside:
            return inside[0]
    return None


def _only_amount_below(reading: Reading, row: Row) -> bool:
    """Whether the next row is one amount and nothing else."""
    below = reading.layout.rows[row.index + 1 : row.index + 2]
    return any(
        len(other.cells) == 1
        and len(money(reading, other.cells[0])) == 1
        and sum(map(str.isalpha, other.cells[0].text)) <= _CURRENCY_LETTERS
        for other in below
    )


def money(reading: Reading, cell: Cell) -> list[AmountMention]:
    """Amounts of a cell that may be sums; whole numbers only where the cell holds nothing else."""
    amounts = [a for a in reading.mentions.amounts(cell) if not a.match.percent]
    money = [a for a in amounts if a.is_money]
    if money or len(amounts) != 1:
        return money
    rest = cell.text[: amounts[0].span.start] + cell.text[amounts[0].span.end :]
    return amounts if not any(map(str.isalnum, rest)) else []
