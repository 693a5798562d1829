"""How much amounts that fit speak for each other, in nats (logarithms of likelihood ratios)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from decimal import Decimal

from lib.post.arithmetic import (
    ADDENDS,
    CASH_STEP,
    TableTotals,
    Values,
    is_cash_rounded,
    line_targets,
    lines_tolerance,
    total_from_subtotal,
    unit,
)

# That three printed numbers add up by chance is rare (e^3 = 20 times likelier when they are what
# they are taken for); two equal numbers prove little: totals are printed again and again. Lines
# and tax rows were found by the same reader, so they prove less than their number suggests.
SUM_HOLDS, _EQUAL, _SUM_FAILS = 3.0, 0.5, -1.0
_LINES_HOLD, _ONE_LINE_HOLDS = 1.2, 0.4
_TAX_ROWS_HOLD, _BASES_HOLD = 0.7, 2.0
_CHANGE_HOLDS, _DUE_HOLDS, _CASH_ROUNDED = 3.0, 2.0, 1.0
_ABSURD_TAX = -1.5
_ABSURD_CHARGE = -3.0  # what is only a part of the total, and yet as large
_SAME_PLACE = -2.5  # one printed number taken for two different things

# Fields of which each needs a print of its own; an amount due may be the total by another name.
_OWN_PRINT = (
    "total", "subtotal", "tax_total", "discount_total", "shipping", "service_charge", "tip",
    "change",
)  # fmt: skip


def agreement(values: Values, totals: TableTotals) -> float:
    """What the sums say about amounts taken together; 0 where nothing can be compared."""
    return (
        sum_agreement(values)
        + _charges_agreement(values)
        + _lines_agreement(values, totals)
        + _tax_agreement(values, totals)
        + _payment_agreement(values, totals)
    )


def same_place(places: Mapping[str, Hashable | None]) -> float:
    """What it costs that fields share the place of their print; None for a value without a place.

    Without tax the subtotal is the total, and one print serves both.
    """
    own = [place for name in _OWN_PRINT if (place := places.get(name)) is not None]
    shared = len(own) - len(set(own))
    if "tax_total" not in places and places.get("total") == places.get("subtotal") is not None:
        shared -= 1
    return _SAME_PLACE * shared


def sum_agreement(values: Values) -> float:
    """What subtotal, addends and total say about each other."""
    total, subtotal = values.get("total"), values.get("subtotal")
    if total is None or subtotal is None:
        return 0.0
    found = total_from_subtotal(values)
    if found:
        if any(abs(values[name]) > CASH_STEP for name in found.terms):
            return SUM_HOLDS if found.error == 0 else SUM_HOLDS * 0.8
        return _EQUAL
    added = sum((ADDENDS[n] * values[n] for n in ADDENDS if n in values), Decimal(0))
    if is_cash_rounded(total, subtotal + added) or is_cash_rounded(total, subtotal):
        return _CASH_ROUNDED
    return _SUM_FAILS if "tax_total" in values or total < subtotal else 0.0


def _charges_agreement(values: Values) -> float:
    """What it costs that a charge is as large as the total that it is a part of."""
    total = values.get("total")
    if not total:
        return 0.0
    charges = (values.get(name, Decimal(0)) for name in ("shipping", "service_charge", "tip"))
    return sum(_ABSURD_CHARGE for charge in charges if abs(charge) >= abs(total))


def _lines_agreement(values: Values, totals: TableTotals) -> float:
    if totals.lines is None:
        return 0.0
    tolerance = lines_tolerance(totals.line_count, (totals.lines,))
    worth = _LINES_HOLD if totals.line_count > 1 else _ONE_LINE_HOLDS
    for rank, (_, target) in enumerate(line_targets(values)):
        error = abs(totals.lines - target)
        if error <= tolerance:
            return worth * (1.0 if rank == 0 and error == 0 else 0.8)
    return 0.0


def _tax_agreement(values: Values, totals: TableTotals) -> float:
    tax, total, subtotal = values.get("tax_total"), values.get("total"), values.get("subtotal")
    score = 0.0
    if tax is not None and total is not None and abs(tax) > abs(total) / 2:
        score += _ABSURD_TAX
    if totals.tax_amounts is None:
        return score
    if tax is not None and abs(totals.tax_amounts - tax) <= unit((tax,)):
        score += _TAX_ROWS_HOLD
    if totals.tax_bases is None:
        return score
    gross = totals.tax_bases + totals.tax_amounts
    if total is not None and abs(gross - total) <= unit((total,)):
        score += _BASES_HOLD
    if subtotal is not None and abs(totals.tax_bases - subtotal) <= unit((subtotal,)):
        score += _BASES_HOLD / 2
    return score


def _payment_agreement(values: Values, totals: TableTotals) -> float:
    total, due, paid = values.get("total"), values.get("amount_due"), values.get("amount_paid")
    if total is None:
        return 0.0
    score = 0.0
    if due is not None:
        if paid and abs(total - paid - due) <= unit((total,)):
            score += _DUE_HOLDS
        elif due == total and not paid:
            score += _EQUAL
    if totals.payments is None:
        return score
    change, tip = values.get("change", Decimal(0)), values.get("tip", Decimal(0))
    handed = totals.payments - change
    if any(abs(handed - target) <= unit((total,)) for target in (total, total + tip)):
        return score + (_CHANGE_HOLDS if change else _EQUAL)
    return score + (_EQUAL if is_cash_rounded(handed, total) else 0.0)
