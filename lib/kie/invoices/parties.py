"""Who sells, who buys, where goods go: address blocks and headings judged by place and company."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lib.domain.extraction import Candidate
from lib.kie.invoices.address_blocks import (
    AddressBlock,
    find_address_blocks,
    is_postal_line,
    town_parts,
)
from lib.kie.invoices.labels import FieldLabel
from lib.kie.invoices.reading import Found, Reading
from lib.kie.layout import Cell, Span
from lib.values.identifiers import (
    find_bics,
    find_emails,
    find_ibans,
    find_phones,
    find_tax_ids,
    find_urls,
)

_ROLE_FIELDS = {
    "vendor_name": "vendor", "vendor_address": "vendor",
    "customer_name": "customer", "customer_address": "customer",
    "shipping_address": "shipping",
}  # fmt: skip
_LABELLED = 0.9
_SENDER_LINE = 0.8
_UNDER_SENDER = 0.85
_WITH_CONTACTS = 0.6
_UNLABELLED = 0.5
_LEGAL_FORM = 0.45
_REPEATED = 0.08
_HEADING_REACH = 9  # rows between a heading and the block or name below it
_SUB_LABELS = frozenset({"party_name", "party_address", "contact", "contact_details"})
# "SARL au capital de 50 000 €", "Stammkapital", "kapitał zakładowy"
_SHARE_CAPITAL = re.compile(r"[ck]apita[lł]", re.IGNORECASE)
_LONGEST_NAME = 9  # words


@dataclass(frozen=True, slots=True)
class Party:
    """A block with its role ("vendor", "customer", "shipping"), its name and how sure that is."""

    role: str
    score: float
    name: Span | None
    address: tuple[Span, ...]
    cells: tuple[Cell, ...]
    label: str = ""


def find_parties(reading: Reading) -> tuple[Found, list[Party]]:
    """Candidates for names and addresses, and the parties that they came from."""
    blocks = find_address_blocks(reading)
    parties = [*_from_blocks(reading, blocks), *_from_labels(reading)]
    parties += _letterheads(reading, parties)
    found: Found = {
        "vendor_name": _names(reading, parties, "vendor"),
        "vendor_address": _addresses(reading, parties, "vendor"),
        "customer_name": _names(reading, parties, "customer"),
        "customer_address": _addresses(reading, parties, "customer"),
        "shipping_address": _addresses(reading, parties, "shipping"),
    }
    return found, parties


def _from_blocks(reading: Reading, blocks: Sequence[AddressBlock]) -> Iterator[Party]:
    senders = [block for block in blocks if block.parts]
    unlabelled: list[AddressBlock] = []
    for block in blocks:
        label = _heading_of(reading, block)
        if block.parts:
            role = _ROLE_FIELDS[label.field] if label else "vendor"
            yield Party(role, _SENDER_LINE, block.parts[0], block.parts[1:], block.lines)
        elif label:
            yield _party(
                reading, block, _ROLE_FIELDS[label.field], _LABELLED * label.strength, label
            )
        else:
            unlabelled.append(block)
    named = any(_is_customer_heading(reading, block) for block in blocks)
    for block in unlabelled:
        known = {sender.parts[0].text.casefold() for sender in senders}
        if block.first.text.casefold() in known or _has_contacts(
            reading, (*block.lines, *block.below)
        ):
            yield _party(reading, block, "vendor", _WITH_CONTACTS)
        elif any(_stands_under(sender.first, block, reading) for sender in senders):
            yield _party(reading, block, "customer", _UNDER_SENDER)
        elif senders or _has_vendor_above(reading, block, blocks):
            yield _party(reading, block, "customer", _UNLABELLED + 0.1)
        else:
            yield _party(reading, block, "vendor", _UNLABELLED)
            if not named:
                yield _party(reading, block, "customer", _UNLABELLED - 0.2)


def _is_customer_heading(reading: Reading, block: AddressBlock) -> bool:
    label = _heading_of(reading, block)
    return label is not None and _ROLE_FIELDS[label.field] == "customer"


def _party(
    reading: Reading, block: AddressBlock, role: str, score: float, label: FieldLabel | None = None
) -> Party:
    lines = _name_and_street(reading, block.lines)
    spans = [_without_label(reading, line) for line in lines if line is not block.postal]
    spans += town_parts(block.postal) or [_without_label(reading, block.postal)]
    spans = [span for span in spans if any(c.isalnum() for c in span.text)]
    name = spans[0] if spans and len(spans) > 1 else None
    text = label.span.text if label else ""
    return Party(
        role, score, name, tuple(spans[1:] if name else spans), (*block.lines, *block.below), text
    )


def _heading_of(reading: Reading, block: AddressBlock) -> FieldLabel | None:
    """The label of a role above the block or left of its first line, through sub-labels such as "Name:"."""
    for cell in block.lines[:2]:
        own = _role_label(reading, cell)
        if own:
            return own
        left = reading.layout.row_of(cell).cells_left_of(cell)
        if left:
            found = _role_label(reading, left[-1])
            if found and not _has_own_lines(reading, found.cell):
                return found
            sub_label = reading.labels.leading_cues(left[-1]) & {"party_name", "party_address"}
            if sub_label and len(left[-1].line.words) <= 2:
                return _role_above(reading, left[-1], _HEADING_REACH)
    return _role_above(reading, block.first, 2)


def _has_own_lines(reading: Reading, heading: Cell) -> bool:
    """Whether text stands right below a heading: then it is not the heading of what is beside it."""
    height = reading.layout.page_of(heading).letter_height
    return any(
        abs(other.box.x0 - heading.box.x0) < height
        and other.box.y0 - heading.box.y1 < height
        and not reading.labels.is_heading(other)
        for other in reading.layout.below(heading.box, heading.row, 1)
    )


def _role_label(reading: Reading, cell: Cell) -> FieldLabel | None:
    roles = [
        label
        for label in reading.labels.in_cell(cell)
        if label.field in _ROLE_FIELDS and label.leads and label.strength > 0.5
    ]
    roles = [label for label in roles if _is_set_off(label)]
    return max(roles, key=lambda label: label.strength, default=None)


def _is_set_off(label: FieldLabel) -> bool:
    """Whether a label is one and not the beginning of a name: "Lieferant GmbH" is a name."""
    behind = label.cell.text[label.span.end :].lstrip()
    return label.alone or behind[:1] == ":" or " " in label.span.text


def _role_above(reading: Reading, cell: Cell, reach: int) -> FieldLabel | None:
    """The nearest label of a role above the cell, left-aligned with it or over it."""
    height = reading.layout.page_of(cell).letter_height
    for other in reading.layout.above(cell.box, cell.row, reach):
        label = _role_label(reading, other)
        if label and abs(other.box.x0 - cell.box.x0) < 6 * height:
            return label
        if reach <= 2 and cell.box.y0 - other.box.y1 > 3.5 * height:
            return None
    return None


def _from_labels(reading: Reading) -> Iterator[Party]:
    """Names right behind, right of or below a label of a role, where no post code marks a block."""
    for field, role in (("vendor_name", "vendor"), ("customer_name", "customer")):
        for label in reading.labels.of(field):
            if not (label.leads and label.strength > 0.5) or not reading.outside_table(label.cell):
                continue
            behind = label.cell.text[label.span.end :].lstrip()
            if not (label.alone or behind[:1] == ":"):
                continue  # "Invoice to be paid": a role's label is set off from the name
            for hit in reading.pairs.seek(label, lambda cell: _name_spans(reading, cell)):
                name, address = _name_and_rest(hit.span)
                yield Party(role, hit.score * 0.8, name, address, (hit.span.cell,), label.span.text)


def _name_and_rest(span: Span) -> tuple[Span, tuple[Span, ...]]:
    """The parts of "name, tax number, post code, town, street"; all of it where it is only a name."""
    cell, text = span.cell, span.text
    if text.count(",") < 2 or not any(c.isdigit() for c in text):
        return span, ()
    numbers = find_tax_ids(cell.text)
    parts, start = [], span.start
    for end in [*(m.start() + span.start for m in re.finditer(",", text)), span.end]:
        parts.append(Span(cell, start, end).stripped())
        start = end + 1
    rest = [
        part
        for part in parts[1:]
        if part.text and not any(n.start < part.end and part.start < n.end for n in numbers)
    ]
    return parts[0], tuple(rest)


def _name_spans(reading: Reading, cell: Cell) -> list[Span]:
    """The cell as a name: letters, no amount, no date, not a post code line, not a number's label."""
    labels = [x for x in reading.labels.in_cell(cell) if x.leads and x.strength > 0.5]
    start = max((x.span.end for x in labels), default=0)
    span = Span(cell, start, len(cell.text)).stripped()
    text = span.text
    letters = sum(c.isalpha() for c in text)
    if not reading.outside_table(cell):
        return []
    if cell.text.rstrip().endswith(":") or reading.labels.leading_cues(cell) & _SUB_LABELS:
        return []
    if text.count(",") >= 2 and any(c.isdigit() for c in text):
        return [span]  # name, number, address in one line
    if letters < 3 or len(text.split()) > _LONGEST_NAME or reading.mentions.dates(cell):
        return []
    if is_postal_line(text) or sum(c.isdigit() for c in text) > letters:
        return []
    return [span]


def _letterheads(reading: Reading, parties: Sequence[Party]) -> Iterator[Party]:
    """Company names by their legal form, and the largest line at the top of the first page."""
    known = {c.index for party in parties for c in party.cells}
    first = reading.layout.pages[0].page.number if reading.layout.pages else 0
    for cell in reading.layout.cells:
        if cell.index in known or not reading.outside_table(cell):
            continue
        small = sum(word.text[:1].islower() for word in cell.line.words)
        if len(cell.line.words) > _LONGEST_NAME or small > 2 or _is_title(reading, cell):
            continue
        place = reading.relative_y(cell)
        edge = 0.12 if place < 0.2 or place > 0.85 else 0.0
        if "legal_form" in reading.labels.cues(cell) and cell.page_number == first:
            yield Party("vendor", _LEGAL_FORM + edge, cell.span.stripped(), (), (cell,))
        elif (
            cell.page_number == first
            and place < 0.2
            and _is_big(cell)
            and _name_spans(reading, cell)
        ):
            if not reading.labels.is_heading(cell):
                yield Party(
                    "vendor", 0.4 + 0.1 * min(1.0, cell.height_ratio - 1), cell.span, (), (cell,)
                )


def _is_big(cell: Cell) -> bool:
    return cell.height_ratio > 1.25


def _is_title(reading: Reading, cell: Cell) -> bool:
    return any(mention.match.document_types for mention in reading.mentions.labels(cell))


def _names(reading: Reading, parties: Sequence[Party], role: str) -> list[Candidate]:
    best: dict[str, Candidate] = {}
    own = [party for party in parties if party.role == role and party.name]
    for party in sorted(own, key=lambda p: -p.score):
        name = party.name
        assert name is not None
        again = sum(
            1
            for cell in reading.layout.cells
            if cell is not name.cell and name.text.casefold() in cell.text.casefold()
        )
        bonus = _REPEATED * min(2, again) if role == "vendor" else 0.0
        candidate = reading.mentions.candidate([name], party.score + bonus, party.label)
        key = candidate.raw.casefold()
        if key not in best or best[key].score < candidate.score:
            best[key] = candidate
    return sorted(best.values(), key=lambda c: -c.score)


def _addresses(reading: Reading, parties: Sequence[Party], role: str) -> list[Candidate]:
    found = []
    for party in sorted(parties, key=lambda p: -p.score):
        if party.role != role or not party.address:
            continue
        raw = ", ".join(span.text.strip(" ,") for span in party.address)
        found.append(reading.mentions.candidate(party.address, party.score, party.label, raw))
    return found


def _stands_under(sender: Cell, block: AddressBlock, reading: Reading) -> bool:
    height = reading.layout.page_of(sender).letter_height
    gap = block.first.box.y0 - sender.box.y1
    return (
        block.first.page_number == sender.page_number
        and -height < gap < 6 * height
        and abs(block.first.box.x0 - sender.box.x0) < 8 * height
    )


def _has_vendor_above(
    reading: Reading, block: AddressBlock, blocks: Sequence[AddressBlock]
) -> bool:
    """Whether another unlabelled block stands higher: letters begin with their sender."""
    return any(
        other is not block
        and other.first.page_number == block.first.page_number
        and other.first.box.y0 < block.first.box.y0
        and _heading_of(reading, other) is None
        for other in blocks
    )


def _has_contacts(reading: Reading, cells: Sequence[Cell]) -> bool:
    """Whether bank, web or registration details stand with the lines: only the sender prints those."""
    telling = [find_ibans, find_bics, find_urls, find_emails]
    if not reading.labels.of("customer_tax_id"):
        telling.append(find_tax_ids)
    for cell in cells:
        if any(reading.identifiers(find, cell) for find in telling):
            return True
        if reading.labels.leading_cues(cell) and reading.identifiers(find_phones, cell):
            return True
    return False


def _is_salutation(reading: Reading, cell: Cell) -> bool:
    """A line such as "Mr" or "Firma" that only leads to the name."""
    mentions = reading.mentions.labels(cell)
    return any(
        "honorific" in reading.labels.leading_cues(cell)
        and m.span.end >= len(cell.text.rstrip(" .:"))
        for m in mentions
    )


def _without_label(reading: Reading, cell: Cell) -> Span:
    labels = [x for x in reading.labels.in_cell(cell) if x.leads and x.strength > 0.5]
    labels = [x for x in labels if x.field in _ROLE_FIELDS and _is_set_off(x)]
    start = max((x.span.end for x in labels), default=0)
    return Span(cell, start, len(cell.text)).stripped()


def _name_and_street(reading: Reading, lines: Sequence[Cell]) -> list[Cell]:
    """The lines from the name on: behind "Name:" where that is printed, without "Mr" and bare numbers."""
    for index, line in enumerate(lines):
        left = reading.layout.row_of(line).cells_left_of(line)
        if left and "party_name" in reading.labels.leading_cues(left[-1]):
            lines = lines[index:]
            break
    kept = [line for line in lines if line is lines[-1] or not _is_aside(reading, line)]
    return kept or list(lines)


def _is_aside(reading: Reading, line: Cell) -> bool:
    """A line of the block that is neither name nor address: "Mr", a contact, a number, a capital."""
    if sum(c.isalpha() for c in line.text) < 2 or _is_salutation(reading, line):
        return True
    if "contact" in reading.labels.leading_cues(line):
        return True
    if any(reading.identifiers(find, line) for find in (find_tax_ids, find_emails, find_urls)):
        return True
    return bool(_SHARE_CAPITAL.search(line.text))
