"""What explains an item on a row of its own, above or below it: "2 x 3.50", an article code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lib.kie.layout import Row, Span
from lib.kie.mentions import AmountMention, Mentions

_NUMBER = r"\d{1,4}(?:[.,]\d{1,3})?"
_UNIT = r"[^\W\d_]{1,5}\.?"
_SIGN = r"(?:(?<![^\W\d_])[xXхХà]|[×*@])"
# "2 x 3.50", "0,512 kg x EUR 3,99/kg", "3 PCS 1.20": a sign or a short unit parts the numbers.
_MULTIPLICATION = re.compile(
    rf"\W*(?P<quantity>{_NUMBER})\s*"
    rf"(?:(?:{_UNIT}\s*)?{_SIGN}\W*(?:(?:[A-Z]{{1,3}}|R[ps]|Fr|kr)\W*)?|(?P<bare>[^\W\d_]{{1,3}}\.?\W*))"
    r"\d+(?:[., ]\d{3})*(?:[.,]\d{1,3})?"
    rf"\W*(?:{_UNIT}\W*)?(?:/\s*\d{{0,4}}\s*{_UNIT})?\W*"
)
_CODE_ALONE = re.compile(r"\W{0,2}((?:[A-Z]{1,3}-?)?\d[\dA-Z-]{3,17})\W{0,2}")
_QUANTITY_END = re.compile(r"\s*(?:[^\W\d_]{1,3}\.?\s*[xXхХ×*@]?|[xXхХ×*@à])?\s*")
_LONGEST = 48  # characters of a row that is nothing but a multiplication
_CODE_DIGITS = 4
_NAME_LETTERS = 3
_REACH = 2  # rows of text or codes between an item's amount and what explains it


@dataclass(frozen=True, slots=True)
class Multiplication:
    """A quantity and the price of one. `measured`: by weight or length, so with decimals."""

    quantity: Span
    price: AmountMention
    measured: bool


@dataclass(frozen=True, slots=True)
class Details:
    """Multiplications and codes by the index of the row with the amount that they belong to.

    `row_indexes`: the rows that are nothing but such a detail.
    """

    multiplications: Mapping[int, Multiplication]
    codes: Mapping[int, Span]
    row_indexes: frozenset[int]


def explains(quantity: str, price: Decimal, amount: Decimal) -> bool:
    """Whether quantity times price is the amount, to one unit of its last decimal."""
    count = Decimal(quantity.replace(",", "."))
    unit = max(Decimal("0.01"), Decimal(1).scaleb(int(amount.as_tuple().exponent)))
    return count > 0 and abs(count * price - amount) <= unit


def before_quantity(text: Span, quantity: Span | None) -> Span:
    """A description without the quantity at its end: of "Soap 2 x" and "Eggs 3 PCS" the name."""
    if quantity is None or quantity.cell is not text.cell or quantity.start <= text.start:
        return text
    behind = text.cell.text[quantity.end : text.end]
    if quantity.end > text.end or not _QUANTITY_END.fullmatch(behind):
        return text
    return Span(text.cell, text.start, quantity.start).stripped(" (")


def find_details(
    mentions: Mentions, rows: Sequence[Row], amounts: Mapping[int, AmountMention]
) -> Details:
    """The details among `rows`. `amounts`: by row index, the amount of each priced row.

    A multiplication belongs to the neighbour that it explains; where it explains both, to the
    side on which most of its kind stand. The codes of a document stand all on one side.
    """
    found = {
        row.index: multiplication
        for above, row in zip((None, *rows), rows, strict=False)
        if (multiplication := _multiplication(mentions, row)) is not None
        and not (multiplication.quantity.text == "1" and above and _names_only(above, amounts))
    }
    priced = [i for i, amount in amounts.items() if i not in found and amount.value > 0]
    placed = _placed(found, priced, amounts)
    used = frozenset(placed.values())
    codes, code_rows = _codes(rows, [i for i in priced if i not in used])
    multiplications = {at: found[index] for at, index in placed.items()}
    return Details(multiplications, codes, used | code_rows)


def _placed(
    found: Mapping[int, Multiplication],
    priced: Sequence[int],
    amounts: Mapping[int, AmountMention],
) -> dict[int, int]:
    """The row of the multiplication by the row of the amount that it explains.

    Once a price above an equal amount proves nothing where no other multiplication stands so.
    """
    above: dict[int, int] = {}
    below: dict[int, int] = {}
    for index, one in found.items():
        for side, is_above in ((above, True), (below, False)):
            at = _nearest(priced, index, above=is_above)
            if at is not None and explains(one.quantity.text, one.price.value, amounts[at].value):
                side[index] = at
    placed: dict[int, int] = {}
    for index, one in found.items():
        alike = {i for i, other in found.items() if other.measured == one.measured and i != index}
        ups = sum(i in above and i not in below for i in alike)
        downs = sum(i in below and i not in above for i in alike if found[i].quantity.text != "1")
        order = (above, below) if ups >= downs else (below, above)
        for side in order:
            proved = side is above or downs or one.quantity.text != "1"
            if index in side and proved and side[index] not in placed:
                placed[side[index]] = index
                break
    return placed


def _multiplication(mentions: Mentions, row: Row) -> Multiplication | None:
    """The row as a multiplication without its result, or None."""
    match = _MULTIPLICATION.fullmatch(row.text) if len(row.text) <= _LONGEST else None
    first = re.search(_NUMBER, row.cells[0].text)
    if match is None or first is None or (match["bare"] and len(row.cells) > 1):
        return None  # "2 | Box | 7.00" is an item
    quantity = Span(row.cells[0], first.start(), first.end())
    prices = [
        amount
        for amount in mentions.row_amounts(row)
        if not amount.match.percent
        and (amount.cell is not quantity.cell or amount.span.start >= quantity.end)
    ]
    if quantity.text != match["quantity"] or len(prices) != 1:
        return None
    return Multiplication(quantity, prices[0], any(mark in quantity.text for mark in ".,"))


def _names_only(row: Row, amounts: Mapping[int, AmountMention]) -> bool:
    """Whether the row is text without a price: "1 x 3.50" below it is an item with its amount."""
    return row.index not in amounts and sum(map(str.isalpha, row.text)) >= _NAME_LETTERS


def _codes(rows: Sequence[Row], priced: Sequence[int]) -> tuple[dict[int, Span], frozenset[int]]:
    """Codes on rows of their own by the row of their item, where at least half the items have one.

    They stand above the items when one precedes the first item and none follows the last.
    """
    alone = {
        row.index: Span(row.cells[0], match.start(1), match.end(1))
        for row in rows
        if len(row.cells) == 1
        and (match := _CODE_ALONE.fullmatch(row.cells[0].text))
        and sum(map(str.isdigit, match[1])) >= _CODE_DIGITS
    }
    if not alone or not priced:
        return {}, frozenset()
    above = min(alone) < min(priced) and max(alone) < max(priced)
    placed: dict[int, int] = {}
    for index in alone:
        at = _nearest(priced, index, above=not above)
        if at is not None:
            placed.setdefault(at, index)
    if 2 * len(placed) < len(priced):
        return {}, frozenset()
    return {at: alone[index] for at, index in placed.items()}, frozenset(placed.values())


def _nearest(priced: Iterable[int], index: int, *, above: bool) -> int | None:
    """The nearest priced row above or below a row, with few rows between."""
    if above:
        return max((i for i in priced if index - 1 - _REACH <= i < index), default=None)
    return min((i for i in priced if index < i <= index + 1 + _REACH), default=None)
