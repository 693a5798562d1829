"""The list of what was bought: priced rows between the head and the sums, with wrapped text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from lib.domain.extraction import Candidate
from lib.kie.boxes import Box
from lib.kie.layout import Row, Span
from lib.kie.mentions import AmountMention, Mentions
from lib.kie.receipts.amounts import LabelledAmount, Role, is_count_of_all, leads_its_row
from lib.kie.receipts.item_codes import leading_codes, long_code
from lib.kie.receipts.item_details import Details, before_quantity, explains, find_details
from lib.kie.receipts.item_factors import Item, with_factors
from lib.kie.receipts.item_headings import counted, is_column_name, is_heading, quantity_columns

_END_ROLES = frozenset({Role.SUBTOTAL, Role.TOTAL, Role.PAID, Role.CHANGE, Role.ROUNDING})
_TAX_ROLES = frozenset({Role.TAX, Role.SERVICE, Role.SUMMARY, Role.TIP})
_MULTIPLIED = re.compile(
    r"(?<![\w.,])(\d{1,4}(?:[.,]\d{1,3})?)\s*(?:[^\W\d_]{1,5}\.?\s)?\s*[xXхХ×*@](?![^\W\d_])", re.I
)
_LEADING_QUANTITY = re.compile(r"^\W{0,2}(\d{1,3})(?:\s?[xX])?\s+(?=[^\W\d])")
_ORDINAL = re.compile(r"^(\d{1,3})[.)]\s+(?=[^\W\d])")
_WHOLE_PRICE = 100  # in currencies without decimals nothing costs less
_MONEY_LETTERS = 3
_LONGEST_WRAP = 3  # rows of text that may belong to one item


@dataclass(frozen=True, slots=True)
class Items:
    """The item rows, and which rows of the layout they take up."""

    rows: tuple[Mapping[str, Candidate], ...]
    row_indexes: frozenset[int]


def find_items(mentions: Mentions, amounts: Sequence[LabelledAmount]) -> Items:
    """The bought items in printed order; none when no priced row precedes the sums."""
    rows = _region(mentions, amounts)
    quantities = quantity_columns(mentions, rows)
    priced = {row.index: p[-1] for row in rows if (p := _prices(mentions, row))}
    details = find_details(mentions, rows, priced)
    rest = [row for row in rows if row.index not in details.row_indexes]
    reader = _Reader(mentions, quantities, details, text_follows=_text_follows(mentions, rest))
    for row in rest:
        reader.read(row)
    items = reader.finish()
    indexes = frozenset(range(rows[0].index, rows[-1].index + 1)) if rows and items else frozenset()
    return Items(tuple(_as_row(mentions, item) for item in items), indexes)


def _region(mentions: Mentions, amounts: Sequence[LabelledAmount]) -> list[Row]:
    """Rows from the table's heading (or the first priced row) up to the first row of the sums."""
    rows = mentions.layout.rows
    by_row: dict[int, list[LabelledAmount]] = {}
    for amount in amounts:
        by_row.setdefault(amount.row.index, []).append(amount)
    sums = min(
        (a.row.index for a in amounts if a.head in _END_ROLES and mentions.is_price(a.mention)),
        default=len(rows),
    )
    heading = next((row.index for row in rows[:sums] if is_heading(mentions, row)), None)
    start, end = None, len(rows)
    for row in rows:
        if heading is not None and row.index <= heading:
            continue
        money = [a for a in by_row.get(row.index, []) if mentions.is_price(a.mention)]
        if not money:
            continue
        roles = {a.head for a in money if leads_its_row(a)}
        counts_all = any(is_count_of_all(a) for a in money)
        if start is not None and (counts_all or _ends_items(mentions, row, roles, by_row)):
            end = row.index
            break
        if start is None:
            if roles & _END_ROLES:
                break
            start = row.index
    if start is None:
        return []
    if heading is not None and start - heading <= 1 + _LONGEST_WRAP:
        start = heading + 1
    while end > start and _only_counts(mentions, rows[end - 1]):
        end -= 1
    if (heading is None or start > heading + 1) and not _text_follows(mentions, rows[start:end]):
        start = _with_text_above(mentions, start)
    return list(rows[start:end])


def _ends_items(
    mentions: Mentions,
    row: Row,
    roles: Set[Role | None],
    by_row: Mapping[int, Sequence[LabelledAmount]],
) -> bool:
    """Whether a row begins the sums; a cover charge that other items follow does not."""
    if not roles & (_END_ROLES | _TAX_ROLES):
        return False
    if roles != {Role.SERVICE}:
        return True
    for other in mentions.layout.rows[row.index + 1 :]:
        money = [a for a in by_row.get(other.index, ()) if mentions.is_price(a.mention)]
        if money:
            return any(a.head for a in money)
    return True


def _only_counts(mentions: Mentions, row: Row) -> bool:
    """Whether the row says how many items there are and holds no price."""
    counts = any("item_count" in label.match.cues for label in mentions.row_labels(row))
    return counts and not any(map(mentions.is_price, mentions.row_amounts(row)))


def _with_text_above(mentions: Mentions, start: int) -> int:
    """The first priced row, or the first row of the text that it lacks and has above.

    There are as many rows of text as between it and the next row of bare numbers.
    """
    rows = mentions.layout.rows
    if _text_spans(mentions, rows[start]):
        return start
    bare = (
        i
        for i in range(start + 1, min(len(rows), start + 1 + _LONGEST_WRAP + 1))
        if _is_bare(mentions, rows[i])
    )
    wanted = next(bare, start + 2) - start - 1
    for above in range(start - 1, max(-1, start - 1 - wanted), -1):
        labels = [label.match for label in mentions.row_labels(rows[above])]
        named = any(match.fields or match.document_types for match in labels)
        if named or any(map(mentions.dates, rows[above].cells)):
            return above + 1
    return max(0, start - wanted)


def _is_bare(mentions: Mentions, row: Row) -> bool:
    """Whether the row holds a price and nothing that describes an item."""
    priced = any(map(mentions.is_price, mentions.row_amounts(row)))
    return priced and not _text_spans(mentions, row)


def _text_follows(mentions: Mentions, rows: Sequence[Row]) -> bool:
    """Whether items print their numbers first and their text in the row below.

    Then the last row before the sums is text; where text comes first it is numbers.
    """
    if not any(_is_bare(mentions, row) for row in rows):
        return False
    priced = any(map(mentions.is_price, mentions.row_amounts(rows[-1])))
    return bool(_text_spans(mentions, rows[-1])) and not priced


class _Reader:
    """Reads rows downwards; text without a price waits for the price that it belongs to."""

    def __init__(
        self,
        mentions: Mentions,
        quantities: Mapping[int, Box],
        details: Details,
        *,
        text_follows: bool,
    ) -> None:
        self._mentions = mentions
        self._quantities = quantities
        self._details = details
        self._text_follows = text_follows
        self._items: list[Item] = []
        self._waiting: list[Span] = []
        self._waiting_count: Span | None = None

    def read(self, row: Row) -> None:
        """Take one more row."""
        prices = _prices(self._mentions, row)
        texts = _text_spans(self._mentions, row)
        if not prices:
            self._waiting.extend(t for t in texts if not is_column_name(self._mentions, t))
            if texts:
                self._waiting_count = counted(row, self._quantities)
            return
        if self._is_discount(row, prices):
            self._items[-1].discount = prices[-1]
            return
        item = Item(prices[-1])
        above = None if texts else self._waiting_count
        self._waiting_count = None
        if texts or self._text_follows:
            self._wrap_up()
            item.texts = texts
        else:
            item.texts = self._waiting[-_LONGEST_WRAP:]
        self._waiting = []
        _read_numbers(row, item, prices, self._mentions)
        self._add_details(row, item)
        if item.quantity is None:
            item.quantity = _quantity_span(row) or counted(row, self._quantities) or above
        _take_count(item)
        if item.code is None:
            item.code = long_code(row)
        self._items.append(item)

    def finish(self) -> list[Item]:
        """The items, after the last text has found its place."""
        self._wrap_up()
        items = [item for item in self._items if item.texts or item.unit_price is not None]
        items = with_factors(items)
        _take_codes(items)
        _drop_ordinals(items)
        return items

    def _wrap_up(self) -> None:
        """Text between two priced rows that both have text of their own wraps the upper one."""
        if self._items and self._waiting and len(self._waiting) <= _LONGEST_WRAP:
            self._items[-1].texts.extend(self._waiting)
        self._waiting = []

    def _is_discount(self, row: Row, prices: Sequence[AmountMention]) -> bool:
        """A negative amount, or one labelled as a discount, under an item.

        What takes off more than the item cost is a row: empties that are given back.
        """
        if not self._items:
            return False
        if prices[-1].value < 0:
            more = abs(prices[-1].value) > abs(self._items[-1].amount.value)
            return not (more and _text_spans(self._mentions, row))
        names = {
            name
            for label in self._mentions.row_labels(row)
            for name in label.match.cues | label.match.fields
        }
        labelled = bool(names & {"discount", "discount_total", "savings"})
        return len(prices) == 1 and labelled and prices[0].value < self._items[-1].amount.value

    def _add_details(self, row: Row, item: Item) -> None:
        """What rows of their own say about the item."""
        item.code = self._details.codes.get(row.index)
        found = self._details.multiplications.get(row.index)
        if found is not None and item.unit_price is None:
            item.quantity, item.unit_price = found.quantity, found.price


def _drop_ordinals(items: Sequence[Item]) -> None:
    """Take "1.", "2.", "3." off the descriptions where all items are counted so."""
    matches = [_ORDINAL.match(item.texts[0].text) if item.texts else None for item in items]
    numbers = [int(match[1]) if match else 0 for match in matches]
    if len(items) < 2 or numbers != list(range(1, len(items) + 1)):
        return
    for item, match in zip(items, matches, strict=True):
        first = item.texts[0]
        if match:
            item.texts[0] = Span(first.cell, first.start + match.end(), first.end)


def _read_numbers(
    row: Row, item: Item, prices: Sequence[AmountMention], mentions: Mentions
) -> None:
    """Quantity and unit price of a priced row, kept where they explain the amount."""
    amount = item.amount.value
    earlier = [
        a
        for a in mentions.row_amounts(row)
        if a is not item.amount and (a in prices or _is_plain(mentions, a))
    ]
    counts = [
        a
        for a in mentions.row_amounts(row)
        if not a.match.percent and not a.match.symbol and a is not item.amount
    ]
    for price in earlier:
        for count in counts:
            if count is not price and explains(str(count.value), price.value, amount):
                item.quantity, item.unit_price = count.span, price
                break
    if item.unit_price is None and earlier and any(p.value == amount for p in earlier):
        item.unit_price = next(p for p in earlier if p.value == amount)


def _is_plain(mentions: Mentions, amount: AmountMention) -> bool:
    """Whether a number may be a unit price that lacks the grouping of the other amounts."""
    return (
        mentions.grouping is not None and not amount.match.percent and amount.value >= _WHOLE_PRICE
    )


def _take_count(item: Item) -> None:
    """Move a leading count out of the first line of the description."""
    if not item.texts:
        return
    first = item.texts[0]
    if match := _LEADING_QUANTITY.match(first.text):
        if item.quantity is None:
            start = first.start + match.start(1)
            item.quantity = Span(first.cell, start, start + len(match[1]))
        first = Span(first.cell, first.start + match.end(), first.end)
    rest = (before_quantity(first, item.quantity) if item.unit_price else first).stripped()
    item.texts = ([rest] if rest.text.strip() else []) + item.texts[1:]


def _take_codes(items: Sequence[Item]) -> None:
    """Move leading article codes, and counts before them, out of the descriptions.

    Where items have a quantity elsewhere, the number before their codes only counts the rows.
    """
    found = leading_codes([item.texts[0] if item.texts else None for item in items])
    numbered = any(
        leading and leading.count and item.quantity and leading.count.text != item.quantity.text
        for leading, item in zip(found, items, strict=True)
    )
    for item, leading in zip(items, found, strict=True):
        if leading is None or (item.code and item.code.text != leading.code.text):
            continue
        rest = ([leading.rest] if leading.rest.text else []) + item.texts[1:]
        if not rest:
            continue
        item.code = leading.code
        if not numbered:
            item.quantity = item.quantity or leading.count
        item.texts = rest


def _quantity_span(row: Row) -> Span | None:
    for cell in row.cells:
        if match := _MULTIPLIED.search(cell.text):
            return Span(cell, match.start(1), match.end(1))
    return None


def _prices(mentions: Mentions, row: Row) -> list[AmountMention]:
    """The row's prices; one that needed repair only where no other is there ("0,2l" is no 0,21)."""
    prices = [a for a in mentions.row_amounts(row) if mentions.is_price(a)]
    return [a for a in prices if not a.match.repaired] or prices


def _text_spans(mentions: Mentions, row: Row) -> list[Span]:
    """The row's text left of its first price: what describes an item."""
    spans: list[Span] = []
    of_row = _prices(mentions, row)
    for cell in row.cells:
        prices = [a for a in of_row if a.cell is cell]
        end = prices[0].span.start if prices else len(cell.text)
        span = Span(cell, 0, end).stripped(" \t:;,-–—*@")
        letters = sum(map(str.isalpha, _MULTIPLIED.sub("", span.text)))
        if letters >= _MONEY_LETTERS and (not spans or cell.column <= 1):
            spans.append(span)
        if prices:
            break
    return spans


def _as_row(mentions: Mentions, item: Item) -> Mapping[str, Candidate]:
    cells: dict[str, Sequence[Span]] = {
        "description": item.texts,
        "amount": [item.amount.span],
    }
    if item.quantity is not None:
        cells["quantity"] = [item.quantity]
    if item.code is not None:
        cells["product_code"] = [item.code]
    if item.unit_price is not None:
        cells["unit_price"] = [item.unit_price.span]
    if item.discount is not None:
        cells["discount"] = [item.discount.span]
    score = 0.8 if item.unit_price is not None else 0.6
    page = item.amount.span.cell.page_number
    return {
        name: mentions.candidate(on_page, score)
        for name, spans in cells.items()
        if (on_page := [span for span in spans if span.cell.page_number == page])
    }
