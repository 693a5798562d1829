"""What identifies the parties and the payment: tax ids, registers, contacts, accounts, terms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lib.domain.extraction import Candidate
from lib.kie.invoices.address_blocks import town_parts
from lib.kie.invoices.key_values import Hit, as_candidates, identifier_spans, text_spans
from lib.kie.invoices.labels import FieldLabel
from lib.kie.invoices.parties import Party
from lib.kie.invoices.reading import Found, IdentifierFinder, Reading
from lib.kie.layout import Cell, Span
from lib.values.identifiers import (
    find_bics,
    find_emails,
    find_ibans,
    find_phones,
    find_tax_ids,
    find_urls,
)

_VALID, _DOUBTFUL = 0.85, 0.5
_OTHER_PARTY = 0.5  # subtracted where the number stands in the other party's block
_LABELLED = 0.1
_SURE_PARTY = 0.5
_FAINT = 0.4  # a number that a chance word introduces
_FEWEST_LETTERS = 3  # of a text value
_NUMBER_DIGITS = 4  # of another number between a label and a value
_PREFIXED, _PREFIXED_DOUBTFUL = 0.05, 0.25  # a VAT id names its country; samples fail the checksum
_OWN_BLOCK = 0.1
_LESS_TELLING = 0.2
_PERSONAL = frozenset({"stnr", "idnr", "codice_fiscale"})  # only where no VAT id is printed
_TAX_LABELS = ("vendor_tax_id", "customer_tax_id")
_POSTCODE = re.compile(r"(?:.* )?\d{4,5}-\d{3}")  # Brazil, Portugal: no phone is grouped so
_SHORT_LABEL = re.compile(r"(?:^|[\s|·(])(?:T|P|Ph|Tf)[.:]\s*$")
_NOT_TAX = frozenset({"siret", "siren", "uen", "cvr", "orgnr", "ytunnus", "bn"})


def find_accounts(reading: Reading, parties: Sequence[Party]) -> Found:
    """Candidates for all identifiers of the parties and the payment."""
    return {
        "vendor_tax_id": _tax_ids(reading, parties, "vendor"),
        "customer_tax_id": _tax_ids(reading, parties, "customer"),
        "vendor_registration_id": _registrations(reading),
        "vendor_phone": _contacts(reading, parties, "vendor_phone", find_phones),
        "vendor_email": _contacts(reading, parties, "vendor_email", find_emails),
        "vendor_website": _contacts(reading, parties, "vendor_website", find_urls),
        "iban": _plain(reading, find_ibans),
        "bic": _plain(reading, find_bics),
        "payment_reference": _labelled(reading, "payment_reference"),
        "payment_terms": _terms(reading),
    }


def _plain(reading: Reading, find: IdentifierFinder) -> list[Candidate]:
    return _ranked(
        reading.mentions.candidate([span], 0.95 if match.valid else _DOUBTFUL)
        for span, match in reading.all_identifiers(find)
    )


def _ranked(candidates: Iterator[Candidate] | Sequence[Candidate]) -> list[Candidate]:
    best: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda c: -c.score):
        best.setdefault(candidate.raw, candidate)
    return list(best.values())


def _cells_of(parties: Sequence[Party], *roles: str) -> set[int]:
    return {cell.index for party in parties if party.role in roles for cell in party.cells}


def _tax_ids(reading: Reading, parties: Sequence[Party], role: str) -> list[Candidate]:
    own = _cells_of([p for p in parties if p.score > _SURE_PARTY], role)
    other = "customer" if role == "vendor" else "vendor"
    rival_cells = _cells_of([p for p in parties if p.score > _SURE_PARTY], other) - own
    found = []
    for span, match in reading.all_identifiers(find_tax_ids):
        label = _label_before(reading, span)
        if match.kind in _NOT_TAX and label is None:
            continue
        score = _VALID if match.valid else _DOUBTFUL
        if match.kind == "vat":
            score += _PREFIXED if match.valid else _PREFIXED_DOUBTFUL
        elif match.kind in _PERSONAL:
            score -= _LESS_TELLING
        explicit_customer = label == "customer_tax_id"
        if role == "customer":
            if not explicit_customer and span.cell.index not in own:
                continue
        elif explicit_customer:
            continue
        elif span.cell.index in own:
            score += _OWN_BLOCK
        elif span.cell.index in rival_cells:
            score -= _OTHER_PARTY
        found.append(reading.mentions.candidate([span], score))
    return _ranked(found)


def _label_before(reading: Reading, span: Span) -> str | None:
    """The tax label that the number stands behind, in its cell or left of it.

    None where another label stands between the two: `VAT FR12... | SIRET 814...`.
    """
    for cell in (span.cell, *reversed(reading.layout.row_of(span.cell).cells_left_of(span.cell))):
        labels = [
            label
            for label in reading.labels.in_cell(cell)
            if label.field in (*_TAX_LABELS, "vendor_registration_id")
            and (cell is not span.cell or label.span.end <= span.start)
        ]
        if labels:
            last = max(labels, key=lambda label: (label.span.end, label.field == "customer_tax_id"))
            return last.field if last.field in _TAX_LABELS else None
        if cell is not span.cell:
            break
    return None


def _registrations(reading: Reading) -> list[Candidate]:
    found = [
        reading.mentions.candidate([span], 0.82 if match.valid else 0.78)
        for span, match in reading.all_identifiers(find_tax_ids)
        if match.kind in ("siret", "siren", "uen", "cvr", "orgnr", "ytunnus")
        and _label_before(reading, span) is None
    ]
    return _ranked([*found, *_labelled(reading, "vendor_registration_id")])


def _contacts(
    reading: Reading,
    parties: Sequence[Party],
    field: str,
    find: IdentifierFinder,
) -> list[Candidate]:
    vendor = _cells_of([p for p in parties if p.score > _SURE_PARTY], "vendor")
    customer = _cells_of([p for p in parties if p.score > _SURE_PARTY], "customer", "shipping")
    found = []
    for span, match in reading.all_identifiers(find):
        cues = reading.labels.cues(span.cell) | _left_cues(reading, span.cell)
        if "fax" in cues or (field == "vendor_phone" and _is_other_number(reading, span)):
            continue
        labelled = any(label.field == field for label in _labels_of(reading, span))
        if field == "vendor_phone":
            labelled |= bool(_SHORT_LABEL.search(span.cell.text[: span.start]))
        plain = span.cell.index in vendor and not reading.labels.opening(span.cell)
        if field == "vendor_phone" and not (labelled or match.valid or plain):
            continue
        if field == "vendor_phone" and not labelled and _is_postal(span):
            continue
        score = 0.7 + _LABELLED * labelled - 0.5 * (span.cell.index in customer)
        found.append(reading.mentions.candidate([span], score))
    return _ranked(found)


def _is_postal(span: Span) -> bool:
    """Whether a number is a post code, or one of a one-line address."""
    return bool(_POSTCODE.fullmatch(span.text) or town_parts(span.cell))


def _labels_of(reading: Reading, span: Span) -> list[FieldLabel]:
    """Labels before a value with no other number between, in its cell or the one left of it."""
    cell = span.cell
    left = reading.layout.row_of(cell).cells_left_of(cell)[-1:]
    before = [
        label
        for label in reading.labels.in_cell(cell)
        if label.span.start < span.end
        and sum(map(str.isdigit, cell.text[label.span.end : span.start])) < _NUMBER_DIGITS
    ]
    return [*before, *(label for c in left for label in reading.labels.in_cell(c))]


def _left_cues(reading: Reading, cell: Cell) -> frozenset[str]:
    left = reading.layout.row_of(cell).cells_left_of(cell)
    return reading.labels.leading_cues(left[-1]) if left else frozenset()


def _is_other_number(reading: Reading, span: Span) -> bool:
    cell = span.cell
    if reading.identifiers(find_ibans, cell) or reading.mentions.dates(cell):
        return True
    tax_ids = reading.identifiers(find_tax_ids, cell)
    return any(match.start < span.end and span.start < match.end for match in tax_ids)


def _labelled(reading: Reading, field: str) -> list[Candidate]:
    """Identifiers beside a field's labels, outside the table."""
    hits = reading.pairs.hits(field, lambda cell: identifier_spans(reading.mentions, cell))
    outside = [
        hit
        for hit in hits
        if hit.score >= _FAINT
        and reading.outside_table(hit.span.cell)
        and reading.outside_table(hit.label.cell)
    ]
    return list(as_candidates(reading.mentions, outside, 0.8))


def _terms(reading: Reading) -> list[Candidate]:
    hits: list[Hit] = []
    for label in reading.labels.of("payment_terms"):
        if label.leads and reading.outside_table(label.cell):
            behind = Span(label.cell, label.span.end, len(label.cell.text)).stripped()
            if sum(map(str.isalpha, behind.text)) >= _FEWEST_LETTERS:
                hits.append(Hit(behind, 1.0, label))
            else:
                hits += reading.pairs.seek(label, _sentences)
    return list(as_candidates(reading.mentions, hits, 0.8))


def _sentences(cell: Cell) -> list[Span]:
    """The text of a cell that says something in words."""
    colon = cell.text.find(":")
    return [
        span
        for span in text_spans(cell, colon + 1 if colon >= 0 else 0)
        if sum(map(str.isalpha, span.text)) >= _FEWEST_LETTERS
    ]
