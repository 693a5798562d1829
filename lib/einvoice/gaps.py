"""What an exported invoice lacks, what was concluded for it, and which rules it breaks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from lib.einvoice.invoice import Invoice, InvoiceLine, Party, Vat

NAMES: Mapping[str, str] = {
    "BT-1": "invoice number",
    "BT-2": "issue date",
    "BT-5": "currency",
    "BT-9": "payment due date or terms",
    "BT-27": "seller name",
    "BT-31": "seller VAT identifier",
    "BG-5": "seller postal address",
    "BT-40": "seller country",
    "BT-44": "buyer name",
    "BG-8": "buyer postal address",
    "BT-55": "buyer country",
    "BT-80": "country of delivery",
    "BT-95": "VAT category of the allowance",
    "BT-102": "VAT category of the charge",
    "BT-106": "sum of line amounts",
    "BT-109": "total without VAT",
    "BT-110": "total VAT",
    "BT-112": "total with VAT",
    "BT-115": "amount due",
    "BG-23": "VAT breakdown",
    "BT-116": "base of the VAT",
    "BT-117": "amount of the VAT",
    "BT-118": "VAT category",
    "BT-119": "VAT rate",
    "BG-25": "lines",
    "BT-129": "quantity",
    "BT-130": "unit",
    "BT-131": "line amount",
    "BT-146": "net price",
    "BT-151": "VAT category of the line",
    "BT-152": "VAT rate of the line",
    "BT-153": "item name",
}
"""The terms that an export can lack or calculate."""

_CENT = Decimal("0.01")
# The Schematron of EN 16931 allows VAT to differ by less than one from base times rate.
_VAT_TOLERANCE = Decimal(1)
_DIGITS = re.compile(r"\d+")


@dataclass(slots=True)
class Notes:
    """Grows while an invoice is made of a result; each term with the lines that it concerns."""

    missing: dict[str, list[int]] = field(default_factory=dict)
    concluded: dict[str, list[int]] = field(default_factory=dict)

    def lacks(self, term: str, line: int | None = None) -> None:
        """Note a missing term, of a line (from 1) or of the document."""
        _note(self.missing, term, line)

    def concludes(self, term: str, line: int | None = None) -> None:
        """Note a term that was not read, but follows from others."""
        _note(self.concluded, term, line)


def in_order(terms: Mapping[str, object]) -> list[str]:
    """The terms by number, groups first."""
    return sorted(terms, key=lambda term: (term[:2], int(_DIGITS.findall(term)[0])))


def _note(notes: dict[str, list[int]], term: str, line: int | None) -> None:
    lines = notes.setdefault(term, [])
    if line is not None and line not in lines:
        lines.append(line)


def note_missing(invoice: Invoice, notes: Notes) -> None:
    """Note the terms that EN 16931 demands and the invoice lacks."""
    _party(invoice.seller, "BT-27", "BG-5", "BT-40", notes)
    _party(invoice.buyer, "BT-44", "BG-8", "BT-55", notes)
    seller = invoice.seller
    # BR-CO-26 asks for a VAT identifier or a registration, BR-S-02 for a number of either tax kind.
    if seller.vat_id is None and (seller.tax_number is None or seller.registration is None):
        notes.lacks("BT-31")
    if invoice.delivery_address is not None and invoice.delivery_address.country is None:
        notes.lacks("BT-80")
    if invoice.totals.due > 0 and invoice.due_date is None and invoice.payment_terms is None:
        notes.lacks("BT-9")
    _totals(invoice, notes)
    for number, line in enumerate(invoice.lines, start=1):
        _line(line, number, notes)


def _party(party: Party, name: str, address: str, country: str, notes: Notes) -> None:
    if party.name is None:
        notes.lacks(name)
    if party.address is None:
        notes.lacks(address)
    elif party.address.country is None:
        notes.lacks(country)


def _totals(invoice: Invoice, notes: Notes) -> None:
    totals = invoice.totals
    terms: dict[str, object] = {
        "BT-109": totals.without_vat,
        "BT-110": totals.vat,
        "BT-112": totals.with_vat,
    }
    _lacking(terms, notes)
    category = None if invoice.document_vat is None else invoice.document_vat.category
    if totals.allowances and category is None:
        notes.lacks("BT-95")
    if totals.freight and category is None:
        notes.lacks("BT-102")
    if not invoice.vat:
        notes.lacks("BG-23")
    for vat in invoice.vat:
        terms = {
            "BT-116": vat.base,
            "BT-117": vat.amount,
            "BT-118": vat.category,
            "BT-119": vat.rate,
        }
        _lacking(terms, notes)


def _lacking(terms: Mapping[str, object], notes: Notes, line: int | None = None) -> None:
    for term, value in terms.items():
        if value is None:
            notes.lacks(term, line)


def _line(line: InvoiceLine, number: int, notes: Notes) -> None:
    terms: dict[str, object] = {
        "BT-129": line.quantity,
        "BT-146": line.net_price,
        "BT-151": line.vat_category,
        "BT-152": line.vat_rate,
        "BT-153": line.name,
    }
    if line.quantity is not None:
        terms["BT-130"] = line.unit
    _lacking(terms, notes, number)


def broken_rules(invoice: Invoice) -> Iterator[str]:
    """Rules of EN 16931 about sums that do not hold between the values that are there.

    BR-CO-10 holds always, since BT-106 is concluded.
    """
    totals = invoice.totals
    allowances, freight = totals.allowances or Decimal(0), totals.freight or Decimal(0)
    if _differ(totals.without_vat, totals.lines - allowances + freight):
        yield "BR-CO-13"
    taxes = [vat.amount for vat in invoice.vat if vat.amount is not None]
    if taxes and len(taxes) == len(invoice.vat) and _differ(totals.vat, sum(taxes, Decimal(0))):
        yield "BR-CO-14"
    vat, paid = totals.vat or Decimal(0), totals.paid or Decimal(0)
    if totals.without_vat is not None and _differ(totals.with_vat, totals.without_vat + vat):
        yield "BR-CO-15"
    if totals.with_vat is not None and _differ(totals.due, totals.with_vat - paid):
        yield "BR-CO-16"
    if any(_is_wrong_tax(vat.rate, vat.base, vat.amount) for vat in invoice.vat):
        yield "BR-CO-17"
    if not all(_has_its_base(vat, invoice) for vat in invoice.vat):
        yield "BR-S-08"


def _has_its_base(vat: Vat, invoice: Invoice) -> bool:
    """Whether the lines of a rate add up to its base; true where that cannot be said."""
    rates = [line.vat_rate for line in invoice.lines]
    totals = invoice.totals
    if vat.base is None or vat.rate is None or None in rates:
        return True
    lines = (line.amount for line in invoice.lines if line.vat_rate == vat.rate)
    base = sum(lines, Decimal(0))
    if len(invoice.vat) == 1:
        base += (totals.freight or Decimal(0)) - (totals.allowances or Decimal(0))
    elif totals.freight or totals.allowances:
        return True
    return abs(vat.base - base) < _VAT_TOLERANCE


def _differ(value: Decimal | None, expected: Decimal) -> bool:
    return value is not None and abs(value - expected) >= _CENT


def _is_wrong_tax(rate: Decimal | None, base: Decimal | None, amount: Decimal | None) -> bool:
    if rate is None or base is None or amount is None:
        return False
    return abs(amount - base * rate / 100) >= _VAT_TOLERANCE
