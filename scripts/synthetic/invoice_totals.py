"""The sums of an invoice: net, discount, shipping, taxes by rate, total, paid and due."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from synthetic.bill import Tax
from synthetic.invoice_table import tax_letters

if TYPE_CHECKING:
    from synthetic.invoice_layout import InvoiceLayout

Row = tuple[str, str, bool]
WIDEST_STRIP = 4  # cells


def _rows(layout: InvoiceLayout) -> list[Row]:
    """Label, amount and whether it is in bold, noted as printed."""
    bill, chance, country = layout.bill, layout.chance, layout.country
    rows: list[Row] = []

    def add(key: str, value: Decimal, *, bold: bool = False, sign: str = "", **names: str) -> None:
        rows.append((layout.label(key, **names), sign + _money(layout, value), bold))

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
        for tax, name in zip(bill.taxes, _tax_names(layout), strict=True):
            rows.append((_tax_label(layout, tax, name), _money(layout, tax.amount), False))
        if len(bill.taxes) > 1 and chance.random() < 0.4:
            add("tax_total", bill.tax_total)
        layout.truth.note(tax_total=bill.tax_total)
    _total(layout, rows)
    return rows


def _tax_names(layout: InvoiceLayout) -> list[str]:
    """What each tax is called: two levels of government have names of their own."""
    taxes = layout.bill.taxes
    names = layout.country.facts.get("split_names", [])
    return [names[i % 2] if names else layout.tax_name for i in range(len(taxes))]


def _tax_label(layout: InvoiceLayout, tax: Tax, name: str) -> str:
    country = layout.country
    rate, base = country.quantity(tax.rate), country.number(tax.base)
    text = layout.label("tax", rate=rate, base=base)
    text = text.replace(layout.tax_name, name, 1)
    if layout.styles.tax_letters and (letter := tax_letters(layout).get(tax.rate)):
        return f"{letter} = {text}"
    return text


def _money(layout: InvoiceLayout, value: Decimal) -> str:
    if layout.styles.signed:
        return layout.country.with_sign(value, layout.sign)
    return layout.country.number(value)


def _total(layout: InvoiceLayout, rows: list[Row]) -> None:
    bill, chance, country = layout.bill, layout.chance, layout.country
    label, text = layout.label("total"), country.number(bill.total)
    if layout.styles.signed or chance.random() < 0.75:
        text = country.with_sign(bill.total, layout.sign)
        if len(layout.sign) > 1 or layout.sign in "€£₽₹":
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
    """In the document's style, with a table of taxes where it has one; returns where they ended."""
    rows, styles = _rows(layout), layout.styles
    taxed = layout.bill.taxes and (styles.tax_table or styles.sums == "beside_taxes")
    if taxed and styles.sums != "beside_taxes":
        y = _tax_table(layout, layout.left, y) + 16
    if styles.sums in {"strip", "strip_of_two", "band"} and len(rows) <= WIDEST_STRIP:
        return _strip(layout, rows, y, lines=2 if styles.sums == "strip_of_two" else 1)
    end = _stack(layout, rows, y)
    if taxed and styles.sums == "beside_taxes":
        end = max(end, _tax_table(layout, layout.left, y))
    return end


def _stack(layout: InvoiceLayout, rows: list[Row], y: float) -> float:
    """A row for each sum: at the right or the left, boxed, or as the foot of the table."""
    chance, sheet, shape = layout.chance, layout.sheet, layout.styles.sums
    widest = max(sheet.measure(label, layout.size + 1, bold=True) for label, _, _ in rows)
    values = max(sheet.measure(text, layout.size + 1, bold=True) for _, text, _ in rows)
    width = widest + values + chance.uniform(18, 60)
    x0 = layout.left if shape in {"left", "foot"} else max(layout.left, layout.right - width)
    x1 = layout.right if shape == "foot" else x0 + width
    top = y - layout.size - 4
    step = layout.size * chance.uniform(1.5, 1.9)
    for label, text, bold in rows:
        size = layout.size + (1 if bold and shape != "foot" else 0)
        if bold and shape != "boxed" and chance.random() < 0.5:
            sheet.rule(x0, y - size - 2, x1, y - size - 2)
        sheet.text(x0 + 4, y, label, size, bold=bold)
        sheet.text(x1 - (3 if shape == "foot" else 4), y, text, size, bold=bold, align="R")
        y += step
    if shape == "boxed":
        sheet.box(x0, top, x1, y - step + 6)
    return y


def _tax_table(layout: InvoiceLayout, x: float, y: float) -> float:
    """A row for each rate: rate, base, tax and the sum of both, under headings."""
    chance, sheet, country = layout.chance, layout.sheet, layout.country
    heads = chance.choice(country.words["receipt"]["tax_header"])
    size, width = 8.0, 58.0
    for index, head in enumerate(heads):
        text = head.format(tax=layout.tax_name)
        sheet.text(x + (index + 1) * width, y, text, size, bold=True, align="R")
    for tax in layout.bill.taxes:
        y += size * 1.5
        letter = tax_letters(layout).get(tax.rate, "") if layout.styles.tax_letters else ""
        rate = f"{letter} {country.quantity(tax.rate)}%".strip()
        numbers = [country.number(value) for value in (tax.base, tax.amount, tax.base + tax.amount)]
        for index, text in enumerate([rate, *numbers]):
            sheet.text(x + (index + 1) * width, y, text, size, align="R")
    return y + size


def _strip(layout: InvoiceLayout, rows: list[Row], y: float, *, lines: int) -> float:
    """Labels in a row of cells, their amounts below; in two lines where there are many."""
    count = -(-len(rows) // lines)
    width = (layout.right - layout.left) / count
    boxed = layout.styles.sums != "band"
    for index, (label, text, bold) in enumerate(rows):
        x0 = layout.left + index % count * width
        top = y + index // count * 56
        wrapped = layout.sheet.wrap(label, layout.size - 1, width - 8)
        for offset, line in enumerate(wrapped):
            layout.sheet.text(x0 + 4, top + offset * 10, line, layout.size - 1)
        if boxed:
            layout.sheet.text(x0 + width - 4, top + 34, text, layout.size, bold=bold, align="R")
            layout.sheet.box(x0, top - 12, x0 + width, top + 41)
        else:
            layout.sheet.text(x0 + 4, top + 30, text, layout.size, bold=bold)
    return y + 58 + (lines - 1) * 56
