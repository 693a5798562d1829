"""The sums of an invoice: labelled amounts outside the table, with arithmetic as evidence."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from lib.domain.extraction import Candidate
from lib.kie.invoices.labels import FieldLabel
from lib.kie.invoices.reading import Found, Reading
from lib.kie.invoices.sum_strips import in_strip, money
from lib.kie.invoices.taxes import TaxLine
from lib.kie.layout import Span
from lib.kie.mentions import AmountMention

SUM_FIELDS = (
    "subtotal", "discount_total", "shipping", "tax_total", "total", "amount_paid", "amount_due",
)  # fmt: skip

_EXTRAS = frozenset({"shipping", "discount_total"})

_RIGHT, _BELOW = 0.9, 0.75
_SHARED = 0.06  # a label that several sums have says less about each
_LOWER = 0.04  # of two equal labels the later one is the sum
_AGREES = 0.08  # net + tax = gross
_OTHER_TEXT = 12  # letters of a cell that is no amount
_LEADING_WORDS = 6  # letters before a tax: "of which", "A ="
_APART = 20  # letters between a label and its amount in one line
_LEDGER_ROWS = 3  # of amounts below the first that make a column
_NOT_PRINTED_DUE = 0.45  # nothing says that a part was paid: the total is due
_OTHERS = 0.15
_IS_NET = 0.3  # the net amount of such a triple is not the total
_DUE_AS_TOTAL = 0.2
_MOST_OF_FIELD = 60  # labels of one sum that are looked at
_MOST_COMPARED = 20  # of each sum that arithmetic is tried on
_CENT = Decimal("0.015")
_TOO_LATE = 0.4  # "Amount due after 18 June": what it costs to pay late
_LATE = re.compile(
    r"\W*(?:after|nach dem|après le|después del?|dopo il|após|efter|selepas|setelah|после)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Sum:
    field: str
    amount: AmountMention
    score: float
    label: FieldLabel


def find_sums(reading: Reading, tax_lines: Sequence[TaxLine]) -> Found:
    """Candidates for each of SUM_FIELDS; `tax_lines` tell one rate's tax from the sum of all."""
    sums = [
        found
        for name in SUM_FIELDS
        for found in heapq.nlargest(
            _MOST_OF_FIELD, _of_field(reading, name), key=lambda found: found.score
        )
    ]
    sums = _agreeing([*_exclusive(sums), *_due_as_total(sums)])
    totals = frozenset(item.amount.value for item in sums if item.field == "total")
    sums = [item for item in sums if not _is_part(item, tax_lines, totals)]
    found: Found = {}
    for name in SUM_FIELDS:
        best: dict[Decimal, Candidate] = {}
        for item in sorted((s for s in sums if s.field == name), key=lambda s: -s.score):
            best.setdefault(
                item.amount.value,
                reading.mentions.candidate([item.amount.span], item.score, item.label.span.text),
            )
        found[name] = list(best.values())
    if not found["amount_due"] and not found["amount_paid"] and found["total"]:
        top = found["total"][0]
        found["amount_due"] = [replace(top, score=min(top.score, _NOT_PRINTED_DUE))]
    return found


def _of_field(reading: Reading, field: str) -> Iterator[_Sum]:
    rows = max(1, len(reading.layout.rows))
    for label in reading.labels.of(field):
        if not reading.outside_table(label.cell) or label.strength < 0.3:
            continue
        if field in _EXTRAS and _is_carried(reading, label):
            continue
        names = {
            other.field
            for other in reading.labels.in_cell(label.cell)
            if other.span == label.span and other.field in SUM_FIELDS
        }
        doubt = _SHARED * (len(names) - 1) - _LOWER * label.cell.row / rows
        doubt += _TOO_LATE * bool(_LATE.match(label.cell.text, label.span.end))
        right = amounts_right_of(reading, label)
        if right:
            exact = [amount for amount in right if amount.is_exact]  # not the rate behind it
            amount = _last_of(field, exact or right)
            yield _Sum(field, amount, label.strength * _RIGHT - doubt, label)
        elif label.alone or _only_rate_behind(label):
            below = in_strip(reading, label) or (_below(reading, label) if label.alone else None)
            if below and not _heads_a_column(reading, below):
                yield _Sum(field, below, label.strength * _BELOW - doubt, label)


def _last_of(field: str, amounts: Sequence[AmountMention]) -> AmountMention:
    """The amount at the end of a row; of a ledger's total the debit, not the balance of nothing.

    "Total  84.00  84.00  0.00" are debit, credit and what is left.
    """
    *before, last = amounts
    settled = len(before) > 1 and before[-1].value == before[-2].value
    return before[-1] if field == "total" and settled and not last.value else last


def _is_carried(reading: Reading, label: FieldLabel) -> bool:
    """Whether a row is printed again on the page before or after it: a sum that is carried over.

    "Transport" is freight, and what stands at a page's end.
    """
    own = reading.layout.row_of(label.cell)
    text = " ".join(cell.text for cell in own.cells)
    near = {own.page_number - 1, own.page_number + 1}
    return any(
        row.page_number in near and text == " ".join(cell.text for cell in row.cells)
        for row in reading.layout.rows
    )


def amounts_right_of(reading: Reading, label: FieldLabel) -> list[AmountMention]:
    """Money behind the label in its cell and row, up to the next label of a sum."""
    inside = [
        a
        for a in money(reading, label.cell)
        if _is_behind(a, label)
        and sum(map(str.isalpha, label.cell.text[label.span.end : a.span.start])) <= _APART
    ]
    found = _until_next_label(reading, label, inside)
    if len(found) < len(inside):
        return found
    for cell in reading.layout.row_of(label.cell).cells_right_of(label.cell):
        if any(o.leads and o.field in SUM_FIELDS for o in reading.labels.in_cell(cell)):
            break
        if sum(map(str.isalpha, cell.text)) > _OTHER_TEXT:
            break
        found.extend(money(reading, cell))
    return found


def _is_behind(amount: AmountMention, label: FieldLabel) -> bool:
    """Whether an amount's digits follow a label; its currency may be the label's last word, as in
    "Total EUR 9.00".
    """
    shared = label.cell.text[amount.span.start : label.span.end]
    starts_within = amount.span.start > label.span.start and amount.span.end > label.span.end
    return amount.span.start >= label.span.end or (
        starts_within and not any(map(str.isdigit, shared))
    )


def _until_next_label(
    reading: Reading, label: FieldLabel, amounts: Sequence[AmountMention]
) -> list[AmountMention]:
    starts = [
        other.span.start
        for other in reading.labels.in_cell(label.cell)
        if other.field in SUM_FIELDS and other.span.start >= label.span.end
    ]
    end = min(starts, default=len(label.cell.text))
    return [amount for amount in amounts if amount.span.start < end]


def _below(reading: Reading, label: FieldLabel) -> AmountMention | None:
    box = label.span.box
    height = reading.layout.page_of(label.cell).letter_height
    for cell in reading.layout.below(box, label.cell.row, reach=2):
        if cell.box.y0 - box.y1 > 3 * height or not reading.outside_table(cell):
            return None
        under = [a for a in money(reading, cell) if a.box.overlap_x(box) > 0]
        return under[0] if under else None
    return None


def _heads_a_column(reading: Reading, amount: AmountMention) -> bool:
    """Whether amounts go on in the rows below one: "Balance" over a ledger is no sum."""
    rows = reading.layout.rows[amount.cell.row + 1 : amount.cell.row + 1 + _LEDGER_ROWS]
    return len(rows) == _LEDGER_ROWS and all(
        any(a.box.overlap_x(amount.box) > 0 for cell in row.cells for a in money(reading, cell))
        for row in rows
    )


def _only_rate_behind(label: FieldLabel) -> bool:
    """Whether what follows the label in its cell is a rate: "VAT 20 %", "w tym VAT 23%"."""
    before, behind = label.cell.text[: label.span.start], label.cell.text[label.span.end :]
    return (
        "%" in behind
        and sum(map(str.isalnum, before)) <= _LEADING_WORDS
        and sum(map(str.isalpha, behind)) <= _OTHER_TEXT
    )


def _exclusive(sums: Sequence[_Sum]) -> list[_Sum]:
    """A label of two sums (total and due) is the other one's where this one has its own label."""
    kept = []
    for item in sums:
        twins = {s.field for s in sums if s.label.span == item.label.span and s is not item}
        own = [
            s
            for s in sums
            if s.field == item.field and s.label.span != item.label.span and s.score >= 0.6
        ]
        rivals_have_own = any(
            s.field in twins and s.label.span != item.label.span and s.score >= 0.6 for s in sums
        )
        if twins and own and not rivals_have_own:
            kept.append(replace(item, score=item.score - _OTHERS))
        else:
            kept.append(item)
    return kept


def _agreeing(sums: Sequence[_Sum]) -> list[_Sum]:
    """Raise the sums of a triple subtotal + tax = total."""
    by_field = {
        name: heapq.nlargest(
            _MOST_COMPARED, (s for s in sums if s.field == name), key=lambda s: s.score
        )
        for name in ("subtotal", "tax_total", "total")
    }
    raised: set[int] = set()
    nets: set[int] = set()
    for net in by_field["subtotal"]:
        for tax in by_field["tax_total"]:
            for gross in by_field["total"]:
                distinct = len({net.amount, tax.amount, gross.amount}) == 3
                off = net.amount.value + tax.amount.value - gross.amount.value
                untaxed = not tax.amount.value and gross.label.span != net.label.span
                if distinct and (tax.amount.value or untaxed) and abs(off) <= _CENT:
                    raised |= {id(net), id(tax), id(gross)}
                    nets.add(id(net.amount))
    judged = []
    for item in sums:
        change = _AGREES if id(item) in raised else 0.0
        if item.field == "total" and id(item.amount) in nets:
            change -= _IS_NET
        judged.append(replace(item, score=item.score + change))
    return judged


def _due_as_total(sums: Sequence[_Sum]) -> list[_Sum]:
    """Where nothing was paid before, what is due is the total; some name only that."""
    if any(item.field == "amount_paid" and item.amount.value for item in sums):
        return []
    return [
        replace(item, field="total", score=item.score - _DUE_AS_TOTAL)
        for item in sums
        if item.field == "amount_due"
    ]


def _is_part(item: _Sum, tax_lines: Sequence[TaxLine], totals: frozenset[Decimal]) -> bool:
    """Whether a tax is only one of several rates' and a net amount only one rate's base.

    `totals`: what the total may be.
    """
    if len(tax_lines) < 2:
        return False
    spans: list[Span] = []
    if item.field == "tax_total":
        spans = [line.amount.span for line in tax_lines if not _is_all(line, totals)]
    elif item.field == "subtotal":
        spans = [line.base.span for line in tax_lines if line.base]
        if len(set(spans)) == 1 and len(spans) == len(tax_lines):
            return False  # several taxes on all there is
    return any(span == item.amount.span for span in spans)


def _is_all(line: TaxLine, totals: frozenset[Decimal]) -> bool:
    """Whether one tax was taken from all there is, other duties among it."""
    return line.base is not None and line.base.value + line.amount.value in totals
