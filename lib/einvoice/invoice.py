"""An invoice in the terms of EN 16931, as the writers of both syntaxes take it.

Business terms (BT) and groups (BG) are those of EN 16931-1. What is None is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

SPECIFICATION = "urn:cen.eu:en16931:2017"
"""BT-24: the specification that the invoice follows."""


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """BG-5, BG-8 or BG-15: up to three street lines, place, subdivision, ISO 3166-1 country."""

    lines: tuple[str, ...]
    postcode: str | None = None
    city: str | None = None
    subdivision: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """The seller (BG-4) or the buyer (BG-7).

    `tax_number` (BT-32) and `registration` (BT-30) are the seller's only, `identifier` (BT-46) is
    the buyer's.
    """

    name: str | None
    address: PostalAddress | None
    vat_id: str | None
    tax_number: str | None = None
    registration: str | None = None
    identifier: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Vat:
    """BG-23: a rate of VAT in per cent with its base and its tax; `category` from UNTDID 5305."""

    rate: Decimal | None
    base: Decimal | None
    amount: Decimal | None
    category: str | None


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """BG-25. `unit` is a code of UN/ECE Recommendation 20; `discount` BT-136; `amount` BT-131."""

    identifier: str
    name: str | None
    seller_code: str | None
    quantity: Decimal | None
    unit: str | None
    net_price: Decimal | None
    discount: Decimal | None
    amount: Decimal
    vat_rate: Decimal | None
    vat_category: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """BG-22, with the allowances (BG-20) and freight charges (BG-21) of the whole document."""

    lines: Decimal
    allowances: Decimal | None
    freight: Decimal | None
    without_vat: Decimal | None
    vat: Decimal | None
    with_vat: Decimal | None
    paid: Decimal | None
    due: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """A commercial invoice (380) or a credit note (381); days are ISO 8601."""

    is_credit_note: bool
    number: str
    issue_date: str
    currency: str
    due_date: str | None
    delivery_date: str | None
    purchase_order: str | None
    payment_terms: str | None
    payment_reference: str | None
    iban: str | None
    bic: str | None
    seller: Party
    buyer: Party
    delivery_address: PostalAddress | None
    vat: tuple[Vat, ...]
    lines: tuple[InvoiceLine, ...]
    totals: Totals

    @property
    def type_code(self) -> str:
        """BT-3 (UNTDID 1001)."""
        return "381" if self.is_credit_note else "380"

    @property
    def payment_means(self) -> str | None:
        """BT-81 (UNTDID 4461): credit transfer to an IBAN, else not defined; None: nothing said."""
        if self.iban:
            return "30"
        return "1" if self.payment_reference else None

    @property
    def document_vat(self) -> Vat | None:
        """The VAT of allowances and charges (BT-95, BT-102), where the document has one rate."""
        return self.vat[0] if len(self.vat) == 1 else None
