"""The result of `invoice_fields_v1` as an invoice of EN 16931: what is not there is not invented.

Only what the standard itself defines by other terms is concluded (EN 16931-1, rules BR-CO-*), and
what the document says elsewhere is taken: a country from a VAT number whose check digits hold.
What the caller knows comes last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lib.einvoice.gaps import Notes
from lib.einvoice.invoice import Invoice, InvoiceLine, Party, PostalAddress, Totals, Vat
from lib.einvoice.postal import parse_address
from lib.einvoice.units import unit_code
from lib.values.tax_ids import compact, find_tax_ids

_STANDARD_RATE = "S"
_CENT = Decimal("0.01")
_ZERO = Decimal(0)


def invoice_of(
    result: Mapping[str, Any],
    notes: Notes,
    *,
    is_credit_note: bool,
    has_codes: bool,
    country: str | None,
) -> Invoice | None:
    """The invoice; None where a term is missing without which neither syntax's schema is met.

    Those are BT-1, BT-2, BT-5, BT-115, a line (BG-25) and each line's amount (BT-131). `has_codes`:
    units are codes already, as in XML. `country` is that of a party whose address names none. A
    credit note is written in positive amounts.
    """
    amounts = _Amounts(result, turned=is_credit_note and _is_negative(result))
    lines = _lines(amounts, has_codes=has_codes, notes=notes)
    vat = _vat(amounts, lines, notes)
    lines = tuple(_with_only_rate(line, n, vat, notes) for n, line in enumerate(lines, start=1))
    totals = _totals(amounts, lines, vat, notes)
    number, day, currency = (result.get(n) for n in ("document_number", "issue_date", "currency"))
    for term, value in (("BT-1", number), ("BT-2", day), ("BT-5", currency)):
        if value is None:
            notes.lacks(term)
    if number is None or day is None or currency is None or totals is None:
        return None
    delivery = result.get("shipping_address")
    iban = result.get("iban")
    return Invoice(
        is_credit_note=is_credit_note,
        number=number,
        issue_date=day,
        currency=currency,
        due_date=result.get("due_date"),
        delivery_date=result.get("delivery_date"),
        purchase_order=result.get("purchase_order"),
        payment_terms=result.get("payment_terms"),
        payment_reference=result.get("payment_reference"),
        iban=iban,
        bic=result.get("bic") if iban else None,
        seller=_seller(result, country, notes),
        buyer=_buyer(result, country, notes),
        delivery_address=_address(delivery, None, country, "BT-80", notes),
        vat=vat,
        lines=lines,
        totals=totals,
    )


def left_out(result: Mapping[str, Any]) -> list[str]:
    """Fields with a value that EN 16931 has no place for, or none without another field."""
    fields = []
    if result.get("vendor_website"):
        fields.append("vendor_website")
    if result.get("bic") and not result.get("iban"):
        fields.append("bic")
    number = result.get("customer_tax_id")
    if number and _vat_id(number) is None:
        fields.append("customer_tax_id")
    for index, row in enumerate(result.get("line_items") or ()):
        if _is_remark(row):
            fields.append(f"line_items[{index}]")
    return fields


def _is_remark(row: Mapping[str, Any]) -> bool:
    """Whether a row has no numbers: it says something of the lines around it."""
    return all(row.get(name) is None for name in ("quantity", "unit_price", "discount", "amount"))


class _Amounts:
    """A result's numbers as Decimals, with the signs of a credit note turned where they must be."""

    def __init__(self, result: Mapping[str, Any], *, turned: bool) -> None:
        self.result = result
        self._sign = Decimal(-1) if turned else Decimal(1)

    def number(self, row: Mapping[str, Any], name: str) -> Decimal | None:
        """A quantity, price or rate, or a discount, which is positive by what it is."""
        value = row.get(name)
        return None if value is None else _short(Decimal(value))

    def amount(self, row: Mapping[str, Any], name: str) -> Decimal | None:
        value = self.number(row, name)
        return None if value is None else value * self._sign

    def rows(self, name: str) -> Sequence[Mapping[str, Any]]:
        return self.result.get(name) or ()


def _short(value: Decimal) -> Decimal:
    """Without zeros after the second decimal: EN 16931 allows amounts no more (BR-DEC-*)."""
    if value == value.quantize(_CENT) and int(value.as_tuple().exponent) < int(
        _CENT.as_tuple().exponent
    ):
        return value.quantize(_CENT)
    return value


def _is_negative(result: Mapping[str, Any]) -> bool:
    total = result.get("total")
    total = result.get("amount_due") if total is None else total
    return total is not None and Decimal(total) < 0


def _category(rate: Decimal | None) -> str | None:
    """S for a rate above zero; zero may be exempt, reverse charge, export...: that is not known."""
    return _STANDARD_RATE if rate else None


def _lines(amounts: _Amounts, *, has_codes: bool, notes: Notes) -> tuple[InvoiceLine, ...]:
    """The lines that have an amount, or whose amount follows from quantity and price."""
    rows = [row for row in amounts.rows("line_items") if not _is_remark(row)]
    if not rows:
        notes.lacks("BG-25")
    lines = (_line(amounts, row, n, has_codes, notes) for n, row in enumerate(rows, start=1))
    return tuple(line for line in lines if line is not None)


def _line(
    amounts: _Amounts, row: Mapping[str, Any], number: int, has_codes: bool, notes: Notes
) -> InvoiceLine | None:
    quantity, price = amounts.number(row, "quantity"), amounts.number(row, "unit_price")
    discount, rate = amounts.number(row, "discount"), amounts.number(row, "tax_rate")
    amount = amounts.amount(row, "amount")
    if amount is None and quantity is not None and price is not None:
        amount = (quantity * price - (discount or _ZERO)).quantize(_CENT)
        notes.concludes("BT-131", number)
    if amount is None:
        notes.lacks("BT-131", number)
        return None
    if price is not None and price < 0:
        # A price is never negative (BR-27); what is taken back is a negative quantity.
        price, quantity = -price, None if quantity is None else -quantity
    if quantity and amount and (quantity < 0) != (amount < 0) and not discount:
        quantity = -quantity
    return InvoiceLine(
        identifier=row.get("position") or str(number),
        name=row.get("description"),
        seller_code=row.get("product_code"),
        quantity=quantity,
        unit=unit_code(row.get("unit"), is_code=has_codes),
        net_price=price,
        discount=discount if discount and discount > 0 else None,
        amount=amount,
        vat_rate=rate,
        vat_category=_category(rate),
    )


def _vat(amounts: _Amounts, lines: Sequence[InvoiceLine], notes: Notes) -> tuple[Vat, ...]:
    rows = amounts.rows("tax_lines")
    base, tax = (amounts.amount(amounts.result, name) for name in ("subtotal", "tax_total"))
    if not rows:
        return _vat_of_lines(lines, base, tax, notes)
    found = []
    for row in rows:
        rate = amounts.number(row, "rate")
        vat = Vat(rate, amounts.amount(row, "base"), amounts.amount(row, "amount"), _category(rate))
        if len(rows) == 1 and vat.base is None and base is not None:
            vat = replace(vat, base=base)
            notes.concludes("BT-116")
        if len(rows) == 1 and vat.amount is None and tax is not None:
            vat = replace(vat, amount=tax)
            notes.concludes("BT-117")
        found.append(vat)
    return tuple(found)


def _vat_of_lines(
    lines: Sequence[InvoiceLine], base: Decimal | None, tax: Decimal | None, notes: Notes
) -> tuple[Vat, ...]:
    """The breakdown that the lines' rates make, where subtotal and tax total confirm it."""
    bases: dict[Decimal, Decimal] = {}
    for line in lines:
        if line.vat_rate is None:
            return ()
        bases[line.vat_rate] = bases.get(line.vat_rate, _ZERO) + line.amount
    if len(bases) == 1 and base is not None:
        bases = dict.fromkeys(bases, base)
    vat = tuple(
        Vat(rate, part, (part * rate / 100).quantize(_CENT, ROUND_HALF_UP), _category(rate))
        for rate, part in bases.items()
    )
    if base != sum(bases.values()) or tax != sum(row.amount or _ZERO for row in vat):
        return ()
    notes.concludes("BG-23")
    return vat


def _with_only_rate(
    line: InvoiceLine, number: int, vat: Sequence[Vat], notes: Notes
) -> InvoiceLine:
    """The line with the document's rate, where it has one only and the line names none."""
    if line.vat_rate is not None or len(vat) != 1 or vat[0].rate is None:
        return line
    notes.concludes("BT-152", number)
    return replace(line, vat_rate=vat[0].rate, vat_category=vat[0].category)


def _totals(
    amounts: _Amounts, lines: Sequence[InvoiceLine], vat: Sequence[Vat], notes: Notes
) -> Totals | None:
    """The sums (BR-CO-10 to BR-CO-16); None without lines or an amount due."""
    result = amounts.result
    net, tax, total, due, paid = (
        amounts.amount(result, name)
        for name in ("subtotal", "tax_total", "total", "amount_due", "amount_paid")
    )
    allowances, freight = (
        amounts.number(result, "discount_total"),
        amounts.amount(result, "shipping"),
    )
    taxes = [row.amount for row in vat]
    if tax is None and taxes and None not in taxes:
        tax = sum((amount for amount in taxes if amount is not None), _ZERO)
        notes.concludes("BT-110")
    if net is None and total is not None and tax is not None:
        net = total - tax
        notes.concludes("BT-109")
    if total is None and net is not None and tax is not None:
        total = net + tax
        notes.concludes("BT-112")
    if due is None and total is not None:
        due = total - (paid or _ZERO)
        notes.concludes("BT-115")
    if due is None:
        notes.lacks("BT-115")
    if due is None or not lines or "BT-131" in notes.missing:
        return None
    return Totals(
        lines=sum((line.amount for line in lines), _ZERO),
        allowances=allowances,
        freight=freight,
        without_vat=net,
        vat=tax,
        with_vat=total,
        paid=paid,
        due=due,
    )


def _seller(result: Mapping[str, Any], country: str | None, notes: Notes) -> Party:
    number = result.get("vendor_tax_id")
    vat_id = _vat_id(number)
    return Party(
        name=result.get("vendor_name"),
        address=_address(result.get("vendor_address"), number, country, "BT-40", notes),
        vat_id=vat_id,
        tax_number=number if vat_id is None else None,
        registration=result.get("vendor_registration_id"),
        phone=result.get("vendor_phone"),
        email=result.get("vendor_email"),
    )


def _buyer(result: Mapping[str, Any], country: str | None, notes: Notes) -> Party:
    number = result.get("customer_tax_id")
    return Party(
        name=result.get("customer_name"),
        address=_address(result.get("customer_address"), number, country, "BT-55", notes),
        vat_id=_vat_id(number),
        identifier=result.get("customer_id"),
    )


def _vat_id(number: str | None) -> str | None:
    """A number with its country's prefix (BR-CO-09), without what is printed between digits."""
    if not number:
        return None
    text = compact(number)
    found = find_tax_ids(text)
    is_vat = bool(found) and found[0].kind == "vat" and found[0].value == text
    return text if is_vat else None


def _address(
    text: str | None, tax_id: str | None, country: str | None, term: str, notes: Notes
) -> PostalAddress | None:
    """The address; where it names no country, that of the tax number or the caller's."""
    if not text:
        return None
    address = parse_address(text)
    if address.country is not None:
        return address
    vat_id = _vat_id(tax_id)
    number = find_tax_ids(vat_id)[0] if vat_id else None
    found = number.country if number is not None and number.valid else country
    if found is None:
        return address
    notes.concludes(term)
    return replace(address, country=found)
