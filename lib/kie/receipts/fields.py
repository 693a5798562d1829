"""All fields of a receipt: the finders in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Collection

from lib.domain.extraction import Hints
from lib.kie.findings import Findings
from lib.kie.mentions import Mentions
from lib.kie.receipts.amounts import labelled_amounts
from lib.kie.receipts.head_network import HeadReader, shipped_head
from lib.kie.receipts.header import find_vendor
from lib.kie.receipts.identity import (
    find_document_number,
    find_issue_date,
    find_issue_time,
    find_vendor_phone,
    find_vendor_tax_id,
)
from lib.kie.receipts.items import find_items
from lib.kie.receipts.ladder import find_ladders
from lib.kie.receipts.sums import find_parts, find_payments
from lib.kie.receipts.taxes import (
    find_tax_lines,
    other_than_taxes,
    parts_in_row,
    sole_tax,
    tax_rows,
    with_taxes_of_sum,
)
from lib.kie.receipts.total import find_total, summary_rows

_IN_SUM_ROW = 0.5  # score of a base and a tax that no label names

RECEIPT_FIELDS = frozenset(
    {
        "vendor_name",
        "vendor_address",
        "vendor_phone",
        "vendor_tax_id",
        "document_number",
        "issue_date",
        "issue_time",
        "subtotal",
        "discount_total",
        "tax_total",
        "service_charge",
        "tip",
        "rounding",
        "total",
        "change",
        "currency",
        "payments",
        "tax_lines",
        "line_items",
    }
)


# Read together, by the network, and needed for no other field.
_HEAD = frozenset({"vendor_name", "vendor_address"})


def find_receipt_fields(
    mentions: Mentions,
    hints: Hints,
    wanted: Collection[str] = RECEIPT_FIELDS,
    head: HeadReader | None = None,
) -> Findings:
    """Everything that a receipt's pages show of `RECEIPT_FIELDS`, its head only where it is wanted.

    The currency is not looked for: it is read off the signs beside the amounts afterwards.
    The head is read by the network of this package unless another reader is given.
    """
    amounts = labelled_amounts(mentions)
    summary = summary_rows(mentions)
    items = find_items(mentions, amounts)
    ladders = find_ladders(mentions, amounts)
    total = find_total(mentions, amounts, ladders)
    taxes = find_tax_lines(mentions, amounts, items.row_indexes)
    if total:
        taxes = with_taxes_of_sum(taxes, ladders, mentions, total[0])
    names, addresses = (
        ((), ()) if _HEAD.isdisjoint(wanted) else find_vendor(mentions, head or shipped_head())
    )
    dates = find_issue_date(mentions, hints)
    found = {
        "vendor_name": names,
        "vendor_address": addresses,
        "vendor_phone": find_vendor_phone(mentions),
        "vendor_tax_id": find_vendor_tax_id(mentions),
        "document_number": find_document_number(mentions),
        "issue_date": dates,
        "issue_time": find_issue_time(mentions, dates[0] if dates else None),
        "total": total,
        **find_parts(
            mentions,
            amounts,
            total[0] if total else None,
            summary,
            items.row_indexes,
            ladders,
            other_than_taxes(mentions, taxes),
        ),
    }
    if "tax_total" not in found and (only := sole_tax(mentions, taxes)):
        found["tax_total"] = only
    missing = {"subtotal", "tax_total"} - found.keys()
    if missing and total and (parts := parts_in_row(mentions, total[0], items.row_indexes)):
        for name, amount in zip(("subtotal", "tax_total"), parts, strict=True):
            if name in missing:
                found[name] = (mentions.candidate([amount.span], _IN_SUM_ROW),)
    tables = {
        "payments": find_payments(mentions, amounts, items.row_indexes),
        "tax_lines": tax_rows(mentions, taxes),
        "line_items": items.rows,
    }
    return Findings({k: v for k, v in found.items() if v}, tables)
