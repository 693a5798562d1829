"""The lines of a party: which is the name, which the address, and which neither."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lib.kie.invoices.address_blocks import is_postal_line
from lib.kie.invoices.reading import Reading
from lib.kie.invoices.roles import ROLE_FIELDS, is_set_off
from lib.kie.layout import Cell, Span
from lib.values.identifiers import find_emails, find_tax_ids, find_urls

LONGEST_NAME = 9  # words
_FEWEST_LETTERS = 3
_LONGEST_PERSON = 5  # words
_HOUSE = re.compile(
    r"^(?:No\.? ?)?\d{1,4} ?[a-zA-Z]?,? [^\W\d]|[ ,.]\d{1,4}(?: ?[a-zA-Z]|[-/]\d{1,4})?$"
)
_OTHER_LABELS = frozenset({"party_name", "party_address", "contact", "contact_details"})
# "SARL au capital de 50 000 €", "Stammkapital", "kapitał zakładowy"
_OWNER = re.compile(
    r"(?:Inh(?:aber(?:in)?)?|Inhaber:in|Prop(?:rietor)?|Owner|Geschäftsführ(?:er|erin|ung)|Gérante?"
    r"|Titolare|Titular|Eigenaar|Właściciel|Innehavare)\b[.:]?",
    re.IGNORECASE,
)
_WORD_BEFORE = re.compile(r"[^\W\d_]{3,15} ?: (?=[^\W\d_])")  # a label in no word list: "Firm: X"
_CODE = re.compile(
    r"(?=(?:\D*\d){3})[A-Z\d]+(?:[-/.][A-Z\d]+)*"
)  # "Client: LAC-219" numbers somebody
_SHARE_CAPITAL = re.compile(r"[ck]apita[lł]", re.IGNORECASE)


def name_spans(reading: Reading, cell: Cell) -> list[Span]:
    """The cell behind its label as a name, if it can be one: words, no date, no post code."""
    start = max((label.span.end for label in reading.labels.opening(cell)), default=0)
    span = Span(cell, start, len(cell.text)).stripped()
    text = span.text
    letters = sum(map(str.isalpha, text))
    if not reading.outside_table(cell) or (start and text[:1] == "/"):
        return []  # "Client / Company:" is a label of two words
    if cell.text.rstrip().endswith(":") or reading.labels.leading_cues(cell) & _OTHER_LABELS:
        return []
    if text.count(",") >= 2 and any(map(str.isdigit, text)):
        return [span]  # name, number, address in one line
    if (
        letters < _FEWEST_LETTERS
        or len(text.split()) > LONGEST_NAME
        or reading.mentions.dates(cell)
    ):
        return []
    if is_postal_line(text) or sum(map(str.isdigit, text)) > letters:
        return []
    if _CODE.fullmatch(text):
        return []
    if any(reading.identifiers(find, cell) for find in (find_emails, find_urls)):
        return []
    return [span]


def name_and_rest(span: Span) -> tuple[Span, tuple[Span, ...]]:
    """The parts of "name, tax number, post code, town, street"; all where it is only a name."""
    cell, text = span.cell, span.text
    if text.count(",") < 2 or not any(map(str.isdigit, text)):
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


def name_and_street(reading: Reading, lines: Sequence[Cell]) -> list[Cell]:
    """A block's lines from the name on, behind "Name:" where that is printed, without asides."""
    for index, line in enumerate(lines):
        left = reading.layout.row_of(line).cells_left_of(line)
        if left and "party_name" in reading.labels.leading_cues(left[-1]):
            lines = lines[index:]
            break
    kept = [
        line
        for line in lines
        if line is lines[-1]
        or without_label(reading, line) != line.span
        or not _is_aside(reading, line)
    ]
    return kept or list(lines)


def _is_aside(reading: Reading, line: Cell) -> bool:
    """Whether a line is neither name nor address: "Mr", a contact, a number, a capital."""
    if sum(map(str.isalpha, line.text)) < 2 or _is_salutation(reading, line):
        return True
    if "contact" in reading.labels.leading_cues(line):
        return True
    if any(reading.identifiers(find, line) for find in (find_tax_ids, find_emails, find_urls)):
        return True
    return bool(_OWNER.match(line.text.strip()) or _SHARE_CAPITAL.search(line.text))


def is_street_line(reading: Reading, span: Span) -> bool:
    """Whether a line is a street and no name: it says so, or ends or begins with a house number."""
    cell = span.cell
    mentions = [m for m in reading.mentions.labels(cell) if span.start <= m.span.start < span.end]
    if any("legal_form" in m.match.cues for m in mentions):
        return False
    if any("street" in m.match.cues and not _is_title(m.span) for m in mentions):
        return True
    return bool(_HOUSE.search(span.text)) and any(map(str.isalpha, span.text))


def _is_title(word: Span) -> bool:
    """Whether "Dr." or "St." stands before a name, as drives and streets do not."""
    digits = any(map(str.isdigit, word.cell.text))
    return (
        len(word.text) <= len("dr") and not digits and word.end < len(word.cell.text.rstrip(" ."))
    )


def is_country(reading: Reading, cell: Cell) -> bool:
    """Whether a line is the name of a country, in any language."""
    letters = sum(map(str.isalpha, cell.text))
    return any(
        "country" in mention.match.cues and sum(map(str.isalpha, mention.span.text)) == letters
        for mention in reading.mentions.labels(cell)
    )


def is_person(reading: Reading, span: Span) -> bool:
    """Whether the line under a company's name names somebody there: few words, all capitalised."""
    words = [word for word in span.text.split() if any(map(str.isalpha, word))]
    if not 2 <= len(words) <= _LONGEST_PERSON or any(map(str.isdigit, span.text)):
        return False
    cues = reading.labels.cues(span.cell)
    if cues & {"street", "legal_form"}:
        return False
    return sum(word[0].isupper() for word in words) >= 2 and not span.text.rstrip().endswith(",")


def _is_salutation(reading: Reading, cell: Cell) -> bool:
    """A line such as "Mr" or "Firma" that only leads to the name."""
    mentions = reading.mentions.labels(cell)
    return any(
        "honorific" in reading.labels.leading_cues(cell)
        and m.span.end >= len(cell.text.rstrip(" .:"))
        for m in mentions
    )


def without_label(reading: Reading, cell: Cell) -> Span:
    """The cell behind the label of a role that opens it."""
    labels = [
        label
        for label in reading.labels.opening(cell)
        if label.field in ROLE_FIELDS and is_set_off(label)
    ]
    start = max((label.span.end for label in labels), default=0)
    if start and cell.text[start:].lstrip().startswith("/"):
        start = len(cell.text)  # "Client / Company": another word for the same
    if not start and (word := _WORD_BEFORE.match(cell.text)):
        start = word.end()
    elif "party_address" in reading.labels.leading_cues(cell) and ":" in cell.text[start:]:
        start = cell.text.index(":", start) + 1
    return Span(cell, start, len(cell.text)).stripped()
