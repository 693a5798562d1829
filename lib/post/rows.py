"""Which table rows are rows: where only some add up to what was chosen, the others are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, combinations

from lib.post.arithmetic import line_targets, lines_tolerance, tax_of, unit
from lib.post.options import Chosen, Option
from lib.post.settled import numbers

_MAX_ROWS_TRIED = 6  # of taxes and payments; receipts and invoices have two or three

Rows = tuple[Chosen, ...]
Tables = Mapping[str, Sequence[Chosen]]


def fitting_rows(tables: Tables, chosen: Chosen) -> dict[str, Rows]:
    """The tables without rows that are something else: a total read as a line, a base as a tax.

    Rows are only left out when exactly one way of leaving out gives a chosen amount to the cent;
    otherwise the table stays as it was read. Exact rows (XML) always stay.
    """
    if any(option.exact for rows in tables.values() for row in rows for option in row.values()):
        return {name: tuple(rows) for name, rows in tables.items()}
    values = numbers(chosen)
    found = {name: tuple(rows) for name, rows in tables.items()}
    if "tax_lines" in found:
        kept = _tax_rows(found["tax_lines"], chosen.get("tax_total"))
        found["tax_lines"] = _possible_taxes(kept, values.get("total"))
    if "payments" in found:
        found["payments"] = _payment_rows(found["payments"], values)
    if "line_items" in found:
        found["line_items"] = _line_rows(found["line_items"], chosen)
    return found


def _tax_rows(rows: Rows, total: Option | None) -> Rows:
    tax = total.value if total else None
    if total is None or not isinstance(tax, Decimal) or not tax:
        return rows
    kept = _only_subset(rows, lambda amount: abs(amount - tax) <= unit((tax,)))
    if kept is not rows or _sum([numbers(row).get("amount") for row in rows]) == tax:
        left_out = [row for row in rows if row not in kept]
        return tuple(_with_base(row, left_out) for row in kept)
    bases = [row for row in rows if _is_base_of(numbers(row), tax)]
    if len(bases) != 1:
        return rows
    return ({**bases[0], "base": bases[0]["amount"], "amount": total},)


def _possible_taxes(rows: Rows, total: Decimal | None) -> Rows:
    """The rows without amounts that are more than their rate's share of all that was sold."""
    return tuple(
        row for row in rows if total is None or "base" in row or _can_be_tax(numbers(row), total)
    )


def _can_be_tax(row: Mapping[str, Decimal], total: Decimal) -> bool:
    amount, rate = row.get("amount"), row.get("rate")
    return (
        amount is None or rate is None or abs(amount) <= tax_of(abs(total), rate) + unit((total,))
    )


def _is_base_of(row: Mapping[str, Decimal], tax: Decimal) -> bool:
    """Whether the row's amount is in truth what the document's whole tax was computed on."""
    if "base" in row or not {"rate", "amount"} <= row.keys():
        return False
    return abs(tax_of(row["amount"], row["rate"]) - tax) <= unit((tax,))


def _with_base(row: Chosen, left_out: Sequence[Chosen]) -> Chosen:
    """The row with the base that was read as a tax of its own."""
    figures = numbers(row)
    if "base" in figures or not {"rate", "amount"} <= figures.keys():
        return row
    for other in left_out:
        base = numbers(other).get("amount")
        if base is not None and abs(tax_of(base, figures["rate"]) - figures["amount"]) <= unit(
            (base,)
        ):
            return {**row, "base": other["amount"]}
    return row


def _payment_rows(rows: Rows, values: Mapping[str, Decimal]) -> Rows:
    total = values.get("total")
    if total is None:
        return rows
    handed = total + values.get("change", Decimal(0))
    return _only_subset(rows, lambda amount: abs(amount - handed) <= unit((total,)))


def _only_subset(rows: Rows, fits: Callable[[Decimal], bool]) -> Rows:
    """All rows if their amounts fit, else the one smaller choice of rows that does, else all.

    Of choices with the same amounts (a tax printed under the total and again in the summary) the
    one with most cells is taken.
    """
    amounts = [numbers(row).get("amount") for row in rows]
    if not 1 < len(rows) <= _MAX_ROWS_TRIED or None in amounts or fits(_sum(amounts)):
        return rows
    fitting = [
        subset
        for size in range(1, len(rows))
        for subset in combinations(range(len(rows)), size)
        if fits(_sum([amounts[i] for i in subset]))
    ]
    if len({_figures(amounts[i] for i in subset) for subset in fitting}) != 1:
        return rows
    fullest = max(fitting, key=lambda subset: sum(len(rows[i]) for i in subset))
    return tuple(rows[i] for i in fullest)


def _figures(amounts: Iterable[Decimal | None]) -> tuple[Decimal, ...]:
    return tuple(sorted(amount for amount in amounts if amount))


def _line_rows(rows: Rows, chosen: Chosen) -> Rows:
    """The lines without what is none: the print of a chosen sum, one row, or sums at the foot."""
    values = numbers(chosen)
    amounts = [numbers(row).get("amount", Decimal(0)) for row in rows]
    targets = [target for _, target in line_targets(values) if target]
    total = _sum(amounts)
    if len(rows) < 2 or not targets:
        return rows
    own = tuple(row for row in rows if not _is_print_of(row, chosen))
    if own and own != rows and _fits_any(_sum_of(own), len(own), targets):
        return own
    if _fits_any(total, len(rows), targets):
        return rows
    if len(rows) == 2:  # a price and the sum of all prices
        return rows[:1] if amounts[0] == amounts[1] in targets else rows
    for target in dict.fromkeys(targets):
        without_one = [
            (*rows[:i], *rows[i + 1 :])
            for i, amount in enumerate(amounts)
            if total - amount == target
        ][:2]
        heads = [rows[:end] for end in _ends_at(amounts, target)]
        fitting = [*without_one, *heads]
        if len(fitting) == 1:
            return fitting[0]
    return rows


def _fits_any(total: Decimal, count: int, targets: Sequence[Decimal]) -> bool:
    return any(abs(total - target) <= lines_tolerance(count, (target,)) for target in targets)


def _is_print_of(row: Chosen, chosen: Chosen) -> bool:
    """Whether a line's amount is the very print of a chosen sum, tax or charge."""
    words = row["amount"].candidate.words if "amount" in row else ()
    return bool(words) and any(option.candidate.words == words for option in chosen.values())


def _sum_of(rows: Rows) -> Decimal:
    return _sum([numbers(row).get("amount") for row in rows])


def _ends_at(amounts: Sequence[Decimal], target: Decimal) -> Iterator[int]:
    """How many of the first amounts add up to the target: two or more, all but two or more."""
    for end, head in enumerate(accumulate(amounts), start=1):
        if 2 <= end <= len(amounts) - 2 and head == target:
            yield end


def _sum(amounts: Sequence[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))
