"""The body of the line-item table: cells into columns, rows into items, over page breaks."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lib.kie.invoices.labels import Labels
from lib.kie.invoices.table_descriptions import Item, Piece, describe
from lib.kie.invoices.table_header import NUMERIC_COLUMNS, Column, Header
from lib.kie.invoices.table_roles import UNNAMED
from lib.kie.layout import Cell, Layout, Row, Span
from lib.kie.mentions import Mentions

_STOP_FIELDS = frozenset({"subtotal", "tax_total", "total", "amount_due", "amount_paid"})
_EXTRAS = frozenset({"shipping", "discount_total"})  # where they have no quantity and no price
_FACTORS = frozenset({"quantity", "unit_price"})
_STOP_CUES = frozenset({"tax_summary"})
_SUM_WORDS = 3  # of a cell that names a part of the sum
_SKIP_CUES = frozenset({"carried_forward", "page"})
_TIE = 0.1
_NEAR = 2.5  # letter heights between an item's amount and its other numbers
_LEADING = frozenset({"position", "product_code", "quantity", "unit"})
_COUNTING = frozenset({"quantity", "unit"})
_MOST_LEADING = 4  # words
_MOST_ROWS = 400  # of a page's table: more than any paper holds
_BESIDE = 0.5  # letter heights between a number and the heading that it just misses
_WIDE_GAP = 1.6  # spaces between words of two columns
_WIDE = 1.6  # of a header: longer texts belong to another column


class RunningSum:
    """Adds up the amounts of a table's rows, and knows a row that prints what they add up to."""

    def __init__(self) -> None:
        self._total = Decimal(0)
        self._count = 0

    def closes(self, placed: Sequence[Piece], mentions: Mentions, names: frozenset[str]) -> bool:
        """Whether a row is the sum of those before it; else it is added to them.

        A row with a quantity or a price never is, and where no row has one two must go before.
        `names` are those of the table's columns.
        """
        amounts = [
            amount.value
            for piece in placed
            if piece.column == "amount"
            for amount in mentions.amounts(piece.span.cell)
            if amount.span.start >= piece.span.start and amount.span.end <= piece.span.end
        ]
        if not amounts:
            return False
        counted = any(
            piece.column in _FACTORS and any(map(str.isdigit, piece.span.text)) for piece in placed
        )
        enough = self._count >= (1 if names & _FACTORS else 2)
        if enough and not counted and amounts[-1] and amounts[-1] == self._total:
            return True
        self._total += amounts[-1]
        self._count += 1
        return False


@dataclass(frozen=True, slots=True)
class Body:
    """The items under one header on one page and the rows that belong to them."""

    items: tuple[Item, ...]
    rows: frozenset[int]
    ended: bool


def read_body(
    reader: tuple[Layout, Mentions, Labels], header: Header, rows: Sequence[Row], sums: RunningSum
) -> Body:
    """Items in `rows` (those under the header on its page, or of a page that continues it).

    `sums` goes on from page to page.
    """
    layout, mentions, labels = reader
    pieces: list[Piece] = []
    used: list[int] = []
    ended = False
    for index, row in enumerate(rows[:_MOST_ROWS]):
        placed = [
            piece for cell in row.cells for piece in split_cell(cell, header.columns, mentions)
        ]
        if not _filled(placed) >= _FACTORS and any(_is_no_item(c, labels) for c in row.cells):
            continue
        if _ends_table(row, placed, labels) and not (
            _is_extra(row, labels) and _goes_on(rows[index + 1 :], header, labels, mentions)
        ):
            ended = True
            break
        if sums.closes(placed, mentions, header.names):
            if not any(piece.column == "amount" for piece in pieces):
                continue  # carried over from the page before
            ended = any(_is_sum(other, labels) for other in rows[index + 1 :])
            break
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


def _filled(placed: Sequence[Piece]) -> frozenset[str]:
    """The columns in which a row has numbers."""
    return frozenset(p.column for p in placed if any(c.isdigit() for c in p.span.text))


def _is_no_item(cell: Cell, labels: Labels) -> bool:
    """Whether a cell carries a sum over or counts pages; "str." alone may be the unit of a line."""
    cues = labels.leading_cues(cell) & _SKIP_CUES
    return bool(cues) and (cues != {"page"} or any(map(str.isdigit, cell.text)))


def _is_sum(row: Row, labels: Labels) -> bool:
    return any(
        label.opens and label.field in _STOP_FIELDS
        for cell in row.cells
        for label in labels.in_cell(cell)
    )


def _is_extra(row: Row, labels: Labels) -> bool:
    return not _is_sum(row, labels) and any(
        label.opens and label.field in _EXTRAS
        for cell in row.cells
        for label in labels.in_cell(cell)
    )


def _goes_on(rows: Sequence[Row], header: Header, labels: Labels, mentions: Mentions) -> bool:
    """Whether rows with quantity and price follow before the sums."""
    for row in rows[:_MOST_ROWS]:
        placed = [p for cell in row.cells for p in split_cell(cell, header.columns, mentions)]
        if _filled(placed) >= _FACTORS:
            return True
        if _is_sum(row, labels):
            return False
    return False


def _ends_table(row: Row, placed: Sequence[Piece], labels: Labels) -> bool:
    columns = _filled(placed)
    if columns >= _FACTORS:
        return False
    if columns <= {"amount"} and any(_ends_with_sum(cell, labels) for cell in row.cells):
        return True
    stops = _STOP_FIELDS if columns & _FACTORS else _STOP_FIELDS | _EXTRAS
    for cell in row.cells:
        if labels.leading_cues(cell) & _STOP_CUES:
            return True
        sums = [x for x in labels.in_cell(cell) if x.leads and x.field in stops]
        if any(label.clear for label in sums):
            behind = cell.text[sums[0].span.end :]
            letters = sum(map(str.isalpha, behind))
            if letters <= 12:
                return True
    return False


def _ends_with_sum(cell: Cell, labels: Labels) -> bool:
    """Whether two words or three end with one for a sum: "PARTS TOTAL"."""
    return len(cell.line.words) <= _SUM_WORDS and any(
        label.field == "total" and not cell.text[label.span.end :].strip(" .:")
        for label in labels.in_cell(cell)
    )


def split_cell(cell: Cell, columns: Sequence[Column], mentions: Mentions) -> Iterator[Piece]:
    """The cell's parts by column: what stands under another column at its ends comes off."""
    for part in _wide_parts(cell, columns, mentions):
        last = yield from _numbers_at_end(part, columns, mentions)
        first = yield from _words_at_start(part, last, columns)
        body = Span(cell, first, first + len(cell.text[first:last].rstrip()))
        if body.start < body.end:
            yield Piece(body, _column_of(body, columns, numeric=_is_number(body)))


def _wide_parts(cell: Cell, columns: Sequence[Column], mentions: Mentions) -> Iterator[Span]:
    """The cell cut at gaps that are wider than a space where another column begins.

    In a scan the gaps within a text are as uneven: what comes off must stand at its column.
    """
    start, text = 0, cell.text
    boxes = cell.word_boxes
    page = mentions.layout.page_of(cell)
    space, height = page.space, page.letter_height
    for index in range(1, len(boxes)):
        offset = cell.word_starts[index]
        if boxes[index].x0 - boxes[index - 1].x1 <= _WIDE_GAP * space:
            continue
        left = Span(cell, start, offset - 1)
        right = Span(cell, offset, offset + len(cell.line.words[index].text))
        if not _says_something(left) or not _says_something(right):
            continue
        column = _nearest(right, columns)
        if _nearest(left, columns) != column and _stands_at(right, columns, column, height):
            yield left
            start = offset
    yield Span(cell, start, len(text))


def _says_something(span: Span) -> bool:
    return any(map(str.isalnum, span.text))


def _nearest(span: Span, columns: Sequence[Column]) -> str:
    return _column_of(span, columns, numeric=_is_number(span))


def _numbers_at_end(
    part: Span, columns: Sequence[Column], mentions: Mentions
) -> Generator[Piece, None, int]:
    """Amounts behind the part's text, last first; returns where the rest ends."""
    cell, end = part.cell, part.end
    height = mentions.layout.page_of(cell).letter_height
    for amount in reversed(mentions.amounts(cell)):
        if amount.span.end > end:
            continue
        rest = Span(
            cell, part.start, part.start + len(cell.text[part.start : amount.span.start].rstrip())
        )
        if amount.span.start <= part.start or not rest.text:
            break
        if amount.span.end < len(cell.text[:end].rstrip()):
            break
        column = _column_of(amount.span, columns, numeric=True)
        own = _column_of(rest, columns, numeric=False)
        if column == own or not is_numeric(column):
            break
        if not _stands_at(amount.span, columns, column, height):
            break
        yield Piece(amount.span, column)
        end = amount.span.start
    return end


def _words_at_start(part: Span, end: int, columns: Sequence[Column]) -> Generator[Piece, None, int]:
    """Positions, codes, quantities, units before the part's text; returns where that starts."""
    cell, start = part.cell, part.start
    words = [
        (word, offset)
        for word, offset in zip(cell.line.words, cell.word_starts, strict=True)
        if offset >= start
    ]
    for word, offset in words[:_MOST_LEADING]:
        behind = offset + len(word.text) + 1
        if behind >= end:
            break
        first, rest = Span(cell, offset, behind - 1), Span(cell, behind, end)
        column = _column_of(first, columns, numeric=False)
        other = _column_of(rest, columns, numeric=False)
        if column not in _LEADING or column == other or not _overlaps(first, columns, column):
            break
        if column != "unit" and not any(map(str.isdigit, word.text)):
            break
        if column in _COUNTING and not _overlaps(rest, columns, other):
            break  # "20 pcs" without a column for the unit
        yield Piece(first.stripped(" \t:;,#"), column)
        start = behind
    return start


def _stands_at(span: Span, columns: Sequence[Column], name: str, height: float) -> bool:
    """Whether a span stands under a column's header or less than two letters beside it."""
    return any(c.name == name and c.box.overlap_x(span.box) > -2 * height for c in columns)


def _overlaps(span: Span, columns: Sequence[Column], name: str) -> bool:
    return any(c.name == name and c.box.overlap_x(span.box) > 0 for c in columns)


def is_numeric(column: str) -> bool:
    """Whether numbers stand in a column of that name; they may in one whose name is unknown."""
    return column in NUMERIC_COLUMNS or column.startswith(UNNAMED)


def _is_number(span: Span) -> bool:
    letters = sum(map(str.isalpha, span.text))
    digits = sum(map(str.isdigit, span.text))
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
    if numeric and over.box.overlap_x(box) > -_BESIDE * box.height:
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
        has_content = any(map(str.isalnum, piece.span.text))
        if near and has_content:
            rival = item.cells.get(piece.column)
            if rival is None or (
                abs(rival.middle - item.anchor.middle) > abs(piece.middle - item.anchor.middle)
            ):
                item.cells[piece.column] = piece
    describe(items, [p for p in pieces if p.column == "description"], height)
    return items
