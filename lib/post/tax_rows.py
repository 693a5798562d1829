"""Several tax rows that make up the whole tax: none of them is the document's tax by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from lib.post.arithmetic import tax_of, tax_within, unit
from lib.post.options import Chosen, Option, Options
from lib.post.settled import numbers

_BEST = 3  # options of the total and the subtotal that may confirm the rows
_CENT = Decimal("0.01")
_HALF_A_CENT = Decimal("0.005")
_HALF_A_UNIT = Decimal("0.5")

Figures = Sequence[Mapping[str, Decimal]]


def without_parts(options: Options, rows: Sequence[Chosen]) -> dict[str, tuple[Option, ...]]:
    """The options without tax totals and subtotals that are one row's of a complete tax table.

    The table is complete where its rows together lead from a subtotal to a total, or where its
    bases or rates explain one; then a single row with a tax of its own is a part of the whole.
    """
    figures = [numbers(row) for row in rows]
    taxes = [row["amount"] for row in figures if row.get("amount")]
    if len(taxes) < 2 or len(figures) != sum("amount" in row for row in figures):
        return dict(options)
    totals, subtotals, tips = (_values(options, name) for name in ("total", "subtotal", "tip"))
    totals += [total - tip for total in totals for tip in tips]
    if not any(
        explains(figures, total, subtotal) for total in totals for subtotal in (*subtotals, None)
    ):
        return dict(options)
    bases = [row["base"] for row in figures if "base" in row]
    parts = {*taxes, *bases}
    wholes = {"tax_total": (sum(taxes, Decimal(0)),), "subtotal": _nets(bases) if bases else ()}
    kept = {
        name: tuple(o for o in options.get(name, ()) if o.value in whole or o.value not in parts)
        for name, whole in wholes.items()
    }
    return {name: kept.get(name, found) for name, found in options.items()}


def is_taxed(row: Mapping[str, Decimal]) -> bool:
    """Whether a row has a tax, and no base that its rate contradicts."""
    amount, base, rate = row.get("amount"), row.get("base"), row.get("rate")
    if not amount or rate == 0:
        return False
    if base is None or rate is None:
        return True
    return any(
        abs(t - amount) <= 2 * unit((amount,)) for t in (tax_of(base, rate), tax_within(base, rate))
    )


def explains(rows: Figures, total: Decimal, subtotal: Decimal | None) -> bool:
    """Whether tax rows, each with an amount, are all the tax in a total."""
    whole = sum((row["amount"] for row in rows), Decimal(0))
    close = unit((total,))
    if subtotal is not None and _is_rounded(total, subtotal + whole, close):
        return True
    bases = [row["base"] for row in rows if "base" in row]
    if len(bases) == len(rows):
        if abs(sum(bases, Decimal(0)) - total) <= close and all(map(_is_within, rows)):
            return True
        return any(abs(n + whole - total) <= close or subtotal == n for n in _nets(bases))
    return _by_rates(rows, total)


def _is_within(row: Mapping[str, Decimal]) -> bool:
    """Whether a row's base holds its tax: "VAT 12 % 52.18 of 487.00"."""
    return abs(tax_within(row["base"], row.get("rate", Decimal(0))) - row["amount"]) <= _CENT


def _nets(bases: Sequence[Decimal]) -> Sequence[Decimal]:
    """What the taxes may have been taken from: from a base each, or all of them from one."""
    total = sum(bases, Decimal(0))
    return (total, bases[0]) if len(set(bases)) == 1 else (total,)


def _by_rates(rows: Figures, total: Decimal) -> bool:
    """Whether the total is what each tax was taken from, as far as rounding lets the rates tell.

    Taxes of one rate and amount are the halves of one, taken from one base.
    """
    gross = slack = Decimal(0)
    halves = len({(row.get("rate"), row["amount"]) for row in rows}) == 1
    for row in rows[:1] if halves else rows:
        rate = row.get("rate")
        if not rate or rate <= 0:
            return False
        share = (100 + rate) / rate
        gross += row["amount"] * share
        slack += _HALF_A_CENT * share
    if halves:
        gross += sum((row["amount"] for row in rows[1:]), Decimal(0))
    return len(rows) > 1 and abs(gross - total) <= slack


def _is_rounded(total: Decimal, exact: Decimal, close: Decimal) -> bool:
    """Whether a total is a sum, or the sum rounded to whole units as in India and Sweden."""
    error = abs(total - exact)
    return error <= close or (total == total.to_integral_value() and error <= _HALF_A_UNIT)


def _values(options: Options, name: str) -> list[Decimal]:
    return [o.value for o in options.get(name, ())[:_BEST] if isinstance(o.value, Decimal)]
