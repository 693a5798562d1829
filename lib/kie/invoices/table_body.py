"""The body of the line-item table: cells into columns, rows into items, over page breaks."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from lib.kie.invoices.labels import Labels
from lib.kie.invoices.table_header import NUMERIC_COLUMNS, Column, Header
from lib.kie.layout import Cell, Layout, Row, Span
from lib.kie.mentions import Mentions

_STOP_FIELDS = frozenset({"subtotal", "tax_total", "total", "amount_due", "amount_paid"})
_STOP_CUES = frozenset({"tax_summary"})
_SKIP_CUES = frozenset({"carried_forward", "page"})
_SAME_LINE = 0.7  # letter heights between middles
_TIE = 0.1
_NEAR = 2.5  # letter heights between an item's amount and its other numbers
_WRAP_GAP = 1.0  # letter heights between a description's lines
_LEADING = frozenset({"position", "product_code", "quantity", "unit"})
_COUNTING = frozenset({"quantity", "unit"})
_MOST_LEADING = 4  # words
_MOST_ROWS = 400  # of a page's table: more than any paper holds
_WIDE = 1.6  # of a header: longer texts belong to another column


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a cell in a column."""

    span: Span
    column: str

    @property
    def middle(self) -> float:
        """Vertical middle in pixels of the page."""
        return self.span.cell.box.center_y


@dataclass(slots=True)
class Item:
    """One line item: its pieces by column; the description may have several lines."""

    anchor: Piece
    cells: dict[str, Piece] = field(default_factory=dict)
    description: list[Piece] = field(default_factory=list)

    @property
    def top(self) -> float:
        """Top of the numbers, in pixels of the page."""
        pieces = [self.anchor, *self.cells.values()]
        return min(piece.span.cell.box.y0 for piece in pieces)

    @property
    def bottom(self) -> float:
        """Bottom of the numbers, in pixels of the page."""
        pieces = [self.anchor, *self.cells.values()]
        return max(piece.span.cell.box.y1 for piece in pieces)


@dataclass(frozen=True, slots=True)
class Body:
    """The items under one header on one page and the rows that belong to them."""

    items: tuple[Item, ...]
    rows: frozenset[int]
    ended: bool


def read_body(
    layout: Layout, mentions: Mentions, labels: Labels, header: Header, rows: Sequence[Row]
) -> Body:
    """Items in `rows` (those under the header on its page, or of a page that continues it)."""
    pieces: list[Piece] = []
    used: list[int] = []
    ended = False
    for row in rows[:_MOST_ROWS]:
        placed = [
            piece for cell in row.cells for piece in split_cell(cell, header.columns, mentions)
        ]
        if _ends_table(row, placed, labels, mentions):
            ended = True
            break
        if any(labels.leading_cues(cell) & _SKIP_CUES for cell in row.cells):
            continue
        pieces.extend(placed)
        used.append(row.index)
    height = layout.page_of(rows[0].cells[0]).letter_height if rows else 1.0
    items = _items(pieces, height)
    if not items:
        return Body((), frozenset(), ended)
    last = max(
        (piece.span.cell.row for item in items for piece in (item.anchor, *item.description)),
    )
    return Body(tuple(items), frozenset(index for index in used if index <= last), ended)


def _ends_table(row: Row, placed: Sequence[Piece], labels: Labels, mentions: Mentions) -> bool:
    columns = {piece.column for piece in placed if any(c.isdigit() for c in piece.span.text)}
    if {"quantity", "unit_price"} <= columns:
        return False
    for cell in row.cells:
        if labels.leading_cues(cell) & _STOP_CUES:
            return True
        sums = [x for x in labels.in_cell(cell) if x.leads and x.field in _STOP_FIELDS]
        if any(label.clear for label in sums):
            behind = cell.text[sums[0].span.end :]
            letters = sum(c.isalpha() for c in behind)
            if letters <= 12:
                return True
    return False


def split_cell(cell: Cell, columns: Sequence[Column], mentions: Mentions) -> Iterator[Piece]:
    """The cell's parts by column: what stands under another column at its ends comes off."""
    last = yield from _numbers_at_end(cell, columns, mentions)
    first = yield from _words_at_start(cell, last, columns)
    body = Span(cell, first, first + len(cell.text[first:last].rstrip()))
    if body.start < body.end:
        yield Piece(body, _column_of(body, columns, numeric=_is_number(body)))


def _numbers_at_end(
    cell: Cell, columns: Sequence[Column], mentions: Mentions
) -> Generator[Piece, None, int]:
    """Amounts behind the cell's text, last first; returns where the rest ends."""
    end = len(cell.text)
    height = mentions.layout.page_of(cell).letter_height
    for amount in reversed(mentions.amounts(cell)):
        rest = cell.text[: amount.span.start].rstrip()
        if not rest or amount.span.end < len(cell.text[:end].rstrip()):
            break
        column = _column_of(amount.span, columns, numeric=True)
        own = _column_of(Span(cell, 0, len(rest)), columns, numeric=False)
        if column == own or column not in NUMERIC_COLUMNS:
            break
        if not _stands_at(amount.span, columns, column, height):
            break
        yield Piece(amount.span, column)
        end = amount.span.start
    return end


def _words_at_start(cell: Cell, end: int, columns: Sequence[Column]) -> Generator[Piece, None, int]:
    """Positions, codes, quantities, units before the cell's text; returns where that starts."""
    start = 0
    for word, offset in zip(cell.line.words[:_MOST_LEADING], cell.word_starts, strict=False):
        behind = offset + len(word.text) + 1
        if behind >= end:
            break
        first, rest = Span(cell, offset, behind - 1), Span(cell, behind, end)
        column = _column_of(first, columns, numeric=False)
        other = _column_of(rest, columns, numeric=False)
        if column not in _LEADING or column == other or not _overlaps(first, columns, column):
            break
        if column != "unit" and not any(c.isdigit() for c in word.text):
            break
        if column in _COUNTING and not _overlaps(rest, columns, other):
            break  # "20 pcs" without a column for the unit
        yield Piece(first.stripped(), column)
        start = behind
    return start


def _stands_at(span: Span, columns: Sequence[Column], name: str, height: float) -> bool:
    """Whether a span stands under a column's header or less than two letters beside it."""
    return any(c.name == name and c.box.overlap_x(span.box) > -2 * height for c in columns)


def _overlaps(span: Span, columns: Sequence[Column], name: str) -> bool:
    return any(c.name == name and c.box.overlap_x(span.box) > 0 for c in columns)


def _is_number(span: Span) -> bool:
    letters = sum(c.isalpha() for c in span.text)
    digits = sum(c.isdigit() for c in span.text)
    return digits > 0 and letters <= 4 and len(span.text.split()) <= 4


def _column_of(span: Span, columns: Sequence[Column], *, numeric: bool) -> str:
    """The column with most of the span under its header, else the nearest of its kind."""
    box = span.box
    over = max(columns, key=lambda column: column.box.overlap_x(box))
    if over.box.overlap_x(box) > 0:
        counted = over.name == "quantity" and span.text[:1].isdigit()
        wide = box.width > _WIDE * over.box.width and not numeric and not counted
        if not (wide and over.name in NUMERIC_COLUMNS):
            return over.name
    fitting = [column for column in columns if (column.name in NUMERIC_COLUMNS) == numeric] or list(
        columns
    )
    nearest = max(fitting, key=lambda column: column.box.overlap_x(box))
    return nearest.name


def _items(pieces: Sequence[Piece], height: float) -> list[Item]:
    anchors = [piece for piece in pieces if piece.column == "amount" and _is_number(piece.span)]
    rightmost: list[Piece] = []
    for anchor in sorted(anchors, key=lambda piece: (piece.middle, piece.span.box.x0)):
        if rightmost and anchor.span.cell.row == rightmost[-1].span.cell.row:
            rightmost.pop()
        rightmost.append(anchor)
    items = [Item(anchor) for anchor in rightmost]
    if not items:
        return []
    rest = [piece for piece in pieces if piece.column not in ("amount", "description")]
    for piece in sorted(rest, key=lambda p: p.middle):
        # Of two items as near as each other the upper one: what wraps stands below.
        item = min(items, key=lambda i: abs(i.anchor.middle - piece.middle + _TIE * height))
        near = abs(item.anchor.middle - piece.middle) <= _NEAR * height
        has_content = any(c.isalnum() for c in piece.span.text)
        if near and has_content:
            rival = item.cells.get(piece.column)
            if rival is None or (
                abs(rival.middle - item.anchor.middle) > abs(piece.middle - item.anchor.middle)
            ):
                item.cells[piece.column] = piece
    _describe(items, [p for p in pieces if p.column == "description"], height)
    return items


def _describe(items: Sequence[Item], lines: Sequence[Piece], height: float) -> None:
    """Give each description line to its item: beside its numbers, then the lines that wrap."""
    ordered = sorted(lines, key=lambda piece: (piece.middle, piece.span.box.x0))
    left: list[Piece] = []
    for piece in ordered:
        beside = [
            item
            for item in items
            if item.top - _SAME_LINE * height / 2
            <= piece.middle
            <= item.bottom + _SAME_LINE * height / 2
        ]
        if beside:
            nearest = min(beside, key=lambda item: abs(item.anchor.middle - piece.middle))
            nearest.description.append(piece)
        else:
            left.append(piece)
    first = min(item.top for item in items)
    above = any(not item.description for item in items) or any(p.middle < first for p in left)
    for piece in left if not above else reversed(left):
        item = _wrapped_item(items, piece, height, upwards=above)
        if item:
            item.description.append(piece)
            item.description.sort(key=lambda p: (p.middle, p.span.box.x0))


def _wrapped_item(
    items: Sequence[Item], piece: Piece, height: float, *, upwards: bool
) -> Item | None:
    """The item whose description the line continues, or begins when descriptions stand above."""
    box = piece.span.cell.box
    best: tuple[float, Item] | None = None
    for item in items:
        boxes = [p.span.cell.box for p in item.description] or [item.anchor.span.cell.box]
        below = box.y0 - max(b.y1 for b in boxes)
        above = min(b.y0 for b in boxes) - box.y1
        gap = below if box.center_y > item.anchor.middle else above
        if box.center_y < item.anchor.middle and not upwards:
            continue
        if gap <= _WRAP_GAP * height and (best is None or gap < best[0]):
            best = (gap, item)
    return best[1] if best else None
