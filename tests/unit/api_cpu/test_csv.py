"""Rows of an answer: as they are for people, disarmed for spreadsheets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.api_cpu.extractions.response import csv_rows, field_rows


def _response(value: Any, raw: str) -> dict[str, Any]:
    field = {"value": value, "raw": raw, "confidence": 0.5, "page": 2, "source": "ocr"}
    return {"fields": {"name": field}}


@pytest.mark.parametrize("text", ["=1+1", "+49 30 1", "-x", "@a", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_run_is_disarmed(text: str) -> None:
    response = _response(text, text)
    assert list(csv_rows(response)) == [["name", f"'{text}", f"'{text}", "0.5", "2", "ocr"]]
    assert next(iter(field_rows(response)))[1] == text


@pytest.mark.parametrize(
    ("value", "shown"), [(Decimal("-0.10"), "-0.10"), (Decimal("1E+3"), "1000"), (7, "7")]
)
def test_numbers_stay_numbers(value: Decimal | int, shown: str) -> None:
    assert next(iter(csv_rows(_response(value, "x"))))[1] == shown
