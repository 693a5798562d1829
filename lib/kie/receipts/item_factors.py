"""An item while it is read, and rows of their own that say how much of it at what price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lib.kie.layout import Span
from lib.kie.mentions import AmountMention
from lib.kie.receipts.item_details import explains

_FINE = 3  # decimals of litres, gallons and their prices


@dataclass(slots=True)
class Item:
    """One bought thing: its amount, and what else its rows say."""

    amount: AmountMention
    texts: list[Span] = field(default_factory=list)
    quantity: Span | None = None
    unit_price: AmountMention | None = None
    discount: AmountMention | None = None
    code: Span | None = None


def with_factors(items: Sequence[Item]) -> list[Item]:
    """The items, with rows that only say how much and at what price joined to what they give.

    "Gallons 21.403", "Price/gal 3.799", "Fuel total 81.31": one of the two has three decimals.
    """
    found: list[Item] = []
    for item in items:
        found.append(item)
        while len(found) > 2 and _multiply(*found[-3:]):
            first, second, product = found[-3:]
            price, quantity = (first, second) if first.amount.match.symbol else (second, first)
            product.quantity, product.unit_price = quantity.amount.span, price.amount
            del found[-3:-1]
    return found


def _multiply(first: Item, second: Item, product: Item) -> bool:
    bare = all(
        item.quantity is None and item.unit_price is None for item in (first, second, product)
    )
    fine = _FINE in (first.amount.match.decimals, second.amount.match.decimals)
    return (
        bare
        and fine
        and explains(str(first.amount.value), second.amount.value, product.amount.value)
    )
