"""Numbers and dates in the head of an invoice, as lists, bands, grids or lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthetic.invoice_layout import InvoiceLayout

Pairs = Sequence[tuple[str, str]]


def head_pairs(layout: InvoiceLayout) -> list[tuple[str, str]]:
    """Labels and values, the document's number and date first, noted as printed."""
    bill, chance, country = layout.bill, layout.chance, layout.country
    credit = bill.kind == "credit_note"
    pairs = [
        (layout.label("credit_number" if credit else "number"), bill.number),
        (layout.label("issue_date"), country.date(bill.issued, layout.pattern)),
    ]
    layout.truth.note(document_number=bill.number, issue_date=bill.issued)
    if chance.random() < 0.3 and layout.styles.pairs != "titled":
        pairs.reverse()
    if bill.due and not credit and chance.random() < 0.6:
        pairs.append((layout.label("due_date"), country.date(bill.due, layout.pattern)))
        layout.truth.note(due_date=bill.due)
    if bill.delivered and chance.random() < 0.35:
        pairs.append((layout.label("delivery_date"), country.date(bill.delivered, layout.pattern)))
        layout.truth.note(delivery_date=bill.delivered)
    if chance.random() < 0.4:
        order = chance.choice(("PO-", "", "B", "4500")) + str(chance.randint(1000, 99999))
        pairs.append((layout.label("purchase_order"), order))
        layout.truth.note(purchase_order=order)
    if chance.random() < 0.4:
        number = chance.choice(("K", "C-", "", "D")) + str(chance.randint(1000, 99999))
        pairs.append((layout.label("customer_id"), number))
        layout.truth.note(customer_id=number)
    return pairs


def draw_pairs(layout: InvoiceLayout, pairs: Pairs, x: float, y: float) -> float:
    """In the document's style; those that need the page's width begin at its left edge."""
    draw = {
        "list": _list,
        "opposite": _list,
        "stacked": _stacked,
        "band": _band,
        "grid": _grid,
        "inline": _lines,
        "pipes": _lines,
        "titled": _titled,
    }
    return draw[layout.styles.pairs](layout, pairs, x, y)


def _list(layout: InvoiceLayout, pairs: Pairs, x: float, y: float) -> float:
    """Labels under each other and their values in a column, or one of both right-aligned."""
    sheet, size = layout.sheet, layout.size
    step = size * layout.chance.uniform(1.3, 1.6)
    opposite = layout.styles.pairs == "opposite"
    beside = x > layout.left + 1  # in the right half: what stands there may end at the right edge
    aligned_right = beside and not opposite and layout.chance.random() < 0.35
    widest = max(sheet.measure(key, size) for key, _ in pairs)
    for key, value in pairs:
        if opposite:
            sheet.text(x + widest, y, key, size, align="R", bold=True)
        else:
            sheet.text(x, y, key + layout.glue.strip(), size)
        if aligned_right:
            sheet.text(layout.right, y, value, size, align="R")
        else:
            sheet.text(x + widest + 14, y, value, size)
        y += step
    return y


def _stacked(layout: InvoiceLayout, pairs: Pairs, x: float, y: float) -> float:
    """Small grey labels over their values."""
    step = layout.size * layout.chance.uniform(1.3, 1.6)
    for key, value in pairs:
        layout.sheet.text(x, y, key, layout.size * 0.85, colour=(90, 90, 90))
        layout.sheet.text(x, y + step, value, layout.size)
        y += step * 2.2
    return y


def _band(layout: InvoiceLayout, pairs: Pairs, _: float, y: float) -> float:
    """A table of one row: labels in cells above their values."""
    return _cells(layout, pairs, y, bold=True, boxed=layout.chance.random() < 0.6)


def _grid(layout: InvoiceLayout, pairs: Pairs, _: float, y: float) -> float:
    """Boxed cells, three in a row."""
    for first in range(0, len(pairs), 3):
        y = _cells(layout, pairs[first : first + 3], y, bold=False, boxed=True) - 5
    return y + 8


def _cells(layout: InvoiceLayout, pairs: Pairs, y: float, *, bold: bool, boxed: bool) -> float:
    sheet = layout.sheet
    width = (layout.right - layout.left) / len(pairs)
    size = min(layout.size, 8.0)
    for index, (key, value) in enumerate(pairs):
        x = layout.left + index * width
        for offset, line in enumerate(sheet.wrap(key, size, width - 6)):
            sheet.text(x + 3, y + 9 + offset * 9, line, size, bold=bold)
        sheet.text(x + 3, y + 32, value, size)
        if boxed:
            sheet.box(x, y - 2, x + width, y + 37)
    return y + 44


def _lines(layout: InvoiceLayout, pairs: Pairs, _: float, y: float) -> float:
    """Two pairs a line, or three between bars."""
    count, between = (3, "  |  ") if layout.styles.pairs == "pipes" else (2, "    ")
    for first in range(0, len(pairs), count):
        line = between.join(
            f"{key}{layout.glue}{value}" for key, value in pairs[first : first + count]
        )
        layout.sheet.text(layout.left, y, line, min(layout.size, 9.0))
        y += layout.size * 1.5
    return y


def _titled(layout: InvoiceLayout, pairs: Pairs, x: float, y: float) -> float:
    """The number as the title, the date in a line below, then what is left as a list."""
    (key, number), (day_key, day), *rest = pairs
    layout.sheet.text(x, y + 8, f"{key} {number}", 14, bold=True, colour=layout.accent)
    layout.sheet.text(x, y + 26, f"{day_key}{layout.glue}{day}", layout.size)
    y += 26 + layout.step
    return _list(layout, rest, x, y) if rest else y
