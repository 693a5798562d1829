"""Texts of an e-invoice as typed, exact candidates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from lib.domain.extraction import Candidate, Source, Value

# xsd:decimal, without the exponent that it forbids; longer than any amount there is.
_DECIMAL = re.compile(r"[+-]?(\d{1,30}(\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", re.ASCII)
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
# Digits kept of a price per piece that was given for a batch (EN 16931 BT-149).
_PRICE_DIGITS = 10


def exact(raw: str, value: Value | None) -> Candidate | None:
    """A candidate that is beyond doubt, or None where there is no value."""
    if value is None or value == "":
        return None
    return Candidate(raw=raw, score=1.0, source=Source.XML, value=value)


def text(raw: str) -> Candidate | None:
    """A name, number or remark as it stands."""
    return exact(raw, raw)


def decimal_of(raw: str) -> Decimal | None:
    """An xsd:decimal with its decimals as written; None for anything else."""
    return Decimal(raw) if _DECIMAL.fullmatch(raw) else None


def decimal(raw: str) -> Candidate | None:
    """Money, a quantity or a percentage."""
    return exact(raw, decimal_of(raw))


def total_of(raws: Iterable[str]) -> Candidate | None:
    """The sum of several amounts; a single one as it stands."""
    amounts = [(raw, value) for raw in raws if (value := decimal_of(raw)) is not None]
    if not amounts:
        return None
    return exact(" + ".join(raw for raw, _ in amounts), sum((v for _, v in amounts), Decimal(0)))


def price(raw: str, base_quantity: str) -> Candidate | None:
    """The price of one unit (BT-146 divided by BT-149, the quantity that it is given for)."""
    amount, base = decimal_of(raw), decimal_of(base_quantity)
    if amount is None or base is None or base in {0, 1}:
        return exact(raw, amount)
    each = (amount / base).quantize(Decimal(1).scaleb(-_PRICE_DIGITS)).normalize()
    # Never fewer decimals than written, never an exponent.
    decimals = max(-int(each.as_tuple().exponent), -int(amount.as_tuple().exponent), 0)
    return exact(f"{raw} / {base_quantity}", each.quantize(Decimal(1).scaleb(-decimals)))


def day(raw: str) -> Candidate | None:
    """A calendar day, from xsd:date or UN/EDIFACT 2379 formats 102, 203 and 204 (YYYYMMDD...).

    A month (610) or a week (616) names no day and gives None.
    """
    found = _DAY.match(raw)
    if found is None:
        return None
    try:
        value = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
    return exact(raw, value.isoformat())


def currency(raw: str) -> Candidate | None:
    """An ISO 4217 code."""
    return exact(raw, raw) if _CURRENCY.fullmatch(raw) else None


def iban(raw: str) -> Candidate | None:
    """An IBAN without its spaces; other account numbers give None."""
    compact = raw.replace(" ", "").upper()
    return exact(raw, compact) if _IBAN.fullmatch(compact) else None


def bic(raw: str) -> Candidate | None:
    """A BIC (ISO 9362)."""
    compact = raw.replace(" ", "").upper()
    return exact(raw, compact) if _BIC.fullmatch(compact) else None


def address(street: Iterable[str], postcode: str, city: str, *rest: str) -> Candidate | None:
    """One line: street lines, postcode and city, then region and country, joined by commas."""
    place = " ".join(part for part in (postcode, city) if part)
    return text(", ".join(part for part in (*street, place, *rest) if part))
