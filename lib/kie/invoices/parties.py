"""Who sells, who buys, where goods go: address blocks and headings judged by place and company."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lib.domain.extraction import Candidate
from lib.kie.invoices.address_blocks import (
    AddressBlock,
    find_address_blocks,
    town_parts,
)
from lib.kie.invoices.labels import FieldLabel
from lib.kie.invoices.party_lines import (
    is_country,
    is_person,
    is_street_line,
    name_and_rest,
    name_and_street,
    name_spans,
    without_label,
)
from lib.kie.invoices.reading import Found, Reading
from lib.kie.invoices.roles import ROLE_FIELDS, Role, heading_of
from lib.kie.layout import Cell, Span
from lib.values.identifiers import (
    find_bics,
    find_emails,
    find_ibans,
    find_phones,
    find_tax_ids,
    find_urls,
)

# Scores of roles by what speaks for them.
_LABELLED = 0.9
_UNDER_SENDER = 0.85
_SENDER_LINE = 0.8
_NAMED = 0.8  # a name beside its label, without an address
_WITH_CONTACTS = 0.6
_BELOW_ANOTHER = 0.6
_THE_OTHER = 0.55  # of two parties, where the other is labelled as the customer
_UNLABELLED = 0.5
_LEGAL_FORM = 0.45
_LARGE_LINE = 0.4
_DOUBTFUL = 0.3
_AT_EDGE = 0.12  # added for a company at the top or bottom of the page
_REPEATED = 0.08  # added for each time (two at most) that the page repeats the seller's name

_TOP, _BOTTOM, _FOOT = 0.2, 0.85, 0.75  # of the page's height
_LARGE = 1.25  # of the page's letter height
_SMALL_WORDS = 2
_NAME_PERSON_STREET_TOWN = 4  # lines of a block with somebody's name below the company's
_NUMBER_DIGITS = 4
_MOST_NAMES = 50  # of one role that are compared with the rest of the document
_WINDOW_GAP, _WINDOW_INDENT = 6.0, 8.0  # letter heights
_BARS = re.compile(r"[\s,]*[|•●·∙■▪][\s,]*")
_STATE = re.compile(r"[A-Z]{2}\b")
_DASH = re.compile(r"\s+[-–—]\s+")


@dataclass(frozen=True, slots=True)
class Party:
    """Lines with their role, the name among them, and how sure the role is (0..1)."""

    role: Role
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
        "vendor_name": _names(reading, parties, Role.VENDOR),
        "vendor_address": _addresses(reading, parties, Role.VENDOR),
        "customer_name": _names(reading, parties, Role.CUSTOMER),
        "customer_address": _addresses(reading, parties, Role.CUSTOMER),
        "shipping_address": _addresses(reading, parties, Role.SHIPPING),
    }
    return found, parties


def _from_blocks(reading: Reading, blocks: Sequence[AddressBlock]) -> Iterator[Party]:
    unlabelled: list[AddressBlock] = []
    roles: set[Role] = set()
    for block in blocks:
        label = heading_of(reading, block)
        role = ROLE_FIELDS[label.field] if label else Role.VENDOR
        if block.parts:
            yield Party(role, _SENDER_LINE, block.parts[0], block.parts[1:], block.lines)
        elif label:
            roles.add(role)
            yield _party(reading, block, role, _LABELLED * label.strength, label)
        else:
            unlabelled.append(block)
    senders = [block for block in blocks if block.parts]
    senders += [block for block in unlabelled if _is_in_foot(reading, block)]
    for block in unlabelled:
        yield from _by_place(reading, block, unlabelled, senders, roles)


def _by_place(
    reading: Reading,
    block: AddressBlock,
    unlabelled: Sequence[AddressBlock],
    senders: Sequence[AddressBlock],
    roles: set[Role],
) -> Iterator[Party]:
    """A block without a heading: the sender prints contacts and stands first, the customer below.

    `roles` are those that headings have given to other blocks.
    """
    senders_names = {sender.parts[0].text.casefold() for sender in senders if sender.parts}
    below_another = bool(senders) or _has_block_above(block, unlabelled)
    cells = (*block.lines, *block.below)
    if block in senders or block.first.text.casefold() in senders_names:
        yield _party(reading, block, Role.VENDOR, _WITH_CONTACTS)
    elif any(_stands_under(reading, sender.first, block) for sender in senders):
        yield _party(reading, block, Role.CUSTOMER, _UNDER_SENDER)
    elif _has_contacts(reading, cells):
        yield _party(reading, block, Role.VENDOR, _WITH_CONTACTS)
    elif below_another or Role.VENDOR in roles:
        yield _party(reading, block, Role.CUSTOMER, _BELOW_ANOTHER)
    elif _has_tax_id(reading, cells):
        yield _party(reading, block, Role.VENDOR, _WITH_CONTACTS)
    else:
        named = Role.CUSTOMER in roles or any(
            other.first.box.y0 > block.first.box.y0 for other in unlabelled
        )
        yield _party(reading, block, Role.VENDOR, _THE_OTHER if named else _UNLABELLED)
        if Role.CUSTOMER not in roles:
            yield _party(reading, block, Role.CUSTOMER, _DOUBTFUL)


def _party(
    reading: Reading, block: AddressBlock, role: Role, score: float, label: FieldLabel | None = None
) -> Party:
    lines = name_and_street(reading, block.lines)
    spans = [without_label(reading, line) for line in lines if line is not block.postal]
    spans += _town(reading, block.postal)
    if block.below and is_country(reading, block.below[0]):
        spans.append(block.below[0].span)
    spans = [span for span in spans if any(map(str.isalnum, span.text))]
    if len(spans) > 2 and _is_a_number(spans[0].text):
        spans = spans[1:]  # "OR: 8841" above the name
    nameless = spans and is_street_line(reading, spans[0]) and block.postal in lines[1:2]
    name = spans[0] if len(spans) > 1 and not nameless else None
    if name and len(spans) > 2 and _is_legal_name(reading, name, spans[1]):
        spans = spans[1:]
        name = spans[0]
    if name and len(spans) > _NAME_PERSON_STREET_TOWN - 1 and is_person(reading, spans[1]):
        spans = [name, *spans[2:]]
    text = label.span.text if label else ""
    return Party(
        role, score, name, tuple(spans[1:] if name else spans), (*block.lines, *block.below), text
    )


def _is_a_number(text: str) -> bool:
    """Whether a line is more digits than letters, at least four of them."""
    digits = sum(map(str.isdigit, text))
    return digits >= _NUMBER_DIGITS and digits > sum(map(str.isalpha, text))


def _is_legal_name(reading: Reading, first: Span, second: Span) -> bool:
    """Whether the line under a trade name is the company's own: words and then its legal form."""
    forms = [
        [m.span for m in reading.mentions.labels(span.cell) if "legal_form" in m.match.cues]
        for span in (first, second)
    ]
    words = second.text.split()
    starts = [form.start > second.start and form.end >= second.end - 1 for form in forms[1]]
    return not forms[0] and any(starts) and len(words) > 1 and not is_street_line(reading, second)


def _town(reading: Reading, postal: Cell) -> list[Span]:
    """The line with the post code up to its town and country, in its parts."""
    return town_parts(postal) or [without_label(reading, postal)]


def _from_labels(reading: Reading) -> Iterator[Party]:
    """Names right behind, right of or below a label of a role, where no post code marks a block."""
    for field in ("vendor_name", "customer_name"):
        for label in reading.labels.of(field):
            behind = label.cell.text[label.span.end :].lstrip()
            if not label.opens or not reading.outside_table(label.cell):
                continue
            if not (label.alone or behind[:1] == ":"):
                continue  # "Invoice to be paid by"
            for hit in reading.pairs.seek(label, lambda cell: name_spans(reading, cell)):
                name, address = name_and_rest(hit.span)
                score = _NAMED * hit.score
                yield Party(
                    ROLE_FIELDS[field], score, name, address, (hit.span.cell,), label.span.text
                )


def _letterheads(reading: Reading, parties: Sequence[Party]) -> Iterator[Party]:
    """Company names by their legal form, and large lines at the top, on the first page."""
    known = {c.index for party in parties for c in party.cells}
    cells = reading.layout.pages[0].cells if reading.layout.pages else ()
    for cell in cells:
        if (
            cell.index in known
            or not reading.outside_table(cell)
            or not _may_be_name(reading, cell)
        ):
            continue
        place = reading.relative_y(cell)
        if "legal_form" in reading.labels.cues(cell):
            at_edge = _AT_EDGE * (place < _TOP or place > _BOTTOM)
            yield Party(Role.VENDOR, _LEGAL_FORM + at_edge, cell.span.stripped(), (), (cell,))
        elif place < _TOP and cell.height_ratio > _LARGE and not reading.labels.opening(cell):
            score = _LARGE_LINE + 0.1 * min(1.0, cell.height_ratio - 1)
            yield Party(Role.VENDOR, score, cell.span, (), (cell,))


def _may_be_name(reading: Reading, cell: Cell) -> bool:
    """Whether a line is short, mostly in capitalised words, and no title of a document."""
    small = sum(word.text[:1].islower() for word in cell.line.words)
    priced = any(amount.is_money for amount in reading.mentions.amounts(cell))
    named = bool(name_spans(reading, cell)) and not priced
    return named and small <= _SMALL_WORDS and not _is_title(reading, cell)


def _is_title(reading: Reading, cell: Cell) -> bool:
    return any(mention.match.document_types for mention in reading.mentions.labels(cell))


def _names(reading: Reading, parties: Sequence[Party], role: Role) -> list[Candidate]:
    best: dict[str, Candidate] = {}
    named = [(party, party.name) for party in parties if party.role is role and party.name]
    texts = [(cell, cell.text.casefold()) for cell in reading.layout.cells] if named else []
    for party, name in heapq.nlargest(_MOST_NAMES, named, key=lambda item: item[0].score):
        words = name.text.casefold()
        again = sum(cell is not name.cell and words in text for cell, text in texts)
        bonus = _REPEATED * min(2, again) if role is Role.VENDOR else 0.0
        candidate = reading.mentions.candidate([name], party.score + bonus, party.label)
        key = candidate.raw.casefold()
        if key not in best or best[key].score < candidate.score:
            best[key] = candidate
    return sorted(best.values(), key=lambda c: -c.score)


def _addresses(reading: Reading, parties: Sequence[Party], role: Role) -> list[Candidate]:
    found = []
    for party in sorted(parties, key=lambda p: -p.score):
        if party.role != role or not party.address:
            continue
        raw = _joined(party.address)
        found.append(reading.mentions.candidate(party.address, party.score, party.label, raw))
    return found


def _joined(spans: Sequence[Span]) -> str:
    """Lines and parts of an address with commas between them.

    Bars and dots that a one-line address is set with are no part of it; a dash before a state is.
    """
    text = spans[0].text.strip(" ,")
    for before, span in pairwise(spans):
        between = before.cell.text[before.end : span.start] if before.cell is span.cell else ""
        text += " - " if _DASH.fullmatch(between) and _STATE.match(span.text) else ", "
        text += span.text.strip(" ,")
    return _BARS.sub(", ", text).strip(" ,")


def _is_in_foot(reading: Reading, block: AddressBlock) -> bool:
    """Whether a block stands in the page's foot beside bank details, or its name is in the head."""
    if reading.relative_y(block.first) < _FOOT:
        return False
    rows = {cell.row for cell in (*block.lines, *block.below)}
    beside = [cell for row in rows for cell in reading.layout.rows[row].cells]
    name = block.first.text.casefold()
    again = any(
        cell.text.casefold().startswith(name)
        for cell in reading.layout.pages[0].cells
        if reading.relative_y(cell) < _TOP
    )
    return again or _has_contacts(reading, beside)


def _stands_under(reading: Reading, sender: Cell, block: AddressBlock) -> bool:
    """Whether a block stands in the window of an envelope, under the sender's line."""
    height = reading.layout.page_of(sender).letter_height
    gap = block.first.box.y0 - sender.box.y1
    return (
        block.first.page_number == sender.page_number
        and -height < gap < _WINDOW_GAP * height
        and abs(block.first.box.x0 - sender.box.x0) < _WINDOW_INDENT * height
    )


def _has_block_above(block: AddressBlock, others: Sequence[AddressBlock]) -> bool:
    """Whether another block stands higher: letters begin with their sender."""
    return any(
        other.first.page_number == block.first.page_number
        and other.first.box.y0 < block.first.box.y0
        for other in others
    )


def _has_contacts(reading: Reading, cells: Sequence[Cell]) -> bool:
    """Whether bank or web details or a phone stand with the lines: the sender prints those."""
    telling = [find_ibans, find_bics, find_urls, find_emails]
    for cell in cells:
        if any(reading.identifiers(find, cell) for find in telling):
            return True
        if reading.labels.leading_cues(cell) and _has_phone(reading, cell):
            return True
    return False


def _has_phone(reading: Reading, cell: Cell) -> bool:
    """Whether a cell has a phone number that is no part of a tax number."""
    taxes = reading.identifiers(find_tax_ids, cell)
    return any(
        not any(tax.start < phone.end and phone.start < tax.end for tax in taxes)
        for phone in reading.identifiers(find_phones, cell)
    )


def _has_tax_id(reading: Reading, cells: Sequence[Cell]) -> bool:
    """Whether a tax number stands with the lines, and none of the document's is the customer's."""
    if reading.labels.of("customer_tax_id"):
        return False
    return any(reading.identifiers(find_tax_ids, cell) for cell in cells)
