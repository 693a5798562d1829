"""Which option of each field is meant: scores, and the sums that options satisfy together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import product

from lib.domain.extraction import Source
from lib.domain.geometry import Polygon
from lib.domain.task import FieldSpec, FieldType, Task
from lib.post.agreement import SUM_HOLDS, agreement, same_place, sum_agreement
from lib.post.arithmetic import ADDENDS, TableTotals, line_holds, unit
from lib.post.dates import choose_dates
from lib.post.options import Chosen, Option, Options, RowOptions

# The fields whose options are weighed against each other, with how many options each brings.
_WIDTHS: Mapping[str, int] = {
    "total": 5, "subtotal": 4, "tax_total": 4, "amount_due": 3, "discount_total": 2, "shipping": 2,
    "service_charge": 2, "tip": 2, "rounding": 2, "amount_paid": 2, "change": 2,
}  # fmt: skip
_MAX_COMBINATIONS = 200
_MAX_ROW_READINGS = 32

# The score of leaving a field out: a candidate with a lower one is only taken when a sum needs it.
# The total is never left out while it has a candidate.
_LEFT_OUT = 0.2
_LEAST_SCORE = 0.01  # of a candidate, however bad: a sum of printed numbers may still save it

# What a checksum is worth, in units of candidate score.
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
    """The best score; a checksum that holds adds to it, one that fails takes from it."""
    verdicts = {True: _CHECKSUM_HOLDS, False: _CHECKSUM_FAILS, None: 0.0}
    return max(options, key=lambda option: option.score + verdicts[option.valid])


def choose_row(columns: Sequence[FieldSpec], row: RowOptions) -> dict[str, Option]:
    """The readings of a row's cells by which quantity x price = amount, else the first of each."""
    names = [spec.name for spec in columns if row.get(spec.name)]
    first = {name: row[name][0] for name in names}
    figures = [n for n in ("quantity", "unit_price", "discount", "amount") if n in first]
    open_cells = [name for name in figures if len(row[name]) > 1]
    if not open_cells or line_holds(_amounts(first)):
        return _with_discount_as_amount(first)
    readings = list(product(*(row[name] for name in open_cells)))[:_MAX_ROW_READINGS]
    for reading in sorted(readings, key=lambda combined: -sum(o.weight for o in combined)):
        attempt = first | dict(zip(open_cells, reading, strict=True))
        if line_holds(_amounts(attempt)):
            return _with_discount_as_amount(attempt)
    return first


def _with_discount_as_amount(row: dict[str, Option]) -> dict[str, Option]:
    """The row with a discount in per cent as the amount that it takes off.

    It is one where the printed amount is quantity x price less so many per cent, and not less so
    much. A number that is printed with a percent sign but fits nothing is no amount: left out.
    """
    figures = _amounts(row)
    discount = row.get("discount")
    if discount is None or not figures.get("discount"):
        return row
    figures["discount"] = abs(figures["discount"])
    rest = {name: option for name, option in row.items() if name != "discount"}
    if figures.keys() >= {"quantity", "unit_price", "amount"}:
        full = figures["quantity"] * figures["unit_price"]
        off = abs(full) - abs(figures["amount"])
        close = unit((figures["amount"],))
        if abs(off - figures["discount"]) <= close:
            return row
        if off > 0 and abs(off - abs(full) * figures["discount"] / 100) <= close:
            places = figures["amount"].as_tuple().exponent
            value = off.quantize(Decimal(1).scaleb(int(places)), ROUND_HALF_UP)
            candidate = replace(discount.candidate, source=Source.DERIVED)
            return {**rest, "discount": replace(discount, value=value, candidate=candidate)}
    return rest if "%" in discount.candidate.raw else row


def choose_amounts(options: Options, totals: TableTotals) -> dict[str, Option]:
    """Of the money fields' options the combination with the best scores and agreement."""
    fields = [name for name in _WIDTHS if options.get(name)]
    if not fields:
        return {}
    if all(options[name][0].exact for name in fields):
        return {name: options[name][0] for name in fields}
    first = {name: options[name][0] for name in fields}
    if _adds_up(first):
        return _settled_by_sum(first, options)
    lists = _widths_within_budget({name: _with_absence(name, options[name]) for name in fields})
    best: tuple[float, dict[str, Option]] = (float("-inf"), {})
    for combination in product(*(lists[name] for name in fields)):
        chosen = {n: o for n, o in zip(fields, combination, strict=True) if o is not None}
        score = sum(map(_log_score, combination)) + agreement(_amounts(chosen), totals)
        score += same_place({name: _place(option) for name, option in chosen.items()})
        if score > best[0] + 1e-9:
            best = (score, chosen)
    return _settled_by_sum(best[1], options)


def _settled_by_sum(chosen: dict[str, Option], options: Options) -> dict[str, Option]:
    """Readings that a sum of printed numbers decides for are no longer ambiguous.

    It does when the sum holds, and not when all of them are read the other way (1.034 + 0.200 =
    1.234 holds in thousands as well only if every number may be one).
    """
    parts = {"total", "subtotal", *ADDENDS}
    opposite: dict[str, Option] = {}
    for name, option in chosen.items():
        same = (o for o in options.get(name, ()) if o.candidate is option.candidate)
        other = next((o for o in same if o.value != option.value), None)
        if option.ambiguous and name in parts and other is not None:
            opposite[name] = other
    holds = sum_agreement(_amounts(chosen))
    if not opposite or holds < SUM_HOLDS or sum_agreement(_amounts(chosen | opposite)) >= holds:
        return chosen
    ground = "the sum holds only so"
    return chosen | {
        name: replace(chosen[name], ambiguous=False, evidence=f"{chosen[name].evidence}: {ground}")
        for name in opposite
    }


def _adds_up(first: Chosen) -> bool:
    """Whether the best options of all fields already add up exactly: nothing can be likelier."""
    return (
        all(option.score > _LEFT_OUT for option in first.values())
        and sum_agreement(_amounts(first)) == SUM_HOLDS
        and same_place({name: _place(option) for name, option in first.items()}) == 0
    )


def _log_score(option: Option | None) -> float:
    return math.log(_LEFT_OUT if option is None else max(_LEAST_SCORE, option.score))


def _place(option: Option) -> tuple[int, Polygon] | None:
    """Where the option is printed; one place for two options is one printed number."""
    words = option.candidate.words
    return (option.candidate.page, words[-1].polygon) if words else None


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
        weakest = min(reversed(options), key=lambda option: option.score)  # of equals the last
        kept[longest].remove(weakest)
    return kept


def _combinations(lists: Mapping[str, Sequence[object]]) -> int:
    count = 1
    for found in lists.values():
        count *= len(found)
    return count


def _amounts(chosen: Chosen) -> dict[str, Decimal]:
    return {n: o.value for n, o in chosen.items() if isinstance(o.value, Decimal)}
