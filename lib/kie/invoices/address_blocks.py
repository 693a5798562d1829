"""Address blocks: lines that stand together above a line with a post code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from lib.kie.invoices.reading import Reading
from lib.kie.layout import Cell, Span
from lib.values.identifiers import find_emails, find_tax_ids, find_urls

# A post code beside a place: digits first (most of Europe, Latin America, Russia), place first
# (US, Canada, Britain, Australia, Malaysia/Indonesia by their five digits).
_POSTAL_LINES = (
    re.compile(r"^(?:[A-Z]{1,3}[ -]{1,3})?\d{4,6}(?: ?[A-Z]{2})?[ ,]+(?:[^\W\d]\. ?)?[^\W\d]{2,}"),
    re.compile(r"^(?:[A-Z]\. ?){1,3}\d{4,6}[ ,]+[^\W\d]{2,}"),
    re.compile(r"^(?:[A-Z]{1,3}[ -])?\d{2,3}[- ]\d{2,3}[ ,]+[^\W\d]{2,}"),
    re.compile(r"^(?:[A-Z]{1,3}-)?\d{4}-\d{3}[ ,]+[^\W\d]{2,}"),
    re.compile(r"[^\W\d][\w .'-]*,? +[A-Z]{2,3}\.?,? +\d{4,5}(?:-\d{4})?\b"),
    re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b"),
    re.compile(r"\b[A-Z]\d[A-Z] ?\d[A-Z]\d\b"),
    re.compile(r"(?:^|, ?)(?:[A-Z]{1,2}-)?\d{5,6},? [^\W\d]{3,}"),
    re.compile(r"\b\d{5}-\d{3}\b"),
    re.compile(r"[^\W\d]{3,}[ ,–-]+\d{5,6}\.?$"),
    re.compile(r"^[^\W\d][^\W\d .'-]{2,} ?[–-] ?\d{3} ?\d{3}, ?[^\W\d]{3,}"),  # India, its state
    re.compile(r"^\d{5}[^\W\d_a-z][^\W\d_A-Z]{2,}"),  # the space lost
)
_SEPARATORS = re.compile(r"\s+[|•●·∙*■▪.–—-]\s+|\s*[|•●·]\s*|\s{2,}|, ")
_STRONG_SEPARATORS = re.compile(r"\s*[|•●·]\s*|\s{2,}")
_POSTAL_INSIDE = re.compile(r"\d{4,6} [^\W\d_]{3,}")
_HOUSE_NUMBER = re.compile(r"^\d+\b|[ .]\d{1,4} ?[a-zA-Z]?$")
_HOUSE_NUMBER_AT_END = re.compile(r"[^\W\d_]{3,}.*?[ .,]\d{1,4} ?[a-zA-Z]?[,.·–-]?$")
_CODE_SIGN = re.compile(r"(?:[A-Z]\. ?){2,3}\d")  # "C.P. 26546"
_COUNTRY = 20  # letters of its name
_SPLIT_GAP = 2.5  # letter heights
_LONGEST_LINE = 11  # words: longer lines are sentences
# Labelled lines that a party's block may hold.
_OWN_NUMBERS = frozenset(
    {
        "vendor_tax_id", "customer_tax_id", "vendor_registration_id", "vendor_phone",
        "vendor_email", "vendor_website", "customer_id",
    }
)  # fmt: skip
_REGISTERS = frozenset({"vendor_registration_id", "vendor_tax_id", "customer_tax_id"})
_PARTY_FIELDS = frozenset(
    {"vendor_name", "vendor_address", "customer_name", "customer_address", "shipping_address"}
)
_LINES_ABOVE = 6
_LINES_BELOW = 6
_ALIGNED = 1.2  # letter heights between left edges
_FLUSH = 0.5  # letter heights between right edges or middles: no address is set so by chance
_GAP_ABOVE = 2.6  # letter heights between lines; address windows are set wide
_GAP_BELOW = 1.3


@dataclass(frozen=True, eq=False)
class AddressBlock:
    """A party's lines from its name down to its last line; `postal` is the line with the post code.

    `parts`: name, street and town where they stand in one line, as senders print them above the
    window of an envelope.
    """

    lines: tuple[Cell, ...]
    postal: Cell
    below: tuple[Cell, ...]
    parts: tuple[Span, ...] = ()

    @property
    def first(self) -> Cell:
        """The first line."""
        return self.lines[0]


def is_postal_line(text: str) -> bool:
    """Whether a line names a place with its post code; a tax number may look like one."""
    stripped = text.strip()
    if not any(pattern.search(stripped) for pattern in _POSTAL_LINES):
        return False
    return not any(match.valid for match in find_tax_ids(stripped))


def one_line_parts(cell: Cell) -> list[Span]:
    """The parts of a sender's one-line address, without separators.

    At commas too, but where they stand between a post code and its town: "1 High St | 16001, X".
    """
    parts = _parts(cell, _SEPARATORS)
    if any(is_postal_line(part.text) for part in parts[1:]):
        return parts
    strong = _parts(cell, _STRONG_SEPARATORS)
    return strong if any(is_postal_line(part.text) for part in strong[1:]) else parts


def _parts(cell: Cell, separators: re.Pattern[str]) -> list[Span]:
    parts, start = [], 0
    for match in separators.finditer(cell.text):
        parts.append(Span(cell, start, match.start()))
        start = match.end()
    parts.append(Span(cell, start, len(cell.text)))
    return [part.stripped() for part in parts if any(map(str.isalnum, part.text))]


def find_address_blocks(reading: Reading) -> list[AddressBlock]:
    """The address blocks outside the table, in reading order."""
    blocks: list[AddressBlock] = []
    taken: set[int] = set()
    for cell in reading.layout.cells:
        if cell.index in taken or not reading.outside_table(cell):
            continue
        block = _one_line_block(reading, cell) or _block_above(reading, cell, taken)
        if block:
            blocks.append(block)
            taken |= {line.index for line in block.lines}
            taken |= {line.index for line in block.below if find_tax_ids(line.text)}
    return blocks


def _one_line_block(reading: Reading, cell: Cell) -> AddressBlock | None:
    """Street and town, mostly behind a name, in one line; a name may stand above instead."""
    if len(cell.line.words) > 2 * _LONGEST_LINE:
        return None
    parts = one_line_parts(cell)
    if not any(is_postal_line(part.text) for part in parts[1:]):
        parts = _street_and_town(cell)
        if not parts or reading.labels.opening(cell):
            return _without_separators(reading, cell)
    if is_street(reading, parts[0]) or _is_named_above(reading, cell, parts[0]):
        above = [*reversed(_run(reading, cell, -1, _GAP_BELOW, 3))] or _centred_above(reading, cell)
        below = _run(reading, cell, 1, _GAP_BELOW, _LINES_BELOW)
        return AddressBlock((*above, cell), cell, tuple(below)) if above else None
    parts = town_parts(cell)
    return AddressBlock((cell,), cell, (), tuple(parts)) if len(parts) > 2 else None


def _is_named_above(reading: Reading, cell: Cell, first: Span) -> bool:
    """Whether a one-line address without a house number follows the line with its name.

    "Quantleaf Analytics Private Limited" / "4th Floor, Orchid Towers, Hyderabad 500081".
    """
    above = [*_run(reading, cell, -1, _GAP_BELOW, 1), *_centred_above(reading, cell)][:1]
    if not above or above[0].text.casefold().startswith(first.text.casefold()):
        return False
    forms = [
        any("legal_form" in m.match.cues for m in reading.mentions.labels(line))
        for line in (above[0], cell)
    ]
    return not forms[1] and (forms[0] or _opens_block(reading, above[0]))


def _street_and_town(cell: Cell) -> list[Span]:
    """Both where nothing but a space parts them: a house number ends the street before a post code.

    "Marktplatz 145a 45398 Falkenstadt".
    """
    for start in cell.word_starts[2:]:
        before, rest = Span(cell, 0, start - 1), Span(cell, start, len(cell.text))
        house = _HOUSE_NUMBER_AT_END.search(before.text)
        opens = rest.text[:1].isdigit() or _CODE_SIGN.match(rest.text)
        if house and opens and is_postal_line(rest.text):
            return [before, rest]
    return []


def town_parts(cell: Cell) -> list[Span]:
    """The parts of a one-line address up to its town and country; empty for any other line."""
    parts = one_line_parts(cell)
    if len(parts) == 1:
        parts = _street_and_town(cell)
    town = next((i for i, part in enumerate(parts) if i and is_postal_line(part.text)), None)
    if town is None:
        return []
    country = parts[town + 1 : town + 2]
    if not country or any(map(str.isdigit, country[0].text)) or len(country[0].text) > _COUNTRY:
        return parts[: town + 1]
    return [*parts[: town + 1], *country]


def _centred_above(reading: Reading, cell: Cell) -> list[Cell]:
    """The line right above a centred one."""
    height = reading.layout.page_of(cell).letter_height
    above = next(reading.layout.above(cell.box, cell.row, 1), None)
    if above is None or cell.box.y0 - above.box.y1 > _GAP_BELOW * height:
        return []
    return [] if _breaks(reading, above) else [above]


def _without_separators(reading: Reading, cell: Cell) -> AddressBlock | None:
    """The same line where a recogniser lost its separators: a legal form ends the name.

    The town may have become a cell of its own, little to the right.
    """
    row = reading.layout.row_of(cell)
    height = reading.layout.page_of(cell).letter_height
    near = [
        other
        for other in row.cells_right_of(cell)[:1]
        if other.box.x0 - cell.box.x1 < _SPLIT_GAP * height
    ]
    ends = [
        mention.span.end
        for mention in reading.mentions.labels(cell)
        if "legal_form" in mention.match.cues and mention.span.start > 0
    ]
    if not ends or reading.labels.opening(cell):
        return None
    name = Span(cell, 0, ends[0])
    street = Span(cell, ends[0], len(cell.text)).stripped()
    town = near[0].span if near else None
    if street.text and _POSTAL_INSIDE.search(street.text):
        return AddressBlock((cell,), cell, (), (name, street))
    if street.text and town and is_postal_line(town.text):
        return AddressBlock((cell, near[0]), near[0], (), (name, street, town))
    return None


def is_street(reading: Reading, span: Span) -> bool:
    """Whether a part of an address is a street: a number at either end, or a word for a street."""
    named = any(
        mention.span.start == span.start and "street" in mention.match.cues
        for mention in reading.mentions.labels(span.cell)
    )
    legal = any(
        span.start < mention.span.start < span.end and "legal_form" in mention.match.cues
        for mention in reading.mentions.labels(span.cell)
    )
    return named or (bool(_HOUSE_NUMBER.search(span.text)) and not legal)


def _block_above(reading: Reading, cell: Cell, taken: set[int]) -> AddressBlock | None:
    """The lines that end at a line with a post code; of several such lines the last one ends it."""
    if len(cell.line.words) > _LONGEST_LINE or not is_postal_line(_value(reading, cell).text):
        return None
    if any(label.field in _REGISTERS for label in reading.labels.opening(cell)):
        return None  # "HRB 1187 AG Fulda" is no Dutch post code
    below = _run(reading, cell, 1, _GAP_BELOW, _LINES_BELOW)
    if any(is_postal_line(other.text) for other in below[:2]):
        return None
    above = _run(reading, cell, -1, _GAP_ABOVE, _LINES_ABOVE)
    # What another block has begun with ends this one: a sender's line over the buyer's.
    free = list(takewhile(lambda line: line.index not in taken, above))
    lines = [*reversed(free), cell]
    if len(lines) > 1 or cell.column:
        return AddressBlock(tuple(lines), cell, tuple(below))
    return None


def _value(reading: Reading, cell: Cell) -> Span:
    """What stands in a cell behind its opening labels."""
    start = max((label.span.end for label in reading.labels.opening(cell)), default=0)
    if not start and "party_address" in reading.labels.leading_cues(cell):
        start = cell.text.find(":") + 1
    return Span(cell, start, len(cell.text)).stripped()


def _run(reading: Reading, start: Cell, step: int, reach: float, most: int) -> list[Cell]:
    """Cells that stand aligned above (-1) or below (1) a cell, nearest first.

    All of them in the way in which the nearest is: by their left or right edges, or centred.
    """
    height = reading.layout.page_of(start).letter_height
    found: list[Cell] = []
    edge = start
    by: tuple[Alignment, ...] = (_by_left, _by_right, _by_middle)
    rows = reading.layout.rows
    index = start.row + step
    while 0 <= index < len(rows) and len(found) < most:
        row = rows[index]
        index += step
        if row.page_number != start.page_number:
            break
        gap = edge.box.y0 - row.box.y1 if step < 0 else row.box.y0 - edge.box.y1
        if gap > reach * height + 2 * height:
            break
        found_here = next(
            ((c, how) for how in by for c in row.cells if how(reading, c, start, height)), None
        )
        if found_here is None:
            continue
        cell, how = found_here
        by = (how,)
        gap = edge.box.y0 - cell.box.y1 if step < 0 else cell.box.y0 - edge.box.y1
        if gap > reach * height or not reading.outside_table(cell):
            break
        if step < 0 and _opens_block(reading, cell):
            found.append(cell)
            break
        if _breaks(reading, cell, below=step > 0):
            break
        found.append(cell)
        edge = cell
    return found


Alignment = Callable[[Reading, Cell, Cell, float], bool]


def _by_right(_: Reading, cell: Cell, start: Cell, height: float) -> bool:
    return abs(cell.box.x1 - start.box.x1) <= _FLUSH * height


def _by_middle(_: Reading, cell: Cell, start: Cell, height: float) -> bool:
    return abs(cell.box.center_x - start.box.center_x) <= _FLUSH * height


def _by_left(reading: Reading, cell: Cell, start: Cell, height: float) -> bool:
    """Whether a cell, or what stands in it behind a label, begins where the other one does."""
    edges = [cell.box.x0, *([_value(reading, cell).box.x0] if reading.labels.opening(cell) else [])]
    own = [
        start.box.x0,
        *([_value(reading, start).box.x0] if reading.labels.opening(start) else []),
    ]
    return any(abs(x - y) <= _ALIGNED * height for x in edges for y in own)


def _opens_block(reading: Reading, cell: Cell) -> bool:
    """Whether a cell holds a party's label and its name: "Buyer: ACME Ltd"."""
    parties = [label for label in reading.labels.opening(cell) if label.field in _PARTY_FIELDS]
    value = _value(reading, cell).text
    letters = sum(map(str.isalpha, value))
    return bool(parties) and ":" in cell.text and letters > sum(map(str.isdigit, value))


def _is_contact(reading: Reading, cell: Cell) -> bool:
    """Whether a line gives an address on the web or a labelled phone: those stand below a party."""
    if any(reading.identifiers(find, cell) for find in (find_emails, find_urls)):
        return True
    return "contact_details" in reading.labels.leading_cues(cell)


def _breaks(reading: Reading, cell: Cell, *, below: bool = False) -> bool:
    """Whether a line can't belong to an address: a heading, a sentence, a title, a sum."""
    if len(cell.line.words) > _LONGEST_LINE or len(one_line_parts(cell)) >= 4:
        return True
    if reading.mentions.dates(cell) and "street" not in reading.labels.leading_cues(cell):
        return True  # but "rue du 8 mai 1945"
    if below and "contact" in reading.labels.leading_cues(cell):
        return True
    if not below and _is_contact(reading, cell):
        return True
    if "page" in reading.labels.leading_cues(cell):
        return True
    document = any(
        mention.match.document_types and not any(map(str.isalpha, cell.text[: mention.span.start]))
        for mention in reading.mentions.labels(cell)
    )
    heading = any(
        label.opens and (label.alone or ":" in cell.text) and label.field not in _OWN_NUMBERS
        for label in reading.labels.in_cell(cell)
    )
    return document or heading
