"""What an invoice and a receipt consist of; totals are computed, never typed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def money(value: Decimal) -> Decimal:
    """Rounded to the cent, half up."""
    return value.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Party:
    """A company. `street`, `city` (with postcode) and `country` are printed as separate lines."""

    name: str
    street: str
    postcode: str
    town: str
    country: str
    country_code: str
    tax_id: str | None = None
    registration_id: str | None = None
    phone: str | None = None
    email: str | None = None
    website: str | None = None
    contact: str | None = None
    customer_id: str | None = None
    postcode_last: bool = False

    @property
    def city(self) -> str:
        parts = (self.town, self.postcode) if self.postcode_last else (self.postcode, self.town)
        return " ".join(parts)

    @property
    def address(self) -> str:
        return f"{self.street}, {self.city}"


@dataclass(frozen=True)
class Item:
    """A line item; `unit` is the printed unit, `unit_code` the one of UN/ECE Recommendation 20."""

    product_code: str | None
    description: str
    quantity: Decimal
    unit: str
    unit_code: str
    unit_price: Decimal
    tax_rate: Decimal

    @property
    def amount(self) -> Decimal:
        return money(self.quantity * self.unit_price)


@dataclass(frozen=True)
class TaxLine:
    rate: Decimal
    base: Decimal
    amount: Decimal


def tax_lines(items: tuple[Item, ...]) -> tuple[TaxLine, ...]:
    """Per rate, highest first: the sum of the net amounts and the tax on that sum."""
    lines = []
    for rate in sorted({item.tax_rate for item in items}, reverse=True):
        base = sum((item.amount for item in items if item.tax_rate == rate), Decimal())
        lines.append(TaxLine(rate, base, money(base * rate / 100)))
    return tuple(lines)


@dataclass(frozen=True)
class Invoice:
    number: str
    issue_date: date
    due_date: date
    delivery_date: date | None
    purchase_order: str | None
    vendor: Party
    customer: Party
    currency: str
    items: tuple[Item, ...]
    iban: str
    bic: str | None
    payment_terms: str
    payment_reference: str | None = None

    @property
    def subtotal(self) -> Decimal:
        return sum((item.amount for item in self.items), Decimal())

    @property
    def tax_lines(self) -> tuple[TaxLine, ...]:
        return tax_lines(self.items)

    @property
    def tax_total(self) -> Decimal:
        return sum((line.amount for line in self.tax_lines), Decimal())

    @property
    def total(self) -> Decimal:
        return self.subtotal + self.tax_total


@dataclass(frozen=True)
class ReceiptItem:
    """`amount` includes tax; `mark` is the printed tax mark of the row."""

    description: str
    quantity: int
    unit_price: Decimal
    tax_rate: Decimal
    mark: str

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.unit_price


@dataclass(frozen=True)
class Receipt:
    """A till receipt with tax included in its prices, paid by card or in cash."""

    vendor: Party
    document_number: str
    issue_date: date
    issue_time: time
    currency: str
    items: tuple[ReceiptItem, ...]
    discount: Decimal
    discount_text: str
    payment_method: str
    tendered: Decimal | None

    @property
    def gross(self) -> Decimal:
        return sum((item.amount for item in self.items), Decimal())

    @property
    def total(self) -> Decimal:
        return self.gross - self.discount

    @property
    def tax_lines(self) -> tuple[TaxLine, ...]:
        """Net base and tax per rate, highest rate first; the discount is of the highest rate."""
        lines = []
        rates = sorted({item.tax_rate for item in self.items}, reverse=True)
        for rate in rates:
            gross = sum((i.amount for i in self.items if i.tax_rate == rate), Decimal())
            gross -= self.discount if rate == rates[0] else 0
            tax = money(gross * rate / (100 + rate))
            lines.append(TaxLine(rate, gross - tax, tax))
        return tuple(lines)

    @property
    def tax_total(self) -> Decimal:
        return sum((line.amount for line in self.tax_lines), Decimal())

    @property
    def change(self) -> Decimal | None:
        return None if self.tendered is None else self.tendered - self.total
