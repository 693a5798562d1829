"""The sheet on which both syntaxes write what they found, in the fields of `invoice_fields_v1`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice

from lib.domain.extraction import Candidate, RawExtraction
from lib.domain.source import EInvoice
from lib.domain.task import DocumentType
from lib.einvoice.nodes import unreadable

CREDIT_NOTE_CODES = frozenset(
    "81 83 261 262 296 308 381 396 420 458 502 503 532".split()  # noqa: SIM905 - one code table
)
"""UNTDID 1001 codes that EN 16931 (BT-3) counts as credit notes."""

FREIGHT_CODES = frozenset({"AAT", "DL", "FC", "SAA"})
"""UNTDID 7161 charge codes: rush delivery, delivery, freight service, shipping and handling."""

FREIGHT_CODE = ("FC", "Freight service")
DISCOUNT_CODE = ("95", "Discount")
"""Code and name of a charge (UNTDID 7161) and an allowance (UNTDID 5189), as they are written."""

MAX_ROWS = 10_000
"""Rows of a table: many times the longest invoice, and few enough for any memory."""

_FREIGHT_WORDS = re.compile(
    r"\b(freight|shipping|shipment|postage|delivery|carriage|fracht\w*|versand\w*|porto|portokosten"
    r"|liefer\w*|livraison|transport\w*|envío|envio|spedizione|verzend\w*|frete|wysył\w*|dostaw\w*"
    r"|frais de port|portes|ongkos kirim|penghantaran|доставк\w*)\b",
    re.IGNORECASE,
)


def is_freight(code: str, reason: str) -> bool:
    """Whether a document-level charge (BG-21) is for transport; a code decides before a text."""
    if code:
        return code.upper() in FREIGHT_CODES
    return _FREIGHT_WORDS.search(reason) is not None


def _bounded(rows: Iterable[Mapping[str, Candidate]]) -> tuple[Mapping[str, Candidate], ...]:
    found = tuple(islice((row for row in rows if row), MAX_ROWS + 1))
    if len(found) > MAX_ROWS:
        raise unreadable("too_many_rows")
    return found


def present(row: Mapping[str, Candidate | None]) -> dict[str, Candidate]:
    """A table row without its empty cells."""
    return {name: cell for name, cell in row.items() if cell is not None}


def einvoice(
    *,
    syntax: str,
    profile: str,
    is_credit_note: bool,
    fields: Mapping[str, Candidate | None],
    tax_lines: Iterable[Mapping[str, Candidate]],
    line_items: Iterable[Mapping[str, Candidate]],
) -> EInvoice:
    """The finished e-invoice; fields and rows without a value are left out.

    Raises `unreadable_document` for a table of more than MAX_ROWS rows.
    """
    kind = DocumentType.CREDIT_NOTE if is_credit_note else DocumentType.INVOICE
    raw = RawExtraction(
        document_type=kind,
        document_type_score=1.0,
        fields={name: (found,) for name, found in fields.items() if found is not None},
        tables={
            "tax_lines": _bounded(tax_lines),
            "line_items": _bounded(line_items),
        },
    )
    return EInvoice(syntax=syntax, profile=profile, raw=raw)
