"""The tables of `ocr extract`: what a person sees in a terminal of 80 columns."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

from rich.console import Console

from apps.api_cpu.extractions.tables import tables


def _field(value: Any, confidence: float) -> dict[str, Any]:
    return {"value": value, "confidence": confidence, "page": 1, "source": "text_layer"}


def _shown(**changes: Any) -> str:
    rows = [
        {"position": "1", "description": "[bold] tea", "quantity": None, "amount": Decimal("4.00")},
        {"position": "2", "description": "Milk", "quantity": None, "amount": Decimal("1.50")},
    ]
    outcome = {
        "file": "a[1].pdf",
        "document_type": "credit_note",
        "pages": [{}, {}],
        "result": {"vendor_name": "Shop", "total": Decimal("5.50"), "line_items": rows},
        "fields": {
            "vendor_name": _field("Shop", 0.999),
            "total": _field(Decimal("5.50"), 0.5),
            "line_items[0].amount": _field(Decimal("4.00"), 0.95),
            "line_items[1].amount": _field(Decimal("1.50"), 0.3),
        },
        "checks": [
            {"rule": "sums", "status": "failed", "message": "4.00 is not 5.50"},
            {"rule": "dates", "status": "passed", "message": "fine"},
        ],
        "review_reasons": ["check_failed:sums"],
        "warnings": ["page 2 is empty"],
    } | changes
    text = io.StringIO()
    Console(file=text, width=80, highlight=False).print(tables(outcome))
    return text.getvalue()


def test_fields_and_rows_are_shown_apart() -> None:
    text = _shown()
    assert "a[1].pdf  credit note, 2 pages" in text
    assert "line_items[" not in text
    assert "[bold] tea" in text, "no markup is read from a document"
    assert max(map(len, text.splitlines())) <= 80


def test_columns_that_say_nothing_are_left_out() -> None:
    text = _shown()
    assert "quantity" not in text
    assert "position" not in text


def test_a_confidence_is_never_rounded_up_and_doubt_is_marked() -> None:
    text = _shown()
    assert "99%" in text
    assert "100%" not in text
    assert "1.50 ?" in text
    assert "4.00 ?" not in text


def test_what_to_look_at_comes_last() -> None:
    lines = [line.rstrip() for line in _shown().splitlines() if line.strip()]
    assert lines[-4:] == [
        "checks: 1 passed, 1 failed",
        "failed: sums: 4.00 is not 5.50",
        "review: check_failed:sums",
        "note:   page 2 is empty",
    ]


def test_no_rows_no_table() -> None:
    assert "line items" not in _shown(result={"vendor_name": "Shop", "line_items": []})
