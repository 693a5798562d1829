"""Descriptions of line items: which lines belong to which item, and which to none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lib.kie.layout import Span

_SAME_LINE = 0.7  # letter heights between middles
_WRAP_GAP = 1.0  # letter heights between a description's lines
_PITCHES_APART = 1.12  # lines of one text stand closer than those of two items
_FEW = 0.5  # of the items: as few lines that nobody owns are headings of groups
_GROUPED = 3  # items: of fewer nobody makes groups
_FILLED = 0.65  # of the room up to the next column: a text that wraps has filled that much
_LOOSE = 1.45  # letter heights from line to line: no text is set so wide


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


def describe(items: Sequence[Item], pieces: Sequence[Piece], height: float) -> None:
    """Give each description line to its item: beside its numbers, then the lines that wrap.

    Lines of one text stand closer to each other than the rows of the table, where it has room; what
    then stands alone is the heading of a group. Otherwise wraps follow their first line, unless
    lines stand above the first item.
    """
    ordered = sorted(pieces, key=lambda piece: (piece.middle, piece.span.box.x0))
    left: list[Piece] = []
    owners: dict[int, Item] = {}
    for index, piece in enumerate(ordered):
        item = _beside(items, piece, height)
        if item:
            item.description.append(piece)
            owners[index] = item
        else:
            left.append(piece)
    if left and not _by_paragraphs(ordered, owners, len(items), height):
        headings = _headings(ordered, owners, items)
        _by_direction(items, [piece for piece in left if piece not in headings], height)
    for item in items:
        item.description.sort(key=lambda p: (p.middle, p.span.box.x0))


def _beside(items: Sequence[Item], piece: Piece, height: float) -> Item | None:
    """The item whose numbers stand in the line."""
    reach = _SAME_LINE * height / 2
    beside = [i for i in items if i.top - reach <= piece.middle <= i.bottom + reach]
    return min(beside, key=lambda item: abs(item.anchor.middle - piece.middle), default=None)


def _by_paragraphs(
    ordered: Sequence[Piece], owners: dict[int, Item], count: int, height: float
) -> bool:
    """Lines that stand closer together than the items do, as one text; False where none do."""
    paragraphs = _paragraphs(ordered)
    owned = [
        list(dict.fromkeys(id(owners[i]) for i in lines if i in owners)) for lines in paragraphs
    ]
    if len(paragraphs) == 1 or any(len(ids) > 1 for ids in owned):
        return False
    lost = [lines for lines, ids in zip(paragraphs, owned, strict=True) if not ids]
    if len(lost) > _FEW * count or not _pitch_tells(ordered, paragraphs, height):
        return False
    for lines, ids in zip(paragraphs, owned, strict=True):
        item = next((owners[i] for i in lines if i in owners), None)
        if ids and item:
            item.description.extend(ordered[i] for i in lines if i not in owners)
    return True


def _paragraphs(ordered: Sequence[Piece]) -> list[list[int]]:
    """Runs of lines, by index, with about the least distance from line to line."""
    steps = [b.middle - a.middle for a, b in pairwise(ordered)]
    distinct = [step for a, step in zip(ordered, steps, strict=False) if step > 0.5 * _size(a)]
    least = min(distinct, default=0.0)
    runs: list[list[int]] = [[0]]
    for index, step in enumerate(steps, start=1):
        if step <= _PITCHES_APART * least:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _pitch_tells(
    ordered: Sequence[Piece], paragraphs: Sequence[Sequence[int]], height: float
) -> bool:
    """Whether some text has two lines, or all lines are too far apart for that."""
    if any(len(lines) > 1 for lines in paragraphs):
        return True
    steps = [b.middle - a.middle for a, b in pairwise(ordered)]
    return min(steps, default=0.0) > _LOOSE * height


def _size(piece: Piece) -> float:
    return piece.span.cell.box.height


def _headings(
    ordered: Sequence[Piece], owners: dict[int, Item], items: Sequence[Item]
) -> list[Piece]:
    """Lines that head a group of items, where they are few: texts that leave their line unfilled.

    Each stands right above a line with numbers, and neither goes on there nor goes on from above:
    the next word would have had room. The first one stands above all items.
    """
    edge = _right_edge(ordered, items)

    def goes_on(index: int) -> bool:
        word = ordered[index].span.cell.word_boxes[0]
        if ordered[index].span.text[:1].islower():
            return True
        return ordered[index - 1].span.box.x1 + 0.3 * word.height + word.width > edge

    found = [
        piece
        for index, piece in enumerate(ordered[:-1])
        if index not in owners
        and index + 1 in owners
        and not goes_on(index + 1)
        and not (index and goes_on(index))
    ]
    few = len(items) >= _GROUPED and len(found) <= _FEW * len(items)
    return found if few and found and found[0] is ordered[0] else []


def _right_edge(ordered: Sequence[Piece], items: Sequence[Item]) -> float:
    """How far descriptions reach: as the longest line, or most of the way to the next column."""
    left = min(piece.span.box.x0 for piece in ordered)
    longest = max(piece.span.box.x1 for piece in ordered)
    numbers = [
        piece.span.box.x0
        for item in items
        for piece in (item.anchor, *item.cells.values())
        if piece.span.box.x0 > left
    ]
    return max(longest, left + _FILLED * (min(numbers, default=left) - left))


def _by_direction(items: Sequence[Item], left: Sequence[Piece], height: float) -> None:
    """Wraps below their items; above them where lines stand over the first item."""
    if not left:
        return
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
