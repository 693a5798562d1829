"""What reading a sample must give: every key of its task, null where the document has none."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from sample_documents.model import Invoice, Party, Receipt, TaxLine

Result = dict[str, Any]


def receipt_result(receipt: Receipt) -> Result:
    """The result of `receipt_fields_v1`. A quantity or unit price that is not printed is null."""
    vendor = receipt.vendor
    if receipt.tendered is None:
        payment = {"method": receipt.payment_method, "amount": receipt.total}
    else:
        payment = {"method": receipt.payment_method, "amount": receipt.tendered}
    return {
        "vendor_name": vendor.name,
        "vendor_address": vendor.address,
        "vendor_phone": vendor.phone,
        "vendor_tax_id": vendor.tax_id,
        "document_number": receipt.document_number,
        "issue_date": receipt.issue_date.isoformat(),
        "issue_time": receipt.issue_time.strftime("%H:%M"),
        "currency": receipt.currency,
        "subtotal": receipt.gross if receipt.discount else None,
        "discount_total": receipt.discount or None,
        "tax_total": receipt.tax_total,
        "service_charge": None,
        "tip": None,
        "rounding": None,
        "total": receipt.total,
        "payments": [payment],
        "change": receipt.change,
        "tax_lines": _tax_lines(receipt.tax_lines),
        "line_items": [
            {
                "description": item.description,
                "product_code": None,
                "quantity": Decimal(item.quantity) if item.quantity > 1 else None,
                "unit_price": item.unit_price if item.quantity > 1 else None,
                "discount": None,
                "amount": item.amount,
            }
            for item in receipt.items
        ],
    }


def invoice_result(invoice: Invoice) -> Result:
    """The result of `invoice_fields_v1` for what the page of `pdf.py` prints.

    Nothing has been paid, so what is due is the total, although only that is printed.
    """
    result = _invoice_result(invoice)
    result["customer_address"] += f", {invoice.customer.country}"
    result["payment_reference"] = None
    for item in result["line_items"]:
        item["position"] = item["tax_rate"] = None
    return result


def xml_result(invoice: Invoice) -> Result:
    """The result of `invoice_fields_v1` for what the e-invoice's XML states: codes, not words."""
    result = _invoice_result(invoice)
    result["vendor_website"] = None  # EN 16931 has no term for it
    result["vendor_address"] += f", {invoice.vendor.country_code}"
    result["customer_address"] += f", {invoice.customer.country_code}"
    for row, item in zip(result["line_items"], invoice.items, strict=True):
        row["unit"] = item.unit_code
    return result


def _invoice_result(invoice: Invoice) -> Result:
    return {
        "document_number": invoice.number,
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "delivery_date": invoice.delivery_date and invoice.delivery_date.isoformat(),
        "purchase_order": invoice.purchase_order,
        **_vendor(invoice.vendor),
        "customer_name": invoice.customer.name,
        "customer_address": invoice.customer.address,
        "customer_tax_id": invoice.customer.tax_id,
        "customer_id": invoice.customer.customer_id,
        "shipping_address": None,
        "currency": invoice.currency,
        "subtotal": invoice.subtotal,
        "discount_total": None,
        "shipping": None,
        "tax_total": invoice.tax_total,
        "total": invoice.total,
        "amount_paid": None,
        "amount_due": invoice.total,
        "payment_terms": invoice.payment_terms,
        "payment_reference": invoice.payment_reference,
        "iban": invoice.iban,
        "bic": invoice.bic,
        "tax_lines": _tax_lines(invoice.tax_lines),
        "line_items": [
            {
                "position": str(position),
                "product_code": item.product_code,
                "description": item.description,
                "quantity": item.quantity,
                "unit": item.unit,
                "unit_price": item.unit_price,
                "discount": None,
                "tax_rate": item.tax_rate,
                "amount": item.amount,
            }
            for position, item in enumerate(invoice.items, start=1)
        ],
    }


def _vendor(vendor: Party) -> Result:
    return {
        "vendor_name": vendor.name,
        "vendor_address": vendor.address,
        "vendor_tax_id": vendor.tax_id,
        "vendor_registration_id": vendor.registration_id,
        "vendor_phone": vendor.phone,
        "vendor_email": vendor.email,
        "vendor_website": vendor.website,
    }


def _tax_lines(lines: tuple[TaxLine, ...]) -> list[Result]:
    return [{"rate": line.rate, "base": line.base, "amount": line.amount} for line in lines]


def expected_json(kind: str, result: Result) -> str:
    """`{task_id, document_type, result}`, money with the printed number of decimals."""
    body = {"task_id": f"{kind}_fields_v1", "document_type": kind, "result": result}
    text = json.dumps(body, ensure_ascii=False, indent=2, default=lambda value: f"\0{value}\0")
    return re.sub(r'"\\u0000(-?[\d.]+)\\u0000"', r"\1", text) + "\n"


def truth_line(identifier: str, file: str, kind: str, result: Result) -> str:
    """One line of ground truth: what the document states, and all of its line items."""
    fields = {
        name: value
        for name, value in result.items()
        if value is not None and not isinstance(value, list)
    }
    rows = [
        {name: value for name, value in row.items() if value is not None}
        for row in result["line_items"]
    ]
    line = {
        "id": identifier,
        "file": file,
        "document_type": kind,
        "fields": fields,
        "line_items": rows,
    }
    return json.dumps(line, ensure_ascii=False, default=str) + "\n"
