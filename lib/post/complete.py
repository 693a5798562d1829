"""A missing subtotal or tax, printed under no known label: the number that completes the sum."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from lib.domain.task import FieldType, Task
from lib.post.arithmetic import ADDENDS
from lib.post.options import Chosen, Option, Options

_OTHER_ADDENDS = tuple(name for name in ADDENDS if name != "tax_total")
_SCORE = 0.5  # it adds up and is printed, but no label says what it is
_HIGHEST_TAX = Decimal("0.3")  # of the subtotal: above any usual rate it is a price or a payment


def complete(task: Task, options: Options, chosen: Chosen) -> dict[str, Option]:
    """A missing `subtotal` or `tax_total` of the task, where a printed amount makes the sum hold.

    Nothing is computed: the amount must be a candidate of some money field, printed elsewhere than
    every chosen amount, and the other two numbers of the sum must have been chosen.
    """
    amounts = {n: o.value for n, o in chosen.items() if isinstance(o.value, Decimal)}
    total, subtotal, tax = (amounts.get(name) for name in ("total", "subtotal", "tax_total"))
    if total is None or total <= 0:
        return {}
    added = sum((ADDENDS[n] * amounts[n] for n in _OTHER_ADDENDS if n in amounts), Decimal(0))
    if subtotal is None and tax:
        name, rest = "subtotal", total - added - tax
        plausible = 0 < tax <= rest * _HIGHEST_TAX
    elif tax is None and subtotal:
        name, rest = "tax_total", total - added - subtotal
        plausible = 0 < rest <= subtotal * _HIGHEST_TAX
    else:
        return {}
    found = _printed(rest, options, chosen) if plausible and _is_money(task, name) else None
    return {name: found} if found else {}


def _is_money(task: Task, name: str) -> bool:
    spec = task.field(name)
    return spec is not None and spec.type is FieldType.MONEY


def _printed(value: Decimal, options: Options, chosen: Chosen) -> Option | None:
    """A candidate of any amount with this value, not printed where a chosen one is."""
    taken = {option.candidate.words for option in chosen.values()}
    for found in options.values():
        for option in found:
            words = option.candidate.words
            if option.value == value and words and words not in taken:
                return replace(
                    option, candidate=replace(option.candidate, score=_SCORE), weight=1.0
                )
    return None
