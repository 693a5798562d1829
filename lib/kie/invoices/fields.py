"""All fields and tables of an invoice: the finders in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Collection

from lib.domain.extraction import Candidate, Hints
from lib.kie.findings import Findings
from lib.kie.invoices.accounts import find_accounts
from lib.kie.invoices.key_values import KeyValues
from lib.kie.invoices.labels import Labels
from lib.kie.invoices.line_items import LineItems
from lib.kie.invoices.parties import find_parties
from lib.kie.invoices.reading import Reading
from lib.kie.invoices.references import find_references
from lib.kie.invoices.sums import find_sums
from lib.kie.invoices.taxes import find_tax_lines, tax_rows
from lib.kie.mentions import Mentions

# What is read off the blocks of parties, and needed for no other field.
_OF_PARTIES = frozenset(
    {
        "vendor_name",
        "vendor_address",
        "vendor_tax_id",
        "vendor_registration_id",
        "vendor_phone",
        "vendor_email",
        "vendor_website",
        "customer_name",
        "customer_address",
        "customer_tax_id",
        "shipping_address",
        "payment_terms",
        "payment_reference",
        "iban",
        "bic",
    }
)
INVOICE_FIELDS = _OF_PARTIES | {
    "document_number",
    "issue_date",
    "due_date",
    "delivery_date",
    "purchase_order",
    "customer_id",
    "currency",
    "subtotal",
    "discount_total",
    "shipping",
    "tax_total",
    "total",
    "amount_paid",
    "amount_due",
    "tax_lines",
    "line_items",
}
_MOST_CANDIDATES = 8


def find_invoice_fields(
    mentions: Mentions, hints: Hints, wanted: Collection[str] = INVOICE_FIELDS
) -> Findings:
    """Everything that an invoice's pages show of `INVOICE_FIELDS`, parties only where wanted.

    The currency is given only where a label names it; else it is read off the signs beside the
    amounts afterwards.
    """
    labels = Labels(mentions, hints.language)
    pairs = KeyValues(mentions.layout, mentions, labels)
    items = LineItems(mentions.layout, mentions, labels)
    reading = Reading(mentions.layout, mentions, labels, pairs, items.covered)
    tax_lines = find_tax_lines(reading)
    found = {**find_references(reading), **find_sums(reading, tax_lines)}
    if not _OF_PARTIES.isdisjoint(wanted):
        names_and_addresses, parties = find_parties(reading)
        found |= {**names_and_addresses, **find_accounts(reading, parties)}
    tables = {"line_items": items.rows, "tax_lines": tax_rows(reading, tax_lines)}
    return Findings(
        {name: ranked for name, candidates in found.items() if (ranked := _ranked(candidates))},
        {name: rows for name, rows in tables.items() if rows},
    )


def _ranked(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    printed = [candidate for candidate in candidates if candidate.raw.strip()]
    return tuple(sorted(printed, key=lambda c: -c.score)[:_MOST_CANDIDATES])
