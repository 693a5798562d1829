"""What follows the sums of an invoice: terms, bank details, notices, and the foot of each page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from synthetic.identifiers import bic, iban

if TYPE_CHECKING:
    from synthetic.invoice_layout import InvoiceLayout


def draw_payment(layout: InvoiceLayout, y: float) -> None:
    """Terms, account and notices from `y` down."""
    bill, chance, sheet = layout.bill, layout.chance, layout.sheet
    step = layout.size * 1.4
    if bill.kind == "invoice" and chance.random() < 0.6:
        terms = layout.label("terms", days=str(bill.days))
        sheet.text(layout.left, y, f"{layout.label('terms_label')}: {terms}", layout.size)
        layout.truth.note(payment_terms=terms)
        y += step
    account = iban(layout.country.code, chance)
    if account and chance.random() < 0.75:
        for line in _account_lines(layout, account):
            sheet.text(layout.left, y, line, layout.size)
            y += step
    texts = layout.words.texts
    notices = chance.sample(texts["notices"], chance.randint(0, 2))
    if bill.reverse_charge:
        notices.append(layout.label("reverse_charge"))
    for text in notices:
        sheet.text(layout.left, y + 4, text, layout.size * 0.9)
        y += step


def _account_lines(layout: InvoiceLayout, account: str) -> list[str]:
    chance = layout.chance
    grouped = " ".join(account[i : i + 4] for i in range(0, len(account), 4))
    code = bic(layout.country.code, chance)
    lines = [layout.label("bank"), f"IBAN{layout.glue}{grouped}"]
    layout.truth.note(iban=account)
    if chance.random() < 0.7:
        lines.append(f"{chance.choice(('BIC', 'SWIFT', 'BIC/SWIFT'))}{layout.glue}{code}")
        layout.truth.note(bic=code)
    if chance.random() < 0.2:
        lines.append(f"{layout.label('reference')}: {layout.bill.number}")
        layout.truth.note(payment_reference=layout.bill.number)
    return lines


def draw_feet(layout: InvoiceLayout, contacts: Sequence[str]) -> None:
    """Page numbers, and the seller's contacts where the letterhead has none."""
    chance, vendor = layout.chance, layout.bill.vendor
    numbered = len(layout.sheets) > 1 or chance.random() < 0.3
    shape = chance.choice(layout.words.texts["page"])
    in_columns = layout.styles.letterhead == "foot"
    for index, sheet in enumerate(layout.sheets, start=1):
        y = layout.paper[1] - 62
        if in_columns:
            width = (layout.right - layout.left) / 3
            columns = ([vendor.name, *vendor.address_lines], contacts[:3], contacts[3:])
            for column, lines in enumerate(columns):
                for offset, line in enumerate(lines):
                    sheet.text(layout.left + column * width, y + offset * 10, line, 7.0)
        else:
            for start in range(0, len(contacts), 3):
                line = "  |  ".join(contacts[start : start + 3])
                sheet.text(layout.paper[0] / 2, y, line, 7.5, align="C")
                y += 10
            if contacts and chance.random() < 0.5:
                line = f"{vendor.name}, {vendor.address}"
                sheet.text(layout.paper[0] / 2, y, line, 7.0, align="C")
        if numbered:
            text = shape.format(index, len(layout.sheets))
            sheet.text(layout.right, layout.paper[1] - 18, text, 8, align="R")
