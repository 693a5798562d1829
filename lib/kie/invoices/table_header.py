"""Header rows of the line-item table: which column stands where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lib.domain.document import PageSource
from lib.kie.boxes import Box, bounding_box
from lib.kie.invoices.labels import Labels
from lib.kie.invoices.table_roles import UNNAMED
from lib.kie.layout import Cell, Layout, Row, Span
from lib.kie.lexicon import LabelKind, LabelMatch
from lib.kie.mentions import Mentions

ITEM_COLUMNS = (
    "position", "product_code", "description", "quantity", "unit", "unit_price", "discount",
    "tax_rate", "amount",
)  # fmt: skip
NUMERIC_COLUMNS = frozenset(
    {
        "position",
        "quantity",
        "unit_price",
        "discount",
        "tax_rate",
        "amount",
        "gross_amount",
        "tax_amount",
    }
)

_WELL_SPELLED, _FOREIGN_LETTERS = 0.9, 3  # of a heading in another language than the document's
_MOSTLY = 0.5  # of a header cell's letters belong to column names
_FEWEST_COLUMNS, _FEWEST_KNOWN = 3, 2
_LONGEST_NAME = 3  # words of a column's name that no lexicon has
_WIDE_GAP, _WIDE_GAP_EXACT = 1.6, 1.3  # spaces between words of two headings
_STACK_GAP = 0.9  # letter heights between the rows of one header
_LARGEST_OPTIONS = 4
_ROWS_BELOW = 8  # a heading that show whether two of its words head one column
_MOST_COLUMNS = 14
_AMOUNT_LAST = 0.4
_DESCRIBED = 0.5
_PRICES = ("unit_price", "amount", "gross_amount")
# How usual a place is, from the left 0 to the right 1; breaks ties between meanings of one word.
_USUAL_PLACE = {
    "position": 0.0, "product_code": 0.15, "description": 0.3, "quantity": 0.5, "unit": 0.55,
    "unit_price": 0.7, "discount": 0.78, "tax_rate": 0.8, "tax_amount": 0.88, "amount": 0.95,
    "gross_amount": 1.0, "date": 0.2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and its header's box.

    The name is one of ITEM_COLUMNS or of those beside them, or begins with UNNAMED.
    """

    name: str
    box: Box


@dataclass(frozen=True, slots=True)
class Header:
    """The header on one page: its columns left to right, its first and last row."""

    columns: tuple[Column, ...]
    first_row: int
    last_row: int
    page_number: int

    @property
    def names(self) -> frozenset[str]:
        """Names of the columns."""
        return frozenset(column.name for column in self.columns)


@dataclass(slots=True)
class _Slot:
    """One column's header while it is put together from the rows of a stacked header."""

    spans: list[Span]
    names: frozenset[str] = frozenset()

    @property
    def box(self) -> Box:
        return bounding_box([span.box for span in self.spans])


def find_headers(layout: Layout, mentions: Mentions, labels: Labels) -> list[Header]:
    """Headers of item tables in reading order; at most one begins in any row."""
    found: list[Header] = []
    for page in layout.pages:
        last = -1
        for row in page.rows:
            if row.index <= last or not _is_seed(row, mentions, labels):
                continue
            header = _header_at(layout, mentions, labels, page.rows, row)
            if header:
                found.append(header)
                last = header.last_row
    return found


def _is_seed(row: Row, mentions: Mentions, labels: Labels) -> bool:
    if any(a.match.decimals for cell in row.cells for a in mentions.amounts(cell)):
        return False
    slots = list(_slots(row, mentions, labels))
    names = {name for _, names in slots for name in names}
    text = bool(names & {"description", "product_code", "quantity"})
    if len(slots) < _FEWEST_KNOWN or not text or not names & set(_PRICES):
        return False
    unknown = len(_unknown_parts(row, slots, mentions))
    if len(slots) + unknown < _FEWEST_COLUMNS:
        return not unknown and len(row.cells) == len(slots) and "description" in names
    return len(slots) >= _FEWEST_COLUMNS or unknown <= len(slots)


def _unknown_parts(
    row: Row, slots: Sequence[tuple[Span, frozenset[str]]], mentions: Mentions
) -> list[Span]:
    """Short texts of a header row in which no column's name is known."""
    known = [span for span, _ in slots]
    return [
        part
        for cell in row.cells
        for part in _header_parts(cell, mentions)
        if not any(s.cell is cell and s.start < part.end and part.start < s.end for s in known)
        and len(part.text.split()) <= _LONGEST_NAME
        and not any(c.isdigit() or c == ":" for c in part.text)
        and any(c.isalpha() or c in "%#№" for c in part.text)
    ]


def _slots(row: Row, mentions: Mentions, labels: Labels) -> Iterator[tuple[Span, frozenset[str]]]:
    for cell in row.cells:
        for part in _header_parts(cell, mentions):
            found = _column_labels(part, mentions, labels)
            letters = sum(c.isalnum() or c in "%#№" for c in part.text)
            named = sum(c.isalnum() or c in "%#№" for span, _ in found for c in span.text)
            if found and named >= _MOSTLY * letters:
                yield from found


def _header_parts(cell: Cell, mentions: Mentions) -> list[Span]:
    """The cell cut where more than a space parts two of its words: headings set close together."""
    boxes, page = cell.word_boxes, mentions.layout.page_of(cell)
    exact = page.page.source is PageSource.TEXT_LAYER
    least = (_WIDE_GAP_EXACT if exact else _WIDE_GAP) * page.space
    parts, start = [], 0
    for index in range(1, len(boxes)):
        offset = cell.word_starts[index]
        gap = boxes[index].x0 - boxes[index - 1].x1
        if gap > least:
            parts.append(Span(cell, start, offset - 1))
            start = offset
    return [*parts, Span(cell, start, len(cell.text))]


def _column_labels(
    part: Span, mentions: Mentions, labels: Labels
) -> list[tuple[Span, frozenset[str]]]:
    """The headings in the part, with what they name.

    Phrases that share a meaning are one heading ("Total CHF"); so are others in one word, and
    those where single words of the rows below reach under both.
    """
    found: list[tuple[Span, frozenset[str]]] = []
    cell = part.cell
    for match in mentions.lexicon.find(part.text):
        span = Span(cell, part.start + match.start, part.start + match.end)
        names = frozenset(
            _columns_of(match, labels) or _columns_of_first_word(span, mentions, labels)
        )
        if not names:
            continue
        if found and found[-1][1] & names:
            first, shared = found.pop()
            found.append((Span(cell, first.start, span.end), shared & names))
        elif found and (
            " " not in cell.text[found[-1][0].end : span.start]
            or _is_one_column(found[-1][0], span, mentions)
        ):
            first, other = found.pop()
            found.append((Span(cell, first.start, span.end), other | names))
        else:
            found.append((span, names))
    return found


def _is_one_column(left: Span, right: Span, mentions: Mentions) -> bool:
    """Whether words below two headings stand under both of them: then the two are one."""
    rows = mentions.layout.rows
    page_number = left.cell.page_number
    under_one = under_both = 0
    left_box, right_box = left.box, right.box
    for row in rows[left.cell.row + 1 : left.cell.row + 1 + _ROWS_BELOW]:
        if row.page_number != page_number:
            break
        for box in (box for cell in row.cells for box in cell.word_boxes):
            over_left, over_right = box.overlap_x(left_box) > 0, box.overlap_x(right_box) > 0
            under_both += over_left and over_right
            under_one += over_left != over_right
    return under_both > under_one


def _columns_of(match: LabelMatch, labels: Labels) -> list[str]:
    """Columns that the phrase names in the document's languages, else in any other."""
    columns = [label for label in match.labels if label.kind is LabelKind.COLUMN]
    own = [label.name for label in columns if label.language in labels.languages]
    if not own and match.score >= _WELL_SPELLED and match.end - match.start >= _FOREIGN_LETTERS:
        own = [label.name for label in columns]
    return list(dict.fromkeys(own))


def _columns_of_first_word(span: Span, mentions: Mentions, labels: Labels) -> list[str]:
    """Columns of a label's first word where all of it names a sum: "Total CHF", "Total EUR"."""
    first, *rest = span.text.split()
    found = mentions.lexicon.find(first) if rest else ()
    return _columns_of(found[0], labels) if len(found) == 1 else []


def _header_at(
    layout: Layout, mentions: Mentions, labels: Labels, rows: Sequence[Row], seed: Row
) -> Header | None:
    known = list(_slots(seed, mentions, labels))
    slots = [_Slot([span], names) for span, names in known]
    slots += [_Slot([part]) for part in _unknown_parts(seed, known, mentions)]
    stack = _stack(layout, mentions, rows, seed, slots)
    for row in stack:
        if row is seed:
            continue
        for cell in row.cells:
            _join(slots, cell.span)
    if len(slots) > _MOST_COLUMNS:
        return None
    slots.sort(key=lambda slot: slot.box.x0)
    options = [_options(slot, mentions, labels) for slot in slots]
    names = _described(_resolve(slots, options), slots)
    columns = tuple(
        Column(name or f"{UNNAMED} {index}", slot.box)
        for index, (slot, name) in enumerate(zip(slots, names, strict=True))
    )
    if not any(column.name == "amount" for column in columns):
        return None
    return Header(columns, stack[0].index, stack[-1].index, seed.page_number)


def _stack(
    layout: Layout, mentions: Mentions, rows: Sequence[Row], seed: Row, slots: Sequence[_Slot]
) -> list[Row]:
    """The seed with the rows right above and below that hold the rest of its words."""
    height = layout.page_of(seed.cells[0]).letter_height
    at = seed.index - rows[0].index
    known = [span for slot in slots for span in slot.spans]
    stack = [seed]
    for step in (-1, 1):
        edge, index = seed, at + step
        while 0 <= index < len(rows) and abs(index - at) <= 3:
            row = rows[index]
            gap = max(row.box.y0 - edge.box.y1, edge.box.y0 - row.box.y1)
            if gap > _STACK_GAP * height or not _is_header_text(row, known, mentions, height):
                break
            stack.append(row)
            known.extend(cell.span for cell in row.cells)
            edge, index = row, index + step
    return sorted(stack, key=lambda row: row.index)


def _is_header_text(row: Row, known: Sequence[Span], mentions: Mentions, height: float) -> bool:
    """Whether a row next to the header has short words that name columns or go on with names."""
    if any(c.isdigit() for cell in row.cells for c in cell.text):
        return False
    short = all(
        len(cell.line.words) <= 3 and cell.box.width < 14 * height and ":" not in cell.text
        for cell in row.cells
    )
    return short and any(_continues_header(cell, known, mentions) for cell in row.cells)


def _continues_header(cell: Cell, known: Sequence[Span], mentions: Mentions) -> bool:
    """Whether a cell names a column, or goes on with the name that stands over or under it."""
    letters = sum(map(str.isalnum, cell.text))
    if _named_letters(cell.text, mentions) >= _MOSTLY * max(1, letters):
        return True
    beside = [span for span in known if span.box.overlap_x(cell.box) > 0]
    joined = _in_order([*beside, cell.span])
    return _named_letters(joined, mentions) > _named_letters(_in_order(beside), mentions)


def _named_letters(text: str, mentions: Mentions) -> int:
    """Letters of the text's column names."""
    return sum(
        sum(map(str.isalnum, text[match.start : match.end]))
        for match in mentions.lexicon.find(text)
        if match.columns
    )


def _in_order(spans: Sequence[Span]) -> str:
    return " ".join(
        span.text for span in sorted(spans, key=lambda span: (span.cell.row, span.start))
    )


def _join(slots: list[_Slot], span: Span) -> None:
    """Add a word of a stacked header to the column that it stands over or under."""
    box = span.box
    best = max(slots, key=lambda slot: slot.box.overlap_x(box))
    if best.box.overlap_x(box) > 0:
        best.spans.append(span)
    else:
        slots.append(_Slot([span]))


def _options(slot: _Slot, mentions: Mentions, labels: Labels) -> tuple[str, ...]:
    """What the slot's words may name: those of all its words together first, then of each."""
    text = _in_order(slot.spans)
    names: dict[str, None] = {}
    for match in sorted(mentions.lexicon.find(text), key=lambda m: m.start - m.end):
        for name in _columns_of(match, labels):
            names.setdefault(name)
    for name in sorted(slot.names):
        names.setdefault(name)
    found = list(names)[:_LARGEST_OPTIONS]
    # "Price" may head the line's amount too where another price stands left of it, and "VAT" the
    # tax where the rate has a column of its own.
    if "tax_rate" in found and "%" not in text:
        found.append("tax_amount")
    return tuple(dict.fromkeys([*found, *(["amount"] if set(found) & set(_PRICES) else [])]))


def _resolve(slots: Sequence[_Slot], options: Sequence[tuple[str, ...]]) -> list[str | None]:
    """One name a slot, none twice: the reading whose columns stand where they usually do."""
    left, right = slots[0].box.x0, max(slot.box.x1 for slot in slots)
    width = max(1.0, right - left)
    places = [(slot.box.center_x - left) / width for slot in slots]
    best: tuple[float, list[str | None]] = (-1.0, [])

    def search(index: int, taken: list[str | None], score: float) -> None:
        nonlocal best
        if score + (len(slots) - index) + _AMOUNT_LAST + _DESCRIBED <= best[0]:
            return  # not even if all other columns stood in their places
        if index == len(slots):
            score += _AMOUNT_LAST * _amount_is_last(taken) + _DESCRIBED * ("description" in taken)
            if score > best[0]:
                best = (score, list(taken))
            return
        for rank, name in enumerate(options[index]):
            if name not in taken:
                worth = 1.0 - 0.15 * rank - 0.8 * abs(places[index] - _USUAL_PLACE.get(name, 0.5))
                search(index + 1, [*taken, name], score + max(worth, 0.05))
        search(index + 1, [*taken, None], score)

    search(0, [], 0.0)
    names = best[1]
    if "amount" not in names:
        names = _rightmost_price(names)
    return names


def _described(names: list[str | None], slots: Sequence[_Slot]) -> list[str | None]:
    """Without a known heading of descriptions, the unknown one with the widest room behind it."""
    if "description" in names:
        return names
    room = {
        index: slots[index + 1].box.x0 - slots[index].box.x0
        for index, name in enumerate(names[:-1])
        if name is None
    }
    if not room:
        return names
    widest = max(room, key=lambda index: room[index])
    return ["description" if i == widest else name for i, name in enumerate(names)]


def _amount_is_last(names: Sequence[str | None]) -> bool:
    """Whether no unit price stands behind the line's amount."""
    if "amount" not in names or "unit_price" not in names:
        return "amount" in names
    return names.index("unit_price") < names.index("amount")


def _rightmost_price(names: Sequence[str | None]) -> list[str | None]:
    """Without a column of that name, the price furthest to the right is the line's amount."""
    changed = list(names)
    for index in range(len(changed) - 1, -1, -1):
        if changed[index] in ("gross_amount", "unit_price"):
            changed[index] = "amount"
            break
    return changed
