"""What a document prints, noted while it is drawn, as a line of the evaluation's ground truth."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

Value = Decimal | date | str
# Fields that no document has unless it prints them: anything answered there is wrong. What can be
# worked out from others (sums, due dates from terms, currencies) is not judged when unprinted.
ABSENT = {
    "invoice": (
        "delivery_date",
        "purchase_order",
        "customer_id",
        "customer_tax_id",
        "vendor_registration_id",
        "vendor_phone",
        "vendor_email",
        "vendor_website",
        "shipping_address",
        "discount_total",
        "shipping",
        "amount_paid",
        "payment_reference",
        "iban",
        "bic",
    ),
    "receipt": ("vendor_phone", "vendor_tax_id", "discount_total", "service_charge", "tip"),
}


class Truth:
    """The answers of one document. Values are those printed, not those that could be derived."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.rows: list[dict[str, str]] = []
        self.open: set[str] = set()

    def note(self, **values: Value | None) -> None:
        """Fields that were printed; None is passed over."""
        self.fields |= {key: str(value) for key, value in values.items() if value is not None}

    def unjudged(self, name: str) -> None:
        """A field whose right answer is open, such as a sum of discounts that is not printed."""
        self.fields.pop(name, None)
        self.open.add(name)

    def row(self, **values: Value | None) -> None:
        self.rows.append({key: str(value) for key, value in values.items() if value is not None})

    def line(self, identifier: str, file: str, kind: str) -> str:
        """One JSON line; `kind` is the document type."""
        task = "receipt" if kind == "receipt" else "invoice"
        absent = [name for name in ABSENT[task] if name not in self.open]
        fields = dict.fromkeys(absent, None) | self.fields
        line = {
            "id": identifier,
            "file": file,
            "document_type": kind,
            "fields": fields,
            "line_items": self.rows,
        }
        return json.dumps(line, ensure_ascii=False) + "\n"
