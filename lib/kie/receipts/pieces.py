"""The head of a receipt cut into pieces: lines, with numbers and contact data split off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from lib.kie.layout import Cell, Row, Span
from lib.kie.mentions import LabelMention, Mentions

_HEAD_ROWS = 24
_HEAD_PIECES = 26
_NAME_LETTERS = 5  # before a split-off number there must be something that can be a name

# A company number behind a name: "(123456-X)", "[REG. NO. 2019010...]", "123456-X", "002458685-T".
_REGISTRATION = re.compile(
    r"\s*(?:[(\[{]\s*(?:[A-Za-z.]{1,8}[\s.:#]*){0,3}[A-Z]{0,3}\d{4,}\s*[-~]?\s*[A-Z0-9]{0,2}\s*[)\]}]?.*"
    r"|[(\[]?(?<![\d\-/])\d{5,9}\s?-\s?[A-Z0-9](?![A-Z0-9]).*)$"
)
_SPLITTING = frozenset(
    {"vendor_registration_id", "vendor_tax_id", "vendor_phone", "fax", "vendor_email"}
)
_LEADING = frozenset({"vendor_name", "vendor_address", "party_name", "party_address"})
_LEAD = re.compile(r"\s?:\s?(?=\W*\w+\W+\w)")
_STREET_NUMBER = re.compile(
    r"^\W*(?:\w{1,6}[.:]?\s{0,2})?(?:\d{1,5}[A-Za-z]?(?:\s?[-/&,]\s?\d{1,5}[A-Za-z]?)*)[,.]?\s+[^\W\d]{2}"
    r"|\b(?:no|nr|nº|n°|№)[.:º°]?\s?\d|\b[^\W\d]{3,}\s\d{1,4}\s?[a-z]?(?:\s?[-/]\s?\d+\s?[a-z]?)?\s*[,.]?$",
    re.IGNORECASE,
)
# Postcodes by shape: 12345(-6789), 1234 AB, 12-345, 1234-567, K1A 0B1, SW1A 1AA, 123456,
# and a state with its number: "CT 06902", "VIC 3217".
_POSTCODE = re.compile(
    r"(?<![\d\-/.#])(?:\d{5}(?:-\d{4})?|\d{6}|\d{4}\s?[A-Z]{2}|\d{2}-\d{3}|\d{4}-\d{3})(?![\d\-/.]|\s?-\s?\d)"
    r"|\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b|\b[A-Z]{2,3}\.?,?\s\d{4,5}\b"
)
_TOWN = re.compile(r"[^\W\d]{3,}\s?,\s?[A-Z]{2,3}\.?$")
_NOTICES = frozenset({"notice", "salutation", "duplicate"})
_WEB = re.compile(r"www\b|https?:|\.(?:com|net|org|co|my|de|fr|es|it|nl|pl|pt|ru|id|uk)\b|@", re.I)
_PHONE = re.compile(r"(?<!\d)\+?\(?\d{2,4}\)?[\s.\-/]{0,2}\d{3,4}[\s.\-]?\d{3,4}(?!\d)")
_FEWEST_PHONE_DIGITS = 9  # a postcode can look like a shorter number
_PRODUCT = re.compile(r"\d[\d.,]*\s?[^\W\d]{0,3}\s?[xX×@*]\s?\W{0,2}\d")
_LONG_NUMBER = re.compile(r"\d{6,}")


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a head line. `part` is 0 for the line's start and 1 for what was split off.

    A label of a name or address that the line begins with ("Address:") is a piece of its own.
    """

    span: Span
    row: Row
    part: int
    labels: tuple[LabelMention, ...]
    has_date: bool
    has_money: bool

    @cached_property
    def text(self) -> str:
        """The piece as printed, without white space at its ends."""
        return self.span.text.strip()

    @property
    def cell(self) -> Cell:
        """The line that it is part of."""
        return self.span.cell

    @cached_property
    def names(self) -> frozenset[str]:
        """Field and cue names of the piece's labels."""
        return frozenset(
            name for label in self.labels for name in label.match.fields | label.match.cues
        )

    @cached_property
    def letters(self) -> int:
        """Number of letters."""
        return sum(map(str.isalpha, self.text))

    @cached_property
    def digits(self) -> int:
        """Number of digits."""
        return sum(map(str.isdigit, self.text))

    @cached_property
    def legal_form(self) -> Span | None:
        """A company's legal form at the end of the piece, or before a bracket or comma there."""
        for label in self.labels:
            behind = self._after(label).split("(")[0].split(",")[0]
            if (
                "legal_form" in label.match.cues
                and label.span.start > self.span.start
                and not any(map(str.isalnum, behind))
            ):
                return label.span
        return None

    @property
    def has_legal_form(self) -> bool:
        """Whether the piece ends as a company's name does."""
        return self.legal_form is not None

    @cached_property
    def is_legal_name(self) -> bool:
        """Whether two words or more stand before the legal form: a name that is complete."""
        if self.legal_form is None:
            return False
        before = self.span.cell.text[self.span.start : self.legal_form.start]
        return len(re.findall(r"[^\W\d_]{2,}", before)) >= 2

    @cached_property
    def is_document_type(self) -> bool:
        """Says little more than what the paper is: TAX INVOICE, RECEIPT."""
        named = sum(
            label.span.end - label.span.start for label in self.labels if label.match.document_types
        )
        return named > 0 and named >= 0.5 * max(1, self.letters)

    @cached_property
    def is_label(self) -> bool:
        """Starts with a field's label and a value or colon behind it."""
        for label in self.labels:
            if label.match.fields and label.span.start - self.span.start <= 2:
                rest = self._after(label).lstrip()
                if rest[:1] in {":", "#", "."} or any(map(str.isdigit, rest)) or not rest:
                    return True
        return False

    @cached_property
    def has_street(self) -> bool:
        """Holds a word for a street, building or part of a town."""
        return "street" in self.names

    @cached_property
    def has_number_of_house(self) -> bool:
        """Starts or ends as a street with its number does."""
        return bool(_STREET_NUMBER.search(self.text))

    @cached_property
    def has_postcode(self) -> bool:
        """Holds what can be a postcode, and letters beside it."""
        return bool(_POSTCODE.search(self.text)) and self.letters >= 3

    @cached_property
    def has_town(self) -> bool:
        """Ends as "Town, ST" does: a comma and the short name of a state or province."""
        return bool(_TOWN.search(self.text))

    @cached_property
    def is_country(self) -> bool:
        """Is the name of a country and nothing else."""
        said = [la.span for la in self.labels if "country" in la.match.cues]
        return bool(said) and sum(len(span.text) for span in said) >= len(self.text.rstrip(".")) - 1

    @cached_property
    def is_registration(self) -> bool:
        """Is a registration number and nothing else."""
        match = _REGISTRATION.match(self.text)
        return (match is not None and self.letters <= 8) or (
            bool(self.names & {"vendor_registration_id", "vendor_tax_id"}) and self.digits >= 5
        )

    @cached_property
    def is_notice(self) -> bool:
        """Greets, thanks or informs: it starts with such a phrase or is mostly made of them."""
        phrases = [la.span for la in self.labels if la.match.cues & _NOTICES]
        said = sum(span.end - span.start for span in phrases)
        opens = any(span.start - self.span.start <= 2 and " " in span.text for span in phrases)
        return opens or (said > 0 and 2 * said >= self.letters)

    @cached_property
    def has_web(self) -> bool:
        """Holds an address of a web page or of e-mail."""
        return bool(_WEB.search(self.text))

    @cached_property
    def has_phone(self) -> bool:
        """Is a phone or fax number, or labelled as one."""
        if self.names & {"vendor_phone", "fax"} and self.digits >= 5:
            return True
        return bool(_PHONE.search(self.text)) and self.digits >= 7 and self.letters <= 6

    @cached_property
    def has_long_number(self) -> bool:
        """Holds six digits or more in a run."""
        return bool(_LONG_NUMBER.search(self.text))

    @cached_property
    def is_address_like(self) -> bool:
        """Has what addresses have and nothing that they do not."""
        evidence = self.has_street or self.has_postcode or self.has_number_of_house or self.has_town
        return evidence and not self.is_stop and self.letters >= 3

    @cached_property
    def is_stop(self) -> bool:
        """Cannot be part of a name or an address."""
        return (
            self.has_date
            or self.has_money
            or self.has_phone
            or self.has_web
            or self.is_label
            or self.is_document_type
            or self.is_registration
        )

    @cached_property
    def is_product(self) -> bool:
        """Is a quantity times a price: "0.840 kg x 2.95". What stands above is the item."""
        return self.has_money and _PRODUCT.match(self.text) is not None

    @cached_property
    def is_foreign_to_addresses(self) -> bool:
        """Is part of no address: a date, a price, a title, a web page, a phone number or label."""
        phone = self.has_phone and self.digits >= _FEWEST_PHONE_DIGITS
        if self.has_long_number and self.labels and self.labels[0].match.document_types:
            return self.labels[0].span.start - self.span.start <= 2  # a title with its number
        foreign = self.has_date or self.has_money or self.has_web or self.is_document_type
        return foreign or phone or self._is_phone_label

    @cached_property
    def _is_phone_label(self) -> bool:
        """Says "Mobile /" or "Tel:" and no more: the number stands in another piece."""
        said = [label.span for label in self.labels if "vendor_phone" in label.match.fields]
        letters = sum(c.isalpha() for span in said for c in span.text)
        return bool(said) and letters >= self.letters and not self.digits

    def _after(self, label: LabelMention) -> str:
        return self.span.cell.text[label.span.end : self.span.end]


def head_pieces(mentions: Mentions) -> tuple[Piece, ...]:
    """Pieces of the first page's upper rows, in reading order; blank ones are left out."""
    pieces: list[Piece] = []
    if not mentions.layout.pages:
        return ()
    for row in mentions.layout.pages[0].rows[:_HEAD_ROWS]:
        for cell in row.cells:
            pieces.extend(_cut(mentions, row, cell))
    return tuple(pieces[:_HEAD_PIECES])


def _cut(mentions: Mentions, row: Row, cell: Cell) -> Iterator[Piece]:
    lead, at = _lead(mentions, cell), _cut_position(mentions, cell) or len(cell.text)
    for part, start, end in ((0, 0, lead), (0, lead, at), (1, at, len(cell.text))):
        span = Span(cell, start, end)
        if any(map(str.isalnum, span.text)):
            yield Piece(
                span,
                row,
                part,
                tuple(label for label in mentions.labels(cell) if start <= label.span.start < end),
                any(start <= d.span.start < end for d in mentions.dates(cell)),
                any(
                    start <= a.span.start < end and a.is_exact and not a.match.percent
                    for a in mentions.amounts(cell)
                ),
            )


def _lead(mentions: Mentions, cell: Cell) -> int:
    """Characters of a label such as "Address:" before what it names; 0 without one."""
    for label in mentions.labels(cell)[:1]:
        behind = _LEAD.match(cell.text, label.span.end)
        named = (label.match.fields | label.match.cues) & _LEADING
        if named and behind and not any(map(str.isalpha, cell.text[: label.span.start])):
            return behind.end()
    return 0


def _cut_position(mentions: Mentions, cell: Cell) -> int | None:
    """Where a registration number or contact data begin behind at least a short name."""
    places = []
    if match := _REGISTRATION.search(cell.text):
        places.append(match.start())
    for label in mentions.labels(cell):
        named = (label.match.fields | label.match.cues) & _SPLITTING
        rest = cell.text[label.span.end :]
        if named and (any(map(str.isdigit, rest)) or not any(map(str.isalpha, rest))):
            before = cell.text[: label.span.start].rstrip()
            places.append(len(before) - 1 if before.endswith("(") else label.span.start)
    fitting = [
        place for place in places if sum(map(str.isalpha, cell.text[:place])) >= _NAME_LETTERS
    ]
    return min(fitting, default=None)
