"""The sums that a receipt or an invoice obeys, as arithmetic; nothing is chosen or judged here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import combinations

from lib.values.numerals import places

ADDENDS: Mapping[str, int] = {
    "tax_total": 1,
    "shipping": 1,
    "service_charge": 1,
    "tip": 1,
    "rounding": 1,
    "discount_total": -1,
}
"""What may stand between subtotal and total, with its sign."""

CASH_STEP = Decimal("0.05")
"""Largest difference that rounding to the smallest coin leaves (0.02 either way, up to a whole step
where stores round down).
"""

_CENT = Decimal("0.01")
_ZERO = Decimal(0)

Values = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class SumFound:
    """How a total follows from a subtotal: the fields used besides it, and what is left over."""

    terms: tuple[str, ...]
    error: Decimal


@dataclass(frozen=True, slots=True)
class TableTotals:
    """Sums over the tables' rows; None where no row (taxes, payments: not every row) has the cell.

    `lines_complete` says whether every line has an amount: only then can a wrong sum be held
    against it.
    """

    lines: Decimal | None = None
    line_count: int = 0
    lines_complete: bool = True
    tax_amounts: Decimal | None = None
    tax_bases: Decimal | None = None
    payments: Decimal | None = None


def unit(values: Iterable[Decimal]) -> Decimal:
    """One unit of the last printed decimal place among the values, 0.01 at the smallest."""
    return _UNITS[min(2, max(map(places, values), default=2))]


_UNITS = (Decimal(1), Decimal("0.1"), _CENT)


def total_from_subtotal(values: Values) -> SumFound | None:
    """The way to add a subset of the printed addends to the subtotal that gives the total, or None.

    Prices come with and without tax, tips above and below the total, discounts taken off already or
    not: so every subset is tried; one that fits exactly wins, then one with more terms. A
    difference of at most one unit of the last place is rounding.
    """
    total, subtotal = values.get("total"), values.get("subtotal")
    if total is None or subtotal is None:
        return None
    present = tuple(name for name in ADDENDS if values.get(name))
    tolerance = unit((total, subtotal))
    gap = total - subtotal
    best: SumFound | None = None
    for terms in _subsets(present):
        error = gap - sum((ADDENDS[name] * values[name] for name in terms), _ZERO)
        if error == 0:
            return SumFound(terms, error)
        if abs(error) <= tolerance and best is None:
            best = SumFound(terms, error)
    return best


@cache
def _subsets(names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        subset for size in range(len(names), -1, -1) for subset in combinations(names, size)
    )


def is_cash_rounded(total: Decimal, exact: Decimal) -> bool:
    """Whether `total` is `exact` rounded to a coin: a multiple of 0.05 less than 0.05 away."""
    return total != exact and abs(total - exact) < CASH_STEP and total % CASH_STEP == 0


def line_targets(values: Values) -> Iterator[tuple[str, Decimal]]:
    """The sums that the lines may add up to, by name, likeliest first.

    Besides the subtotal and the total: each before discounts, and the total without the tax or
    without what is added to it.
    """
    subtotal, total = values.get("subtotal"), values.get("total")
    discount = values.get("discount_total", _ZERO)
    if subtotal is not None:
        yield "subtotal", subtotal
        if discount:
            yield "subtotal + discount_total", subtotal + discount
        if tax := values.get("tax_total"):
            yield "subtotal + tax_total", subtotal + tax
    if total is not None:
        yield "total", total
        if discount:
            yield "total + discount_total", total + discount
        for name in ("tax_total", "rounding", "shipping", "service_charge", "tip"):
            if amount := values.get(name):
                yield f"total - {name}", total - amount


def lines_tolerance(count: int, values: Iterable[Decimal]) -> Decimal:
    """What rounding by line may leave: half a unit of the last place a line, at least one."""
    return unit(values) * max(1, (count + 1) // 2)


def tax_of(base: Decimal, rate: Decimal) -> Decimal:
    """Tax on a base without tax, unrounded (EN 16931, BR-CO-17); `rate` in per cent."""
    return base * rate / 100


def tax_within(gross: Decimal, rate: Decimal) -> Decimal:
    """Tax contained in an amount with tax, unrounded; `rate` in per cent."""
    return gross * rate / (100 + rate)


def line_amount(row: Values) -> Decimal | None:
    """quantity x unit_price - discount, unrounded; a missing quantity is 1; None without price."""
    price = row.get("unit_price")
    if price is None:
        return None
    return row.get("quantity", Decimal(1)) * price - row.get("discount", _ZERO)


def line_holds(row: Values) -> bool | None:
    """Whether a row's amount is quantity x price less discount; None when a figure is missing.

    The discount may be in the price already, be per unit, or be in per cent; the price may be per
    100 or 1000 units; the amount may include the row's tax.
    """
    amount, quantity, price = row.get("amount"), row.get("quantity"), row.get("unit_price")
    if amount is None or quantity is None or price is None:
        return None
    gross = quantity * price
    discount = abs(row.get("discount", _ZERO))
    options = [gross, gross - discount, gross - quantity * discount, gross * (100 - discount) / 100]
    options += [gross / 100, gross / 1000]
    if rate := row.get("tax_rate"):
        options += [option * (100 + rate) / 100 for option in options[:2]]
    tolerance = max(unit((amount,)), abs(quantity) * _half_unit(price))
    return any(abs(abs(amount) - abs(option)) <= tolerance for option in options)


def _half_unit(price: Decimal) -> Decimal:
    """Half a unit of the price's last place: what rounding the price itself may hide."""
    return Decimal(5).scaleb(-places(price) - 1)


def shown(terms: Sequence[tuple[int, Decimal]], result: Decimal) -> str:
    """`83.00 + 15.77 = 98.77`; `terms` are (sign, amount) pairs."""
    text = ""
    for sign, amount in terms:
        negative = (sign < 0) != (amount < 0)
        joint = (" - " if negative else " + ") if text else ("-" if negative else "")
        text += f"{joint}{abs(amount)}"
    return f"{text} = {result}"
