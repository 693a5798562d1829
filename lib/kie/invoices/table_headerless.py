"""Line items of a table without a header: rows that end in amounts set under each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import permutations
from statistics import median

from lib.kie.invoices.labels import Labels
from lib.kie.invoices.table_descriptions import Item, Piece
from lib.kie.layout import Layout, Row, Span
from lib.kie.mentions import AmountMention, Mentions

_SUM_FIELDS = frozenset({"subtotal", "tax_total", "total", "amount_due", "amount_paid"})
_ALIGNED = 0.8  # letter heights between right edges
_FEWEST_LETTERS = 3  # of a description
_LONGEST = 14  # words: longer texts are sentences
_CENT = Decimal("0.01")


def read_headerless(
    layout: Layout, mentions: Mentions, labels: Labels
) -> tuple[list[Item], set[int]]:
    """The items above the first sum of each page, and their rows.

    Two rows are needed, or one whose amount is printed again as a sum.
    """
    items: list[Item] = []
    covered: set[int] = set()
    for page in layout.pages:
        found: list[tuple[Row, Item]] = []
        for row in page.rows:
            if _is_sum(row, labels, mentions):
                if found:
                    break
                continue
            item = _item(row, mentions, labels)
            if item:
                found.append((row, item))
        found = list(_aligned(found, page.letter_height))
        sums = {
            a.value
            for row in page.rows
            if _is_sum(row, labels, mentions)
            for a in mentions.row_amounts(row)
        }
        if len(found) > 1 or (found and _value(found[0][1], mentions) in sums):
            items.extend(item for _, item in found)
            covered |= {row.index for row, _ in found}
    return items, covered


def _is_sum(row: Row, labels: Labels, mentions: Mentions) -> bool:
    if not mentions.row_amounts(row):
        return False
    return any(
        label.opens and label.field in _SUM_FIELDS
        for cell in row.cells
        for label in labels.in_cell(cell)
    )


def _item(row: Row, mentions: Mentions, labels: Labels) -> Item | None:
    """The row as an item: a text that labels nothing, numbers, and last an amount of money."""
    amounts = mentions.row_amounts(row)
    if not amounts or not amounts[-1].match.decimals or not amounts[-1].is_money:
        return None
    last = amounts[-1]
    behind = last.cell.text[last.span.end :]
    if last.cell is not row.cells[-1] or any(map(str.isalnum, behind)):
        return None
    texts = [
        span for span in _texts(row, amounts) if sum(map(str.isalpha, span.text)) >= _FEWEST_LETTERS
    ]
    if not texts or len(texts[0].text.split()) > _LONGEST or ":" in texts[0].text:
        return None
    if labels.opening(texts[0].cell) and texts[0].start == 0:
        return None
    if "carried_forward" in labels.leading_cues(texts[0].cell):
        return None  # the balance of the bill before
    item = Item(Piece(last.span, "amount"))
    item.description.append(Piece(texts[0], "description"))
    item.cells.update(_numbers(amounts[:-1], last))
    return item


def _texts(row: Row, amounts: Sequence[AmountMention]) -> Iterator[Span]:
    """The parts of the row's cells before their amounts."""
    last = amounts[-1]
    for cell in row.cells:
        span = Span(cell, 0, last.span.start if cell is last.cell else len(cell.text)).stripped()
        if span.text:
            yield span


def _numbers(numbers: Sequence[AmountMention], amount: AmountMention) -> dict[str, Piece]:
    """Quantity and unit price where their product is the amount, and a rate by its percent sign."""
    found = {}
    plain = [number for number in numbers if not number.match.percent]
    for quantity, price in permutations(plain, 2):
        ordered = quantity.box.x0 < price.box.x0
        if ordered and abs(quantity.value * price.value - amount.value) <= _CENT:
            found["quantity"] = Piece(quantity.span, "quantity")
            found["unit_price"] = Piece(price.span, "unit_price")
            break
    rates = [number for number in numbers if number.match.percent]
    if rates:
        found["tax_rate"] = Piece(rates[0].span, "tax_rate")
    return found


def _aligned(found: Sequence[tuple[Row, Item]], height: float) -> Iterator[tuple[Row, Item]]:
    """Those whose amounts end at the common right edge."""
    if not found:
        return
    edge = median(item.anchor.span.box.x1 for _, item in found)
    for row, item in found:
        if abs(item.anchor.span.box.x1 - edge) <= _ALIGNED * height:
            yield row, item


def _value(item: Item, mentions: Mentions) -> Decimal | None:
    amounts = [a for a in mentions.amounts(item.anchor.span.cell) if a.span == item.anchor.span]
    return amounts[0].value if amounts else None
