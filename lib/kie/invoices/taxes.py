"""Tax lines: rate, base and amount, found by their words and by base x rate = amount."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import takewhile

from lib.domain.extraction import Candidate
from lib.kie.invoices.reading import Reading
from lib.kie.invoices.sum_strips import in_strip
from lib.kie.layout import Row, Span
from lib.kie.mentions import AmountMention

_LARGEST_RATE = Decimal(35)  # no country's general consumption tax is higher
_MOST_AMOUNTS = 8  # in a line of taxes
_ROUNDING = Decimal("0.03")
_BASE_REACH = 2  # rows between a tax and the base that it was computed on
_BARE_RATE = re.compile(r"(?<![\w.,])\d{1,2}(?:[.,]\d{1,2})?(?![\w.,%]|\s*%)")
_TAX_CUES = frozenset({"tax", "tax_summary", "tax_exempt"})
_TAX_FIELDS = frozenset({"tax_total"})


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One rate's line; `base` and `rate` may not be printed."""

    rate: Span | None
    rate_value: Decimal | None
    base: AmountMention | None
    amount: AmountMention


def find_tax_lines(reading: Reading) -> list[TaxLine]:
    """The tax lines outside the table of items, each rate and amount once.

    The halves of one tax are two: "CGST 9 %" and "SGST 9 %" below each other.
    """
    unique: dict[tuple[Decimal | None, Decimal], TaxLine] = {}
    halves: list[TaxLine] = []
    for row in reading.layout.rows:
        if row.index in reading.table_rows:
            continue
        line = _whole_line(reading, row) or _labelled_line(reading, row)
        if line:
            first = unique.setdefault((line.rate_value, line.amount.value), line)
            if first is not line and _is_other_half(reading, first, line):
                halves.append(line)
    for line in _in_strips(reading):
        unique.setdefault((line.rate_value, line.amount.value), line)
    found = [
        line if line.base else _with_base(reading, line) for line in (*unique.values(), *halves)
    ]
    complete = {line.rate_value for line in found if line.base}
    return [line for line in found if line.base or line.rate_value not in complete]


def _is_other_half(reading: Reading, first: TaxLine, second: TaxLine) -> bool:
    """Whether a tax of the same rate and amount is another one, named otherwise right below."""
    names = [
        {
            label.span.text.casefold()
            for cell in reading.layout.rows[line.amount.cell.row].cells
            for label in reading.labels.in_cell(cell)
            if label.field in _TAX_FIELDS
        }
        for line in (first, second)
    ]
    below = second.amount.cell.row == first.amount.cell.row + 1
    return below and all(names) and names[0].isdisjoint(names[1])


def _in_strips(reading: Reading) -> Iterator[TaxLine]:
    """Taxes that stand in boxes under their rates: "VAT 20 %", "A = VAT 20 % on 205.50"."""
    for label in reading.labels.of(*_TAX_FIELDS):
        if not label.clear or not reading.outside_table(label.cell):
            continue
        named = reading.mentions.amounts(label.cell)
        rate = next((a for a in named if a.match.percent and 0 <= a.value <= _LARGEST_RATE), None)
        tax = in_strip(reading, label) if rate else None
        if rate and tax:
            bases = (a for a in named if a.is_exact and not a.match.percent)
            base = next((a for a in bases if _is_share(a, rate.value, tax)), None)
            yield TaxLine(rate.span, rate.value, base, tax)


def _with_base(reading: Reading, line: TaxLine) -> TaxLine:
    """The line with its base where that is labelled in a row close by: "Net 22 %  851.00"."""
    rows = reading.layout.rows
    here = line.amount.cell.row
    for row in rows[max(0, here - _BASE_REACH) : here + _BASE_REACH + 1]:
        for cell in row.cells:
            named = any(label.field == "subtotal" for label in reading.labels.opening(cell))
            right = row.cells_right_of(cell)[:1] if named and row.index != here else ()
            for base in (a for c in (cell, *right) for a in reading.mentions.amounts(c)):
                if (
                    base.is_exact
                    and line.rate_value
                    and _is_share(base, line.rate_value, line.amount)
                ):
                    return replace(line, base=base)
    return line


def _is_share(base: AmountMention, rate: Decimal, tax: AmountMention) -> bool:
    return abs(base.value * rate / 100 - tax.value) <= _ROUNDING


def tax_rows(reading: Reading, lines: list[TaxLine]) -> tuple[dict[str, Candidate], ...]:
    """Tax lines as table rows."""
    rows = []
    for line in lines:
        row = {"amount": reading.mentions.candidate([line.amount.span], 0.85)}
        if line.rate:
            row["rate"] = reading.mentions.candidate([line.rate], 0.85)
        if line.base:
            row["base"] = reading.mentions.candidate([line.base.span], 0.85)
        rows.append(row)
    return tuple(rows)


def _whole_line(reading: Reading, row: Row) -> TaxLine | None:
    """A row with a rate and two amounts of which one is the other's tax."""
    amounts = [
        a
        for cell in row.cells
        for a in reading.mentions.amounts(cell)
        if a.is_exact and not a.match.percent
    ]
    if not 2 <= len(amounts) <= _MOST_AMOUNTS:
        return None
    told = any(reading.labels.cues(cell) & _TAX_CUES for cell in row.cells)
    for rate, value in _rates(reading, row):
        for base in amounts:
            for tax in amounts:
                if tax is base or (value and abs(tax.value) >= abs(base.value)):
                    continue
                if _is_share(base, value, tax) and (value or (told and not tax.value)):
                    return TaxLine(rate, value, base, tax)
    return None


def _rates(reading: Reading, row: Row) -> Iterator[tuple[Span, Decimal]]:
    percents = [a for cell in row.cells for a in reading.mentions.amounts(cell) if a.match.percent]
    for mention in percents:
        if 0 <= mention.value <= _LARGEST_RATE:
            yield mention.span, mention.value
    if percents:
        return
    for cell in row.cells:
        for match in _BARE_RATE.finditer(cell.text):
            value = Decimal(match[0].replace(",", "."))
            if value <= _LARGEST_RATE:
                yield Span(cell, match.start(), match.end()), value


def _labelled_line(reading: Reading, row: Row) -> TaxLine | None:
    """A row such as "VAT 20 %  12.40": a word for tax, a rate, an amount."""
    for cell in row.cells:
        labels = [x for x in reading.labels.in_cell(cell) if x.field in _TAX_FIELDS]
        if not labels or not labels[0].clear:
            continue
        cells = [
            cell,
            *takewhile(lambda c: not reading.labels.opening(c), row.cells_right_of(cell)),
        ]
        amounts = [a for c in cells for a in reading.mentions.amounts(c)]
        rates = [a for a in amounts if a.match.percent and 0 <= a.value <= _LARGEST_RATE]
        money = [a for a in amounts if a.is_money]
        if rates and money and abs(money[-1].value) > 0:
            return TaxLine(rates[0].span, rates[0].value, None, money[-1])
    return None
