"""Sums printed one below the other: an amount, what is added or taken off, and what that gives.

Labels may be lost, misspelled or, on curved paper, a row off; the arithmetic of the amounts is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

from lib.kie.mentions import AmountMention, Mentions
from lib.kie.receipts.amounts import LabelledAmount, Role

_MOST_STEPS = 5
_MOST_SIGNS = 32  # ways to sign the steps of one ladder
_ROUNDING = Decimal("0.05")  # a sum rounded to the smallest coin differs by less than this
_CENT = Decimal("0.01")
_NO_STEP = frozenset({Role.COUNT, Role.POINTS})
_EITHER_SIGN = frozenset({Role.ROUNDING})
_TAKEN_OFF = frozenset({Role.DISCOUNT})
_NAMED = frozenset({Role.SUBTOTAL, Role.TAX, Role.SERVICE, Role.TIP, Role.ROUNDING, Role.DISCOUNT})
_ADDED = frozenset({Role.TAX, Role.SERVICE})
_BEFORE_TOTAL = _ADDED | {Role.DISCOUNT}
_STEPS = _NAMED - {Role.SUBTOTAL}
_BEHIND_TOTAL = frozenset({Role.ROUNDING, Role.TIP})
_NOT_SUMMED = frozenset({Role.CHANGE})
_FIRSTS = frozenset({Role.SUBTOTAL, Role.TOTAL, None})
_HIGHEST_TAX = Decimal("0.35")  # of the first amount, with whatever carries no label


@dataclass(frozen=True, eq=False)
class Ladder:
    """`first` and the signed `steps` give `last`, in rows that follow each other.

    `error` is what is missing: 0, a cent, or less than the smallest coin. `sums_up`: the first
    amount is itself the sum of those above it.
    """

    first: LabelledAmount
    steps: tuple[tuple[int, LabelledAmount], ...]
    last: LabelledAmount
    error: Decimal
    sums_up: bool = False

    @property
    def labels_are_low(self) -> bool:
        """Whether every label stands a row too low: the last row is called a tax, or a step the
        subtotal. Such is curved paper, or paper photographed askew.
        """
        return self.last.head in _ADDED or any(s.head is Role.SUBTOTAL for _, s in self.steps)

    @property
    def roles(self) -> tuple[Role | None, ...]:
        """What each step is by its label; one without is the tax where no other step is.

        Not where the first amount is only another price: then the steps are prices as well.
        """
        heads = [step.head for _, step in self.steps]
        if self.labels_are_low:
            heads = [*heads[1:], self.last.head]
        is_sum = self.first.head is not None or self.sums_up or self.labels_are_low
        if is_sum and Role.TAX not in heads and heads.count(None) == 1:
            heads[heads.index(None)] = Role.TAX
        return tuple(head if head in _STEPS else None for head in heads)

    @property
    def changes_what_is_due(self) -> bool:
        """Whether tax, a charge or a discount stands between: the first amount is not the total."""
        steps = zip(self.steps, self.roles, strict=True)
        return any(role in _BEFORE_TOTAL and step.mention.value for (_, step), role in steps)

    @property
    def ends_with_total(self) -> bool:
        """Whether only a rounding or a tip leads to the last amount: the first is a total too."""
        return all(role in _BEHIND_TOTAL for role in self.roles)


def find_ladders(mentions: Mentions, amounts: Sequence[LabelledAmount]) -> tuple[Ladder, ...]:
    """All ladders of a receipt, top down.

    Two prices and a third that happens to be their sum are none: the first amount must be the sum
    of those above it, or one of the rows must be named as a part of the sum or carry a rate.
    """
    column = _column(mentions, amounts)
    found: list[Ladder] = []
    for start, first in enumerate(column):
        if first.head not in _FIRSTS or first.mention.value <= 0:
            continue
        for end in range(start + 2, min(len(column), start + _MOST_STEPS + 2)):
            last = column[end]
            if last.head in _NOT_SUMMED or column[end - 1].head is Role.PAID:
                break
            steps = [a for a in column[start + 1 : end] if a.head not in _NO_STEP]
            ladder = _climb(first, steps, last)
            if ladder is None or (last.head is Role.SUBTOTAL and not _is_known(ladder)):
                continue
            sums_up = _is_sum_of(column[:start], first)
            if (sums_up or _is_named(mentions, ladder)) and _taxes_are_small(ladder):
                found.append(replace(ladder, sums_up=sums_up))
                break
    return tuple(found)


def ladders_to(ladders: Sequence[Ladder], total: Decimal) -> tuple[Ladder, ...]:
    """The ladder that ends at a total, and before it the one that leads to its first amount where
    that is a total before a rounding or a tip.
    """
    chain: list[Ladder] = []
    goal: Decimal | None = total
    for ladder in reversed(ladders):
        if ladder.last.mention.value == goal and ladder not in chain:
            chain.append(ladder)
            goal = ladder.first.mention.value if ladder.ends_with_total else None
    return tuple(chain)


def _column(mentions: Mentions, amounts: Sequence[LabelledAmount]) -> list[LabelledAmount]:
    """The last price of each row that can stand in a sum."""
    return [
        a
        for a in amounts
        if a.following == 0 and a.mention.is_exact and mentions.is_price(a.mention)
    ]


def _climb(
    first: LabelledAmount, steps: Sequence[LabelledAmount], last: LabelledAmount
) -> Ladder | None:
    """The ladder, signed so that it holds best; None where it does not hold."""
    values = [step.mention.value for step in steps]
    total = last.mention.value
    if total <= 0 or not (any(values) or all(step.head in _STEPS for step in steps)):
        return None
    best: Ladder | None = None
    for signs in _signs(steps):
        added = sum((s * v for s, v in zip(signs, values, strict=True)), Decimal(0))
        error = total - first.mention.value - added
        coin = abs(error) < _ROUNDING and total % _ROUNDING == 0
        if (abs(error) <= _CENT or coin) and (best is None or abs(error) < abs(best.error)):
            best = Ladder(first, tuple(zip(signs, steps, strict=True)), last, error)
    return best


def _signs(steps: Sequence[LabelledAmount]) -> Iterator[tuple[int, ...]]:
    choices = [_sign_of(step) for step in steps]
    for count, signs in enumerate(product(*choices)):
        if count >= _MOST_SIGNS:
            return
        yield signs


def _sign_of(step: LabelledAmount) -> tuple[int, ...]:
    """How a step may count: what is taken off is printed with a minus or without."""
    if step.mention.value < 0:
        return (1,)
    if step.head in _TAKEN_OFF:
        return (-1,)
    return (1, -1) if step.head in _EITHER_SIGN else (1,)


def _is_known(ladder: Ladder) -> bool:
    """Whether a step says what it is; without, prices lead to a subtotal."""
    return any(step.head in _STEPS for _, step in ladder.steps) or ladder.labels_are_low


def _is_named(mentions: Mentions, ladder: Ladder) -> bool:
    """Whether a row says that it is part of a sum."""
    steps = [step for _, step in ladder.steps]
    rows = [ladder.first, *steps, ladder.last]
    return any(a.head in _NAMED for a in rows) or any(_has_rate(mentions, a) for a in steps)


def _taxes_are_small(ladder: Ladder) -> bool:
    """Whether the steps can be taxes and not prices or totals of their own."""
    taxes = (
        abs(step.mention.value)
        for (_, step), role in zip(ladder.steps, ladder.roles, strict=True)
        if role in (Role.TAX, None)
    )
    return sum(taxes, Decimal(0)) <= ladder.first.mention.value * _HIGHEST_TAX


def _is_sum_of(above: Sequence[LabelledAmount], amount: LabelledAmount) -> bool:
    """Whether two or more amounts right above add up to this one."""
    total = Decimal(0)
    for count, other in enumerate(reversed(above), start=1):
        total += other.mention.value
        if count > 1 and total == amount.mention.value:
            return True
    return False


def _has_rate(mentions: Mentions, amount: LabelledAmount) -> bool:
    """Whether a rate stands before the only amount of a row; tables of taxes have more."""
    return amount.position == 0 and any(_is_rate(a) for a in mentions.row_amounts(amount.row))


def _is_rate(amount: AmountMention) -> bool:
    return amount.match.percent and 0 < amount.value < 100
