"""Which option of each field is meant: scores, and the sums that options satisfy together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import product

from lib.domain.task import FieldSpec, FieldType, Task
from lib.post.arithmetic import (
    ADDENDS,
    TableTotals,
    Values,
    is_cash_rounded,
    line_holds,
    line_targets,
    lines_tolerance,
    total_from_subtotal,
    unit,
)
from lib.post.dates import choose_dates
from lib.post.options import Chosen, Option, Options, RowOptions

# The fields whose options are weighed against each other, with how many options each brings.
_WIDTHS: Mapping[str, int] = {
    "total": 5, "subtotal": 4, "tax_total": 4, "amount_due": 3, "discount_total": 2, "shipping": 2,
    "service_charge": 2, "tip": 2, "rounding": 2, "amount_paid": 2, "change": 2,
}  # fmt: skip
_MAX_COMBINATIONS = 300
_MAX_ROW_READINGS = 32

# What a field is worth when it is left out: a candidate with a lower score is only taken when a sum
# needs it. The total is never left out while it has a candidate.
_LEFT_OUT = 0.2

# What agreement is worth, in units of candidate score: a sum of three printed numbers outweighs any
# single candidate, an equality of two could be chance or the same number read twice.
_SUM_HOLDS, _EQUAL, _SUM_FAILS = 1.0, 0.3, -0.5
_LINES_HOLD, _ONE_LINE_HOLDS = 0.8, 0.3
_TAX_LINES_HOLD, _BASES_HOLD = 0.5, 0.6
_CHANGE_HOLDS, _DUE_HOLDS = 0.7, 0.6
_CASH_ROUNDED = 0.4
_ABSURD = -0.4
_CHECKSUM_HOLDS, _CHECKSUM_FAILS = 0.3, -0.3


def choose(task: Task, options: Options, totals: TableTotals) -> dict[str, Option]:
    """One option per field: amounts weighed together, dates together, every other field on its own.

    A field is left out when no reading of it could be decided on, or when it only disturbs a sum.
    """
    kinds = {spec.name: spec.type for spec in task.fields}
    amounts = {
        n: found for n, found in options.items() if n in _WIDTHS and kinds[n] is FieldType.MONEY
    }
    dates = {n: found for n, found in options.items() if kinds[n] is FieldType.DATE}
    single = {
        n: _best(found) for n, found in options.items() if n not in amounts and n not in dates
    }
    chosen = single | choose_dates(dates) | choose_amounts(amounts, totals)
    return {
        n: chosen[n] for n in options if n in chosen and (chosen[n].exact or chosen[n].weight > 0)
    }


def _best(options: Sequence[Option]) -> Option:
    """The best score, where a checksum counts as much as a sum that holds, and against what fails
    it.
    """
    verdicts = {True: _CHECKSUM_HOLDS, False: _CHECKSUM_FAILS, None: 0.0}
    return max(options, key=lambda option: option.score + verdicts[option.valid])


def choose_row(columns: Sequence[FieldSpec], row: RowOptions) -> dict[str, Option]:
    """The readings of a row's cells that satisfy quantity x price = amount, else each cell's
    first.
    """
    names = [spec.name for spec in columns if row.get(spec.name)]
    first = {name: row[name][0] for name in names}
    figures = [n for n in ("quantity", "unit_price", "discount", "amount") if n in first]
    open_cells = [name for name in figures if len(row[name]) > 1]
    if not open_cells or line_holds(_amounts(first)):
        return first
    readings = list(product(*(row[name] for name in open_cells)))[:_MAX_ROW_READINGS]
    for reading in sorted(readings, key=lambda combined: -sum(o.weight for o in combined)):
        attempt = first | dict(zip(open_cells, reading, strict=True))
        if line_holds(_amounts(attempt)):
            return attempt
    return first


def choose_amounts(options: Options, totals: TableTotals) -> dict[str, Option]:
    """Of the money fields' options the combination with the best scores and agreement."""
    fields = [name for name in _WIDTHS if options.get(name)]
    if not fields:
        return {}
    if all(options[name][0].exact for name in fields):
        return {name: options[name][0] for name in fields}
    first = {name: options[name][0] for name in fields}
    if (
        all(o.score > _LEFT_OUT for o in first.values())
        and _sum_agreement(_amounts(first)) == _SUM_HOLDS
    ):
        return first  # the best of each already add up: weaker agreements cannot change that
    lists = _widths_within_budget({name: _with_absence(name, options[name]) for name in fields})
    best: tuple[float, tuple[Option | None, ...]] = (float("-inf"), ())
    for combination in product(*(lists[name] for name in fields)):
        score = sum(_LEFT_OUT if option is None else option.score for option in combination)
        chosen = {n: o for n, o in zip(fields, combination, strict=True) if o is not None}
        score += agreement(_amounts(chosen), totals)
        if score > best[0] + 1e-9:
            best = (score, combination)
    return {n: o for n, o in zip(fields, best[1], strict=True) if o is not None}


def _with_absence(name: str, options: Sequence[Option]) -> list[Option | None]:
    kept: list[Option | None] = list(options[: _WIDTHS[name]])
    return kept if name == "total" else [*kept, None]


def _widths_within_budget(
    lists: Mapping[str, list[Option | None]],
) -> dict[str, list[Option | None]]:
    """Drop the weakest option of the longest list until all combinations fit the budget."""
    kept = {name: list(found) for name, found in lists.items()}
    while _combinations(kept) > _MAX_COMBINATIONS:
        longest = max(kept, key=lambda name: (len(kept[name]), name != "total"))
        options = [option for option in kept[longest] if option is not None]
        if len(options) == 1:  # the field itself or its absence: keep the field
            kept[longest] = list(options)
            continue
        weakest = min(options, key=lambda option: option.score)
        kept[longest].remove(weakest)
    return kept


def _combinations(lists: Mapping[str, Sequence[object]]) -> int:
    count = 1
    for found in lists.values():
        count *= len(found)
    return count


def _amounts(chosen: Chosen) -> dict[str, Decimal]:
    return {n: o.value for n, o in chosen.items() if isinstance(o.value, Decimal)}


def agreement(values: Values, totals: TableTotals) -> float:
    """How well amounts fit each other, in units of candidate score; 0 where nothing can be
    compared.
    """
    return (
        _sum_agreement(values)
        + _lines_agreement(values, totals)
        + _tax_agreement(values, totals)
        + _payment_agreement(values, totals)
    )


def _sum_agreement(values: Values) -> float:
    total, subtotal = values.get("total"), values.get("subtotal")
    if total is None or subtotal is None:
        return 0.0
    found = total_from_subtotal(values)
    if found is None:
        added = sum((ADDENDS[n] * values[n] for n in ADDENDS if n in values), Decimal(0))
        if is_cash_rounded(total, subtotal + added) or is_cash_rounded(total, subtotal):
            return _CASH_ROUNDED
        return _SUM_FAILS
    if found.terms:
        return _SUM_HOLDS if found.error == 0 else _SUM_HOLDS * 0.8
    unused = any(values.get(name) for name in ADDENDS if name not in ("tax_total", "tip"))
    return _EQUAL / 2 if unused else _EQUAL


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
    if tax is not None and total is not None and total > 0 and not -total / 2 <= tax <= total / 2:
        score += _ABSURD
    if totals.tax_amounts is None:
        return score
    if tax is not None and abs(totals.tax_amounts - tax) <= unit((tax,)):
        score += _TAX_LINES_HOLD
    if totals.tax_bases is not None:
        if total is not None and abs(totals.tax_bases + totals.tax_amounts - total) <= unit(
            (total,)
        ):
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
    if totals.payments is not None:
        change = values.get("change", Decimal(0))
        handed = totals.payments - change
        tip = values.get("tip", Decimal(0))
        if abs(handed - total) <= unit((total,)):
            score += _CHANGE_HOLDS if change else _EQUAL
        elif tip and abs(handed - total - tip) <= unit((total,)):
            score += _EQUAL
        elif is_cash_rounded(handed, total):
            score += _EQUAL / 2
    return score
