"""The amount to pay: which amount of a receipt is its total, by label, place and arithmetic."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations, product

from lib.domain.extraction import Candidate
from lib.kie.mentions import Mentions
from lib.kie.ranking import ranked, weigh
from lib.kie.receipts.amounts import LabelledAmount, Role
from lib.kie.receipts.ladder import Ladder

# A conditional logit over all amounts of a receipt and "no total is printed", fitted on the
# receipts of two public sets, each set weighing the same, and on the same receipts cut above their
# first sum, where no amount is the total (each weighing 0.15); docs/experiments.md has the figures.
# "None" is lowered by 0.5 from its fit: a total without its label is rather doubted than lost. Set
# by hand, since the sets show them too rarely or disagree: "after rounding", "before rounding",
# "label total above", "label count", "after tax or discount", "before tax or discount".
WEIGHTS: dict[str, float] = {
    "sum of two totals": 2.1,
    "label total": 2.0,
    "after rounding": 2.0,
    "after tax or discount": 2.0,
    "cash minus change": 1.9,
    "height": 1.8,
    "label total above": 1.5,
    "currency": 1.5,
    "sum of the amounts above": 1.5,
    "subtotal plus extras": 1.4,
    "above largest": 1.4,
    "largest": 1.3,
    "value elsewhere subtotal": 1.2,
    "last total label": 1.2,
    "value elsewhere paid": 1.1,
    "label amount": 0.6,
    "label tax": 0.5,
    "share of largest": 0.3,
    "repeated": 0.2,
    "rows behind last total": 0.2,
    "total after another label": 0.1,
    "label subtotal": -0.1,
    "behind first total": -0.2,
    "count behind total": -0.2,
    "repaired": -0.4,
    "in tax summary": -0.5,
    "label change": -0.6,
    "tax behind total": -0.8,
    "before tax or discount": -1.0,
    "label count": -1.0,
    "zero": -1.1,
    "label adjustment": -1.2,
    "before rounding": -1.5,
    "not the first of its row": -1.7,
    "no decimals among decimals": -1.8,
    "not the last of its row": -1.9,
    "no label": -2.2,
}
NO_TOTAL = 1.2

_LEAST_SHARE = 0.001
_MOST_OF_ROLE = 40  # labelled values whose sums are tried: receipts have a few of each
_MOST_ABOVE = 300  # amounts above another that may add up to it
_LARGEST_ROUNDING = Decimal(1)  # cash rounding is under one unit of any currency with cents


class TotalEvidence:
    """Features of every amount of one receipt, as `WEIGHTS` names them."""

    def __init__(
        self,
        mentions: Mentions,
        amounts: Sequence[LabelledAmount],
        ladders: Sequence[Ladder] = (),
    ) -> None:
        self.mentions = mentions
        due = [ladder for ladder in ladders if ladder.changes_what_is_due]
        self._after_tax = {ladder.last for ladder in due}
        self._before_tax = {ladder.first for ladder in due} - self._after_tax
        self.amounts = self._all = amounts
        self._values: dict[Role, set[Decimal]] = defaultdict(set)
        self._heads: dict[Decimal, set[Role]] = defaultdict(set)
        for amount in amounts:
            if amount.head:
                if len(self._values[amount.head]) < _MOST_OF_ROLE:
                    self._values[amount.head].add(abs(amount.mention.value))
                self._heads[abs(amount.mention.value)].add(amount.head)
        self._counts = Counter(abs(a.mention.value) for a in amounts)
        self._money = sum(a.mention.is_money for a in amounts)
        self._rows = max(1, len(mentions.layout.rows))
        self._summary = summary_rows(mentions)
        total_rows = [
            a.row.index
            for a in amounts
            if a.head is Role.TOTAL and a.mention.is_money and a.row.index not in self._summary
        ]
        paid = min((a.row.index for a in amounts if _is_tendered(a)), default=None)
        unpaid_rows = [row for row in total_rows if paid is None or row < paid]
        self._last_total = max(unpaid_rows or total_rows, default=-1)
        nowhere = len(mentions.layout.rows)
        self._total_span = min(total_rows, default=nowhere), max(total_rows, default=nowhere)
        self._explained = self._sums()
        self._largest = self._largest_to_pay()
        self._tails = self._column_sums()

    def features(self, amount: LabelledAmount) -> dict[str, float]:
        """The features of one amount."""
        value = amount.mention.value
        head = None if amount.head is Role.AMOUNT else amount.head
        match = amount.mention.match
        heads = self._heads[value]
        first, last = self._total_span
        found = {
            "label total": head is Role.TOTAL and not amount.from_above,
            "label total above": head is Role.TOTAL and amount.from_above,
            "label subtotal": head is Role.SUBTOTAL,
            "label tax": head in (Role.TAX, Role.SUMMARY),
            "label paid": head is Role.PAID,
            "label change": head is Role.CHANGE,
            "label adjustment": head in (Role.ROUNDING, Role.DISCOUNT, Role.TIP, Role.SERVICE),
            "label amount": amount.head is Role.AMOUNT,
            "label count": head in (Role.COUNT, Role.POINTS),
            "no label": amount.head is None,
            "several total labels": amount.roles.count(Role.TOTAL) > 1,
            "total after another label": head is not Role.TOTAL and Role.TOTAL in amount.roles,
            "tax behind total": head is Role.TOTAL and Role.TAX in amount.roles,
            "count behind total": head is Role.TOTAL and Role.COUNT in amount.roles,
            "value elsewhere total": Role.TOTAL in heads and head is not Role.TOTAL,
            "value elsewhere paid": Role.PAID in heads and head is not Role.PAID,
            "value elsewhere subtotal": Role.SUBTOTAL in heads and head is not Role.SUBTOTAL,
            "repeated": min(3, self._counts[value] - 1),
            "largest": value == self._largest,
            "share of largest": float(value / self._largest) if 0 < value <= self._largest else 0.0,
            "above largest": value > self._largest,
            "cash minus change": value in self._explained["cash"],
            "subtotal plus extras": value in self._explained["parts"],
            "after rounding": value in self._explained["rounded"],
            "before rounding": value in self._explained["unrounded"],
            "sum of two totals": head is Role.TOTAL and value in self._explained["two"],
            "after tax or discount": amount in self._after_tax,
            "before tax or discount": amount in self._before_tax,
            "last total label": head is Role.TOTAL and amount.row.index == self._last_total,
            "in tax summary": amount.row.index in self._summary,
            "negative": value < 0,
            "sum of the amounts above": amount.mention.span in self._tails,
            "no decimals among decimals": not amount.mention.is_exact and self._money > 2,
            "currency": bool(match.symbol or match.currency),
            "zero": value == 0,
            "repaired": match.repaired,
            "not the last of its row": amount.following > 0,
            "not the first of its row": amount.position > 0,
            "height": min(3.0, amount.mention.cell.height_ratio) - 1,
            "place": amount.row.index / self._rows,
            "behind first total": amount.row.index > first,
            "rows behind last total": min(10, max(0, amount.row.index - last)),
        }
        return {name: float(number) for name, number in found.items() if number}

    def _largest_to_pay(self) -> Decimal:
        """The largest amount that is not handed over and not replaced by a rounded one."""
        money = [a for a in self._all if a.mention.is_money and not _is_tendered(a)]
        decimals = Counter(a.mention.match.decimals for a in money).most_common(1)
        usual = decimals[0][0] if decimals else 0
        return max(
            (
                a.mention.value
                for a in money
                if a.mention.match.decimals == usual
                and a.mention.value not in self._explained["unrounded"]
            ),
            default=Decimal(0),
        )

    def _sums(self) -> dict[str, set[Decimal]]:
        values = self._values
        cash = {p - c for p, c in product(values[Role.PAID], values[Role.CHANGE]) if p >= c}
        extras = {Decimal(0)} | values[Role.SERVICE] | values[Role.TIP]
        parts = {
            s + t + e
            for s, t, e in product(values[Role.SUBTOTAL], values[Role.TAX] | {Decimal(0)}, extras)
            if t or e
        }
        parts |= {s - d for s, d in product(values[Role.SUBTOTAL], values[Role.DISCOUNT]) if d}
        rounded, unrounded = self._roundings()
        return {
            "cash": cash,
            "parts": parts,
            "rounded": rounded,
            "unrounded": unrounded,
            "two": self._sums_of_totals(),
        }

    def _roundings(self) -> tuple[set[Decimal], set[Decimal]]:
        """Values after and before a printed rounding: one stands above it, the other below."""
        after: set[Decimal] = set()
        before: set[Decimal] = set()
        money = [a for a in self.amounts if a.mention.is_money]
        for rounding in self._of(Role.ROUNDING)[:_MOST_OF_ROLE]:
            step = abs(rounding.mention.value)
            if not 0 < step < _LARGEST_ROUNDING:
                continue
            row = rounding.row.index
            above = {a.mention.value for a in money if row - 6 <= a.row.index < row}
            below = {a.mention.value for a in money if row < a.row.index <= row + 4}
            for value in above:
                for rounded in {value - step, value + step} & below:
                    after.add(rounded)
                    before.add(value)
        return after, before - after

    def _of(self, role: Role) -> list[LabelledAmount]:
        return [a for a in self._all if a.head is role]

    def _sums_of_totals(self) -> set[Decimal]:
        """Sums of two labelled totals of different rows, signed: goods sold and goods returned."""
        parts = [
            (a.row.index, a.mention.value)
            for a in self._all
            if a.head in (Role.TOTAL, Role.SUBTOTAL) and a.mention.is_money and a.mention.value
        ][: 2 * _MOST_OF_ROLE]
        return {x + y for (i, x), (j, y) in combinations(parts, 2) if i != j}

    def _column_sums(self) -> set[object]:
        """Spans of amounts that are the sum of two or more amounts right above in their column."""
        found: set[object] = set()
        money = [a for a in self.amounts if a.mention.is_money]
        width = self.mentions.layout.pages[0].box.width if self.mentions.layout.pages else 1.0
        for index, amount in enumerate(money):
            total, box = Decimal(0), amount.mention.box
            nearest = money[max(0, index - _MOST_ABOVE) : index]
            above = [a for a in nearest if abs(a.mention.box.x1 - box.x1) < 0.06 * width]
            for count, other in enumerate(reversed(above), start=1):
                total += other.mention.value
                if count > 1 and total == amount.mention.value and total > 0:
                    found.add(amount.mention.span)
                    break
        return found


def summary_rows(mentions: Mentions) -> frozenset[int]:
    """Rows of tax summaries: from a heading without an amount on to the next row without one."""
    rows: set[int] = set()
    inside = False
    for row in mentions.layout.rows:
        heading = any("tax_summary" in label.match.cues for label in mentions.row_labels(row))
        has_amount = any(a.is_money for a in mentions.row_amounts(row))
        inside = heading or (inside and (has_amount or (row.index - 1) not in rows))
        if inside:
            rows.add(row.index)
    return frozenset(rows)


def _is_tendered(amount: LabelledAmount) -> bool:
    return amount.head in (Role.PAID, Role.CHANGE, Role.POINTS, Role.COUNT)


def find_total(
    mentions: Mentions, amounts: Sequence[LabelledAmount], ladders: Sequence[Ladder] = ()
) -> tuple[Candidate, ...]:
    """Candidates for the total, best first, one for each value.

    The score is the value's share in a softmax over all amounts and "no total is printed".
    """
    evidence = TotalEvidence(mentions, amounts, ladders)
    rivals = [a for a in amounts if a.mention.is_money or a.head is not None]
    scored = [(a.mention.value, weigh(evidence.features(a), WEIGHTS)) for a in rivals]
    return tuple(
        mentions.candidate([rivals[index].mention.span], share, rivals[index].label_text)
        for index, share in ranked(scored, NO_TOTAL)
        if share > _LEAST_SHARE
    )
