"""The sums of an invoice: net, discount, shipping, taxes by rate, total, paid and due."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthetic.invoice_layout import InvoiceLayout

Row = tuple[str, str, bool]


def _rows(layout: InvoiceLayout) -> list[Row]:
    """Label, amount and whether it is in bold, noted as printed."""
    bill, chance, country = layout.bill, layout.chance, layout.country
    rows: list[Row] = []

    def add(key: str, value: Decimal, *, bold: bool = False, sign: str = "", **names: str) -> None:
        rows.append((layout.label(key, **names), sign + country.number(value), bold))

    if bill.discount or bill.shipping:
        add("lines_total", bill.lines_total)
        if bill.discount:
            add("discount", bill.discount, sign=chance.choice(("-", "- ")))
        if bill.shipping:
            add("shipping", bill.shipping)
        layout.truth.note(discount_total=bill.discount or None, shipping=bill.shipping or None)
    if bill.inclusive:
        _total(layout, rows)
        for tax in bill.taxes:
            add("included", tax.amount, rate=country.quantity(tax.rate))
        layout.truth.note(tax_total=bill.tax_total)
        return rows
    if bill.taxes:
        add("subtotal", bill.subtotal)
        layout.truth.note(subtotal=bill.subtotal)
        for tax in bill.taxes:
            base = country.number(tax.base)
            add("tax", tax.amount, rate=country.quantity(tax.rate), base=base)
        if len(bill.taxes) > 1 and chance.random() < 0.4:
            add("tax_total", bill.tax_total)
        layout.truth.note(tax_total=bill.tax_total)
    _total(layout, rows)
    return rows


def _total(layout: InvoiceLayout, rows: list[Row]) -> None:
    bill, chance, country = layout.bill, layout.chance, layout.country
    label, text = layout.label("total"), country.number(bill.total)
    if chance.random() < 0.75:
        text = country.with_sign(bill.total, layout.sign)
        if len(layout.sign) > 1 or layout.sign in "€£₽":
            layout.truth.note(currency=country.currency)
    elif chance.random() < 0.5:
        label += f" ({country.currency})"
        layout.truth.note(currency=country.currency)
    rows.append((label, text, True))
    layout.truth.note(total=bill.total)
    if bill.paid:
        rows.append((layout.label("paid"), f"-{country.number(bill.paid)}", False))
        rows.append((layout.label("due"), country.number(bill.total - bill.paid), True))
        layout.truth.note(amount_paid=bill.paid, amount_due=bill.total - bill.paid)


def draw_totals(layout: InvoiceLayout, y: float) -> float:
    """At the right, at the left, boxed, or as a strip of cells; returns where they ended."""
    rows, chance, sheet = _rows(layout), layout.chance, layout.sheet
    widest = max(sheet.measure(label, layout.size + 1, bold=True) for label, _, _ in rows)
    values = max(sheet.measure(text, layout.size + 1, bold=True) for _, text, _ in rows)
    shape = chance.choice(("right", "right", "boxed", "left", "strip"))
    if shape == "strip" and len(rows) <= 4:
        return _strip(layout, rows, y)
    width = widest + values + chance.uniform(18, 60)
    x0 = layout.left if shape == "left" else max(layout.left, layout.right - width)
    x1, top = x0 + width, y - layout.size - 4
    step = layout.size * chance.uniform(1.5, 1.9)
    for label, text, bold in rows:
        size = layout.size + (1 if bold else 0)
        if bold and shape != "boxed" and chance.random() < 0.5:
            sheet.rule(x0, y - size - 2, x1, y - size - 2)
        sheet.text(x0 + 4, y, label, size, bold=bold)
        sheet.text(x1 - 4, y, text, size, bold=bold, align="R")
        y += step
    if shape == "boxed":
        sheet.box(x0, top, x1, y - step + 6)
    return y


def _strip(layout: InvoiceLayout, rows: list[Row], y: float) -> float:
    """Labels in a row of cells, their amounts below."""
    width = (layout.right - layout.left) / len(rows)
    for index, (label, text, bold) in enumerate(rows):
        x0 = layout.left + index * width
        lines = layout.sheet.wrap(label, layout.size - 1, width - 8)
        for offset, line in enumerate(lines):
            layout.sheet.text(x0 + 4, y + offset * 10, line, layout.size - 1)
        layout.sheet.text(x0 + width - 4, y + 34, text, layout.size, bold=bold, align="R")
        layout.sheet.box(x0, y - 12, x0 + width, y + 41)
    return y + 58
