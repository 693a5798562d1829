"""The result of an invoice to EN 16931 XML, with a list of what it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lib.domain.task import DocumentType
from lib.einvoice import gaps
from lib.einvoice.cii_writer import write_cii
from lib.einvoice.from_result import invoice_of, left_out
from lib.einvoice.ubl_writer import write_ubl
from lib.errors import Error, Kind

_MOST_LINES_NAMED = 20


class Syntax(StrEnum):
    """The two syntaxes of EN 16931."""

    UBL = "ubl"
    CII = "cii"


@dataclass(frozen=True, slots=True)
class WrittenInvoice:
    """The XML, valid by its schema; it follows EN 16931 where nothing is missing or broken.

    `missing` and `concluded`: business terms; `broken_rules`: sums that do not hold (BR-CO-*);
    `left_out`: fields of the result that EN 16931 has no place for; `notes`: all of that in
    sentences, as in the comment of `xml`.
    """

    xml: bytes
    missing: tuple[str, ...]
    concluded: tuple[str, ...]
    broken_rules: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def write_einvoice(
    result: Mapping[str, Any],
    document_type: DocumentType,
    syntax: Syntax,
    *,
    has_codes: bool,
    country: str | None = None,
) -> WrittenInvoice:
    """XML of a result of `invoice_fields_v1`, numbers as Decimal or int; nothing is invented.

    `has_codes`: the result was read from XML, so that its units are codes. `country`: ISO 3166-1
    code of the parties whose address names none, as known to the caller. Raises `not_exportable`
    for other documents than invoices and credit notes, and, with `details.missing`, where a term is
    missing without which the schemas cannot be met.
    """
    if document_type not in {DocumentType.INVOICE, DocumentType.CREDIT_NOTE}:
        raise _not_exportable(
            "Only an invoice or a credit note can be told as an e-invoice.",
            {"reason": "not_an_invoice", "document_type": document_type.value},
        )
    notes = gaps.Notes()
    is_credit_note = document_type is DocumentType.CREDIT_NOTE
    invoice = invoice_of(
        result, notes, is_credit_note=is_credit_note, has_codes=has_codes, country=country
    )
    if invoice is None:
        missing = gaps.in_order(notes.missing)
        named = ", ".join(f"{gaps.NAMES[term]} ({term})" for term in missing)
        raise _not_exportable(
            f"The document lacks what an e-invoice cannot be without: {named}.",
            {"reason": "incomplete", "missing": missing},
        )
    gaps.note_missing(invoice, notes)
    broken, without_place = tuple(gaps.broken_rules(invoice)), tuple(left_out(result))
    sentences = tuple(_sentences(notes, broken, without_place))
    write = write_ubl if syntax is Syntax.UBL else write_cii
    return WrittenInvoice(
        xml=write(invoice, "\n     ".join(sentences)),
        missing=tuple(gaps.in_order(notes.missing)),
        concluded=tuple(gaps.in_order(notes.concluded)),
        broken_rules=broken,
        left_out=without_place,
        notes=sentences,
    )


def _not_exportable(message: str, details: Mapping[str, Any]) -> Error:
    return Error("not_exportable", Kind.CONFLICT, message, details)


def _sentences(
    notes: gaps.Notes, broken: tuple[str, ...], without_place: tuple[str, ...]
) -> Iterator[str]:
    """What a person should know who opens the file."""
    for heading, terms in (
        ("Missing for EN 16931", notes.missing),
        ("Concluded from other values", notes.concluded),
    ):
        if terms:
            named = (_named(term, terms[term]) for term in gaps.in_order(terms))
            yield f"{heading}: {', '.join(named)}."
    if broken:
        yield f"Sums that do not hold: {', '.join(broken)}."
    if without_place:
        yield f"Read, but without a place in EN 16931: {', '.join(without_place)}."


def _named(term: str, lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:_MOST_LINES_NAMED]))
    more = ", ..." if len(lines) > _MOST_LINES_NAMED else ""
    return f"{term} {gaps.NAMES[term]}" + (f" (line {shown}{more})" if lines else "")
