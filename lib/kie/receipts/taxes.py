"""Taxes by rate: rows that name a rate with its amount, and the small table at a receipt's foot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations

from lib.domain.extraction import Candidate
from lib.kie.layout import Row, Span
from lib.kie.lexicon import LabelMatch
from lib.kie.mentions import AmountMention, Mentions
from lib.kie.receipts.amounts import LabelledAmount, Role
from lib.kie.receipts.ladder import Ladder, ladders_to

_BASE_NAMES = frozenset({"subtotal", "base"})
_TAX_NAMES = frozenset({"tax_total", "tax", "tax_amount"})
_GROSS_NAMES = frozenset({"total", "gross_amount"})
_TABLE_ROWS = 6
_SUM_ROW = 3  # amounts: net, tax, gross
_HIGHEST_RATE = 35  # no country's general consumption tax is higher
_FIT = Decimal(
    "0.015"
)  # base times rate is rounded to the cent, and so is what it is compared with


@dataclass(frozen=True, eq=False)
class TaxLine:
    """A rate with the amounts of its row. `row` is the layout's; a line may lack base or rate.

    `in_sum`: the sum that leads to the total holds this tax beside others.
    """

    row: Row
    rate: Span | None
    base: AmountMention | None
    tax: AmountMention
    in_sum: bool = False


def other_than_taxes(mentions: Mentions, lines: Sequence[TaxLine]) -> frozenset[Span]:
    """The amounts in rows of tax tables that are not the tax: rates, bases, gross amounts."""
    return frozenset(
        amount.span
        for line in lines
        if line.base is not None
        for amount in mentions.row_amounts(line.row)
        if amount is not line.tax
    )


def find_tax_lines(
    mentions: Mentions, amounts: Sequence[LabelledAmount], items: frozenset[int]
) -> tuple[TaxLine, ...]:
    """Tax lines in printed order, each pair of rate and tax once, but for the halves of one tax
    ("CGST 9%" over "SGST 9%").

    Of two amounts beside a rate the one that is the rate's share of the other is the tax.
    """
    lines = [*_beside_rates(mentions, amounts, items), *_from_tables(mentions, items)]
    seen: dict[tuple[str, Decimal], TaxLine] = {}
    rows: set[int] = set()
    unique: list[TaxLine] = []
    for line in sorted(lines, key=lambda line: line.row.index):
        key = (line.rate.text if line.rate else "", line.tax.value)
        first = seen.setdefault(key, line)
        if first is not line and not _is_other_half(mentions, first, line):
            continue
        if line.row.index not in rows:
            rows.add(line.row.index)
            unique.append(line)
    return tuple(unique)


def with_taxes_of_sum(
    lines: Sequence[TaxLine],
    ladders: Sequence[Ladder],
    mentions: Mentions,
    total: Candidate,
) -> tuple[TaxLine, ...]:
    """The lines, and the taxes without a rate where two or more lead from a sum to the total.

    "State tax 2.63" over "Local tax 0.32": the whole tax is their sum, which stands nowhere.
    """
    value = next(
        (up.last.mention.value for up in ladders if up.last.mention.span.words == total.words), None
    )
    chain = ladders_to(ladders, value) if value is not None else ()
    rows = {line.row.index for line in lines}
    named = [
        step
        for ladder in chain
        for _, step in ladder.steps
        if step.head is Role.TAX and step.mention.value > 0 and not ladder.labels_are_low
    ]
    if len(named) < 2 or len({step.row.index for step in named}) < len(named):
        return tuple(lines)
    new = [TaxLine(s.row, None, None, s.mention, True) for s in named if s.row.index not in rows]
    return tuple(sorted((*lines, *new), key=lambda line: line.row.index))


def _is_other_half(mentions: Mentions, first: TaxLine, second: TaxLine) -> bool:
    """Whether a tax of the same rate and amount is another one, named otherwise right below."""
    names = [
        {
            label.span.text.casefold()
            for label in mentions.row_labels(line.row)
            if "tax_total" in label.match.fields
        }
        for line in (first, second)
    ]
    below = second.row.index == first.row.index + 1
    return below and all(names) and names[0].isdisjoint(names[1])


def tax_rows(mentions: Mentions, lines: Sequence[TaxLine]) -> tuple[Mapping[str, Candidate], ...]:
    """The lines with a rate, and the taxes of the sum without one, as rows of `tax_lines`."""
    rows: list[Mapping[str, Candidate]] = []
    for line in lines:
        if line.rate is None and not line.in_sum:
            continue
        row = {"amount": mentions.candidate([line.tax.span], 0.7)}
        if line.rate is not None:
            row["rate"] = mentions.candidate([line.rate], 0.7)
        if line.base is not None:
            row["base"] = mentions.candidate([line.base.span], 0.7)
        rows.append(row)
    return tuple(rows)


def sole_tax(mentions: Mentions, lines: Sequence[TaxLine]) -> tuple[Candidate, ...]:
    """The tax of the only line that is not 0, or of the last where it is the sum of the others."""
    taxes = [line.tax for line in lines if line.tax.value]
    if any(line.in_sum for line in lines):
        return ()
    if not taxes or (len(taxes) > 1 and sum(t.value for t in taxes[:-1]) != taxes[-1].value):
        return ()
    return (mentions.candidate([taxes[-1].span], 0.5),)


def parts_in_row(
    mentions: Mentions, total: Candidate, items: frozenset[int]
) -> tuple[AmountMention, AmountMention] | None:
    """Base and tax where a row prints both beside the total that they add up to.

    The last row of a table of taxes, mostly without a word: "84.54  14.79  99.33".
    """
    value = next((a.value for a in mentions.all_amounts if a.span.words == total.words), None)
    rows = () if value is None else mentions.layout.rows
    for row in rows:
        money = [a for a in mentions.row_amounts(row) if a.is_exact and not a.match.percent]
        if row.index in items or len(money) != _SUM_ROW:
            continue
        for base, tax, gross in permutations(money):
            small = 0 < tax.value < base.value * _HIGHEST_RATE / 100
            if small and gross.value == value == base.value + tax.value:
                return base, tax
    return None


def _beside_rates(
    mentions: Mentions, amounts: Sequence[LabelledAmount], items: frozenset[int]
) -> list[TaxLine]:
    """Rows that name tax, one rate, and one to three amounts: "VAT 20% 10.00 2.00".

    A row need not name tax when its three amounts are base, tax and their sum, or when it follows
    such a row and its tax is the rate's share of its base.
    """
    lines: list[TaxLine] = []
    roles: dict[int, set[Role]] = {}
    for amount in amounts:
        roles.setdefault(amount.row.index, set()).update(amount.roles)
    for row in mentions.layout.rows:
        if row.index in items:
            continue
        mentioned = mentions.row_amounts(row)
        rates = [a for a in mentioned if a.match.percent and 0 <= a.value < 100]
        money = [a for a in mentioned if a.is_exact and not a.match.percent]
        if len({rate.value for rate in rates}) != 1 or not 1 <= len(money) <= 3:
            continue
        base, tax = _base_and_tax(rates[0], money)
        goes_on = (
            bool(lines) and lines[-1].row.index == row.index - 1 and lines[-1].base is not None
        )
        if goes_on and base is not None and tax.value > 0 and _is_share(rates[0], base, tax):
            lines.append(TaxLine(row, rates[0].span, base, tax))
            continue
        named = _names_tax(roles.get(row.index, set())) or (
            base is not None
            and tax.value > 0
            and _is_share(rates[0], base, tax)
            and _is_under_heading(mentions, row)
        )
        if not named and not _proves_itself(rates[0], base, tax, money):
            continue
        lines.append(TaxLine(row, rates[0].span, base, tax))
    return lines


def _is_under_heading(mentions: Mentions, row: Row) -> bool:
    """Whether the row above heads a small table of taxes: it names the tax and no amount."""
    above = mentions.layout.rows[row.index - 1] if row.index else None
    if above is None or any(a.is_money for a in mentions.row_amounts(above)):
        return False
    return any(_column_kind(label.match) == "tax" for label in mentions.row_labels(above))


def _names_tax(roles: Set[Role]) -> bool:
    return bool(roles & {Role.TAX, Role.SUMMARY}) and Role.COUNT not in roles


def _proves_itself(
    rate: AmountMention,
    base: AmountMention | None,
    tax: AmountMention,
    money: Sequence[AmountMention],
) -> bool:
    """Whether base, tax and their sum stand in the row and fit the rate."""
    if base is None or len(money) != 3 or not tax.value:
        return False
    gross = next(a for a in money if a is not base and a is not tax)
    return base.value + tax.value == gross.value and _is_share(rate, base, tax)


def _is_share(rate: AmountMention, base: AmountMention, tax: AmountMention) -> bool:
    """Whether the tax is the rate's share of the base."""
    return abs(base.value * rate.value / 100 - tax.value) <= _FIT


def _base_and_tax(
    rate: AmountMention, money: Sequence[AmountMention]
) -> tuple[AmountMention | None, AmountMention]:
    """The pair of amounts whose quotient fits the rate best, or the only amount as the tax."""
    if len(money) == 1:
        return None, money[0]
    share = rate.value / 100
    pairs = [
        (abs(base.value * share - tax.value), base, tax)
        for base in money
        for tax in money
        if base is not tax
    ]
    _, base, tax = min(pairs, key=lambda pair: pair[0])
    return base, tax


def _from_tables(mentions: Mentions, items: frozenset[int]) -> list[TaxLine]:
    """Rows under a heading that names tax and net (or gross): each amount belongs to a heading."""
    lines: list[TaxLine] = []
    rows = mentions.layout.rows
    for heading in rows:
        columns = _columns(mentions, heading)
        if heading.index in items or "tax" not in columns or len(columns) < 2:
            continue
        for row in rows[heading.index + 1 : heading.index + 1 + _TABLE_ROWS]:
            line = _table_line(mentions, row, columns)
            if line is None or row.page_number != heading.page_number:
                break
            lines.append(line)
    return lines


def _columns(mentions: Mentions, row: Row) -> dict[str, float]:
    """Where a heading row's columns `base`, `tax` and `gross` have their middles."""
    if any(a.is_money for a in mentions.row_amounts(row)):
        return {}
    columns: dict[str, float] = {}
    for label in mentions.row_labels(row):
        if kind := _column_kind(label.match):
            # The rightmost tax is the amount: "VAT  net  tax" heads rates with its first word.
            columns[kind] = label.span.box.center_x
    return columns


def _column_kind(match: LabelMatch) -> str | None:
    names = match.fields | match.cues | match.columns
    if names & _TAX_NAMES:
        return "tax"
    if names & _BASE_NAMES:
        return "base"
    return "gross" if names & (_GROSS_NAMES | {"amount"}) else None


def _whole_table_line(row: Row, money: Sequence[AmountMention]) -> TaxLine | None:
    """A row of rate, base, tax and perhaps their sum in any order, where the rate has no sign."""
    if len(money) not in (3, 4):
        return None
    for rate, base, tax, *gross in permutations(money):
        adds_up = all(base.value + tax.value == amount.value for amount in gross)
        whole = rate.value == round(rate.value * 2) / 2 and 0 < rate.value < _HIGHEST_RATE
        if adds_up and whole and 0 < tax.value < base.value and _is_share(rate, base, tax):
            return TaxLine(row, rate.span, base, tax)
    return None


def _table_line(mentions: Mentions, row: Row, columns: Mapping[str, float]) -> TaxLine | None:
    """The row's amounts by the nearest heading; None where the tax is missing or is no share."""
    mentioned = mentions.row_amounts(row)
    money = [a for a in mentioned if a.is_exact and not a.match.percent]
    if len(money) < 2:
        return None
    if whole := _whole_table_line(row, money):
        return whole
    rates = [a for a in mentioned if a.match.percent and 0 <= a.value < 100]
    if len(rates) == 1 and len(money) == 2:
        of, its_share = _base_and_tax(rates[0], money)
        if of is not None and its_share.value > 0 and _is_share(rates[0], of, its_share):
            return TaxLine(row, rates[0].span, of, its_share)
    cells: dict[str, AmountMention] = {}
    for amount in money:
        kind = min(columns, key=lambda name: abs(columns[name] - amount.box.center_x))
        cells.setdefault(kind, amount)
    tax, base = cells.get("tax"), cells.get("base") or cells.get("gross")
    if tax is None or base is None or not 0 <= tax.value < base.value:
        return None
    rate = rates[0].span if len(rates) == 1 else None
    is_base = rate is None or abs(base.value * rates[0].value / 100 - tax.value) <= _FIT
    return TaxLine(row, rate, base if is_base else None, tax)
