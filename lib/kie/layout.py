"""The geometry of read pages: deskewed cells, rows and blocks, and where characters lie.

A cell is a placed `Line` (words without a column gap); a row is the cells on one baseline. Lengths
are pixels of the upright page image, turned by the page's median text angle so that rows are level.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from statistics import median

from lib.domain.document import Line, Page, Word
from lib.kie.boxes import Box, bounding_box
from lib.kie.deskew import Placed, median_angle, place

_SAME_ROW_OVERLAP = 0.5  # of the smaller height
_COLUMN_CLASH = 0.35  # of the smaller width: more than that lies above or below, not beside
_OPEN_ROWS = 8  # how many of the last rows may still take a cell
# No print has more side by side: without bounds the words of hostile lines would be compared each
# with each, and patterns would be tried from each letter to the end of its line.
_WIDEST_ROW = 200  # words
_LONGEST_CELL = 100  # words
_MOST_LETTERS = 500  # of a cell, spaces included
_LONGEST_WORD = 200  # letters: longer runs are data such as a seal, and no field's value


@dataclass(frozen=True, eq=False)
class Cell:
    """A line of words in its place.

    `index` counts all cells of the document row by row, `row` all rows of the document, `column`
    the cells of the row from the left. `height_ratio` is its letter height over the page's median.
    """

    line: Line
    box: Box
    word_boxes: tuple[Box, ...]
    page_number: int
    index: int
    row: int
    column: int
    height_ratio: float

    @cached_property
    def text(self) -> str:
        """The words joined by one space; spans count characters of this text."""
        return self.line.text

    @cached_property
    def word_starts(self) -> tuple[int, ...]:
        """Where each word starts in `text`."""
        starts, at = [], 0
        for word in self.line.words:
            starts.append(at)
            at += len(word.text) + 1
        return tuple(starts)

    @cached_property
    def span(self) -> Span:
        """All of the cell."""
        return Span(self, 0, len(self.text))


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a cell's text."""

    cell: Cell
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters."""
        return self.cell.text[self.start : self.end]

    @property
    def words(self) -> tuple[Word, ...]:
        """The words that hold at least one of the characters."""
        first, last = self._word_range()
        return self.cell.line.words[first:last]

    @property
    def box(self) -> Box:
        """Where the characters lie; inside a word their place is interpolated by their count."""
        first, last = self._word_range()
        if first >= last:
            return self.cell.box
        x0 = self._x_at(self.start, first, first_side=True)
        x1 = self._x_at(self.end, last - 1, first_side=False)
        boxes = self.cell.word_boxes[first:last]
        y0, y1 = min(b.y0 for b in boxes), max(b.y1 for b in boxes)
        return Box(min(x0, x1), y0, max(x0, x1), y1)

    def stripped(self, characters: str = " \t:;,-–—#") -> Span:
        """Without these characters at either end."""
        text = self.text
        start = self.start + len(text) - len(text.lstrip(characters))
        return Span(self.cell, min(start, self.end), self.start + len(text.rstrip(characters)))

    def _word_range(self) -> tuple[int, int]:
        starts = self.cell.word_starts
        first = max(0, bisect_right(starts, self.start) - 1)
        if self.start >= starts[first] + len(self.cell.line.words[first].text):
            first += 1  # the span starts at the space behind that word
        return first, bisect_right(starts, self.end - 1) if self.end > self.start else first

    def _x_at(self, offset: int, word_index: int, *, first_side: bool) -> float:
        box = self.cell.word_boxes[word_index]
        length = len(self.cell.line.words[word_index].text)
        inside = offset - self.cell.word_starts[word_index]
        if first_side and inside <= 0:
            return box.x0
        return box.x0 + box.width * min(1.0, inside / max(1, length))


@dataclass(frozen=True, eq=False)
class Row:
    """Cells on one baseline, left to right. `index` counts rows over all pages."""

    index: int
    page_number: int
    cells: tuple[Cell, ...]

    @cached_property
    def text(self) -> str:
        """The cells' texts joined by two spaces."""
        return "  ".join(cell.text for cell in self.cells)

    @cached_property
    def box(self) -> Box:
        """The box around the cells."""
        return bounding_box([cell.box for cell in self.cells])

    def cells_right_of(self, cell: Cell) -> tuple[Cell, ...]:
        """The row's cells behind this one."""
        return self.cells[cell.column + 1 :]

    def cells_left_of(self, cell: Cell) -> tuple[Cell, ...]:
        """The row's cells before this one."""
        return self.cells[: cell.column]


@dataclass(frozen=True, eq=False)
class Block:
    """Cells that stand together as one paragraph or column: close below each other and aligned."""

    cells: tuple[Cell, ...]

    @cached_property
    def box(self) -> Box:
        """The box around the cells."""
        return bounding_box([cell.box for cell in self.cells])


@dataclass(frozen=True, eq=False)
class PageLayout:
    """One page's rows. `angle` in radians, `letter_height` the median cell height in pixels."""

    page: Page
    rows: tuple[Row, ...]
    angle: float
    letter_height: float

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, row by row."""
        return tuple(cell for row in self.rows for cell in row.cells)

    @cached_property
    def box(self) -> Box:
        """The box around everything printed; the page itself when it is blank."""
        if not self.rows:
            return Box(0.0, 0.0, float(self.page.width), float(self.page.height))
        return bounding_box([row.box for row in self.rows])

    @cached_property
    def space(self) -> float:
        """The usual gap between two words of a cell; half a letter height where there is none."""
        gaps = [
            right.x0 - left.x1
            for cell in self.cells
            for left, right in pairwise(cell.word_boxes)
            if right.x0 > left.x1
        ]
        return median(gaps) if gaps else 0.5 * self.letter_height

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The page's blocks, by their first cells in reading order."""
        return _blocks(self)


@dataclass(frozen=True, eq=False)
class Layout:
    """A document's pages, with rows numbered through."""

    pages: tuple[PageLayout, ...]
    _by_number: dict[int, PageLayout] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_number", {p.page.number: p for p in self.pages})

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """All rows of all pages: `rows[i].index == i`."""
        return tuple(row for page in self.pages for row in page.rows)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells of all pages: `cells[i].index == i`."""
        return tuple(cell for page in self.pages for cell in page.cells)

    def page_of(self, cell: Cell) -> PageLayout:
        """The page that a cell stands on."""
        return self._by_number[cell.page_number]

    def row_of(self, cell: Cell) -> Row:
        """The row that a cell stands in."""
        return self.rows[cell.row]

    def below(self, box: Box, row: int, reach: int = 3) -> Iterator[Cell]:
        """Cells of the next `reach` rows of the page that lie under `box` with some width."""
        yield from self._vertical(box, row, range(row + 1, min(len(self.rows), row + reach + 1)))

    def above(self, box: Box, row: int, reach: int = 3) -> Iterator[Cell]:
        """Cells of the `reach` rows before, nearest first, that lie over `box` with some width."""
        yield from self._vertical(box, row, range(row - 1, max(-1, row - reach - 1), -1))

    def _vertical(self, box: Box, row: int, indices: range) -> Iterator[Cell]:
        page_number = self.rows[row].page_number
        for index in indices:
            other = self.rows[index]
            if other.page_number != page_number:
                return
            yield from (cell for cell in other.cells if cell.box.overlap_x(box) > 0)


def lay_out(pages: Sequence[Page]) -> Layout:
    """Place the words of pages: median skew removed, lines grouped into rows."""
    laid, rows_before, cells_before = [], 0, 0
    for page in pages:
        page_layout = _lay_out_page(page, rows_before, cells_before)
        rows_before += len(page_layout.rows)
        cells_before += len(page_layout.cells)
        laid.append(page_layout)
    return Layout(tuple(laid))


def _lay_out_page(page: Page, rows_before: int, cells_before: int) -> PageLayout:
    lines = [part for line in page.lines for part in _parts(line)]
    angle = median_angle(page, lines)
    placed = [place(page, line, angle) for line in lines]
    letter_height = median(p.box.height for p in placed) if placed else 1.0
    letter_height = max(letter_height, 1e-6)
    rows: list[Row] = []
    index = cells_before
    for number, members in enumerate(_group_rows(placed), start=rows_before):
        cells = []
        for column, member in enumerate(members):
            ratio = member.box.height / letter_height
            cells.append(
                Cell(
                    member.line,
                    member.box,
                    member.word_boxes,
                    page.number,
                    index,
                    number,
                    column,
                    ratio,
                )
            )
            index += 1
        rows.append(Row(number, page.number, tuple(cells)))
    return PageLayout(page, tuple(rows), angle, letter_height)


def _parts(line: Line) -> Iterator[Line]:
    """The line, or its parts within the bounds of a cell; nothing for a line without words."""
    part: list[Word] = []
    letters = 0
    for word in line.words:
        length = len(word.text) + 1
        if length > _LONGEST_WORD:
            continue
        if len(part) == _LONGEST_CELL or letters + length > _MOST_LETTERS:
            yield Line(tuple(part))
            part, letters = [], 0
        part.append(word)
        letters += length
    if len(part) == len(line.words) and part:
        yield line
    elif part:
        yield Line(tuple(part))


def _common_height(item: Placed, row: Sequence[Placed]) -> float:
    """How far an item overlaps the row's horizontally nearest cell; 0 if it is no part of it."""
    box = item.box
    if sum(len(p.word_boxes) for p in row) + len(item.word_boxes) > _WIDEST_ROW:
        return 0.0
    nearest = max(row, key=lambda other: other.box.overlap_x(box)).box
    overlap = box.overlap_y(nearest)
    if overlap <= _SAME_ROW_OVERLAP * min(box.height, nearest.height):
        return 0.0
    clash = nearest.overlap_x(box) / max(1e-6, min(box.width, nearest.width))
    return overlap if clash < _COLUMN_CLASH else 0.0


def _group_rows(placed: Sequence[Placed]) -> list[list[Placed]]:
    """Cells by baseline; a cell joins the row whose horizontally nearest cell it overlaps most."""
    rows: list[list[Placed]] = []
    extents: list[tuple[float, float]] = []
    for item in sorted(placed, key=lambda p: p.box.center_y):
        top, bottom = item.box.y0, item.box.y1
        best, most = len(rows), 0.0
        for index in range(max(0, len(rows) - _OPEN_ROWS), len(rows)):
            # Most rows lie above or below: that is seen without looking at their cells.
            if extents[index][1] > top and extents[index][0] < bottom:
                overlap = _common_height(item, rows[index])
                if overlap > most:
                    best, most = index, overlap
        if best < len(rows):
            rows[best].append(item)
            extents[best] = (min(extents[best][0], top), max(extents[best][1], bottom))
        else:
            rows.append([item])
            extents.append((top, bottom))
    for row in rows:
        row.sort(key=lambda p: p.box.x0)
    rows.sort(key=lambda row: sum(p.box.center_y for p in row) / len(row))
    return rows


def _blocks(page: PageLayout) -> tuple[Block, ...]:
    """Join a cell to the nearest one above when the gap is under a line and their edges agree."""
    parent = {cell.index: cell.index for cell in page.cells}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first_row = page.rows[0].index if page.rows else 0
    for row in page.rows:
        before = [
            cell
            for other in page.rows[max(0, row.index - first_row - 2) : row.index - first_row]
            for cell in other.cells
        ]
        for cell in row.cells:
            near = [c for c in before if _continues(c, cell)]
            if near:
                nearest = max(near, key=lambda c: c.box.y1)
                parent[root(cell.index)] = root(nearest.index)
    members: dict[int, list[Cell]] = {}
    for cell in page.cells:
        members.setdefault(root(cell.index), []).append(cell)
    return tuple(Block(tuple(cells)) for cells in members.values())


def _continues(upper: Cell, lower: Cell) -> bool:
    height = min(upper.box.height, lower.box.height)
    gap = lower.box.y0 - upper.box.y1
    aligned = min(
        abs(upper.box.x0 - lower.box.x0),
        abs(upper.box.x1 - lower.box.x1),
        abs(upper.box.center_x - lower.box.center_x),
    )
    return gap < 0.9 * height and upper.box.overlap_x(lower.box) > 0 and aligned < 1.5 * height
