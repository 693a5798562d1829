"""Items as rows: columns of the task, money with its decimals, and no formula in any cell."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from apps.api_cpu.runs.export import items_as, runs_as
from apps.api_cpu.runs.filters import Filter, Status
from apps.api_cpu.runs.formats import Format
from lib.domain.deadline import Deadline
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.errors import Error

RECEIPT = Task(
    "receipt",
    "",
    DocumentType.RECEIPT,
    (
        FieldSpec("vendor_name", FieldType.NAME, ""),
        FieldSpec("issue_date", FieldType.DATE, ""),
        FieldSpec("total", FieldType.MONEY, ""),
        FieldSpec(
            "line_items",
            FieldType.TABLE,
            "",
            columns=(
                FieldSpec("description", FieldType.STRING, ""),
                FieldSpec("amount", FieldType.MONEY, ""),
            ),
        ),
    ),
)
INVOICE = Task(
    "invoice",
    "",
    DocumentType.INVOICE,
    (
        FieldSpec("total", FieldType.MONEY, ""),
        FieldSpec("iban", FieldType.IBAN, ""),
        FieldSpec(
            "line_items",
            FieldType.TABLE,
            "",
            columns=(
                FieldSpec("amount", FieldType.MONEY, ""),
                FieldSpec("unit", FieldType.STRING, ""),
            ),
        ),
    ),
)
AUTO = Task("auto", "", None, (), (RECEIPT, INVOICE))


def _item(name: str, **more: Any) -> dict[str, Any]:
    return {
        "file": name,
        "request_id": f"id-{name}",
        "input_ref": None,
        "artifact_rel": f"extracts/{name}.json",
        "ok": True,
        "document_type": "receipt",
        "backend": "cpu",
        "result": None,
        "confidence_min": Decimal("0.91"),
        "needs_review": False,
        "error": None,
        **more,
    }


ITEMS = [
    _item(
        "a.jpg",
        result={
            "vendor_name": "=cmd|' /C calc'!A0",
            "issue_date": "2026-03-01",
            "total": Decimal("-19.90"),
            "line_items": [
                {"description": "@tea", "amount": Decimal("5.00")},
                {"description": "café\x07", "amount": Decimal("14.9")},
            ],
        },
    ),
    _item("b.jpg", result={"total": Decimal(3), "iban": "DE1"}, needs_review=True),
    _item(
        "c.jpg",
        ok=False,
        document_type=None,
        backend=None,
        confidence_min=None,
        error={"code": "unreadable_document", "message": "The document is damaged."},
    ),
]


def _csv(items: Iterable[Any], sheet: str = "items") -> list[list[str]]:
    text = b"".join(items_as(Format.CSV, items, AUTO, sheet)).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def test_columns_are_those_of_the_task_whatever_was_found() -> None:
    header = _csv([])[0]
    assert header == _csv(ITEMS)[0]
    assert [name for name in header if name in {"vendor_name", "issue_date", "total", "iban"}] == [
        "vendor_name", "issue_date", "total", "iban",
    ]  # fmt: skip


def test_csv_keeps_decimals_and_disarms_text_but_no_number() -> None:
    rows = [dict(zip(_csv(ITEMS)[0], row, strict=True)) for row in _csv(ITEMS)[1:]]
    assert rows[0]["vendor_name"] == "'=cmd|' /C calc'!A0"
    assert (rows[0]["total"], rows[0]["issue_date"]) == ("-19.90", "2026-03-01")
    assert [row["status"] for row in rows] == ["ok", "needs_review", "failed"]
    assert (rows[2]["error_code"], rows[2]["total"]) == ("unreadable_document", "")
    assert (rows[0]["needs_review"], rows[0]["confidence_min"]) == ("false", "0.91")


def test_a_table_of_the_documents_is_a_sheet_of_its_own() -> None:
    header, *rows = _csv(ITEMS, "line_items")
    assert header == ["file", "request_id", "row", "description", "amount", "unit"]
    assert rows == [
        ["a.jpg", "id-a.jpg", "1", "'@tea", "5.00", ""],
        ["a.jpg", "id-a.jpg", "2", "café\x07", "14.9", ""],
    ]
    with pytest.raises(Error) as caught:
        _csv(ITEMS, "payments")
    assert caught.value.details["errors"][0]["field"] == "sheet"


def test_a_spreadsheet_has_numbers_dates_and_no_formula() -> None:
    data = b"".join(items_as(Format.XLSX, ITEMS, AUTO, "items"))
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["items", "line_items"]
    sheet = book["items"]
    names = [cell.value for cell in sheet[1]]
    first = dict(zip(names, sheet[2], strict=True))
    assert (first["vendor_name"].value, first["vendor_name"].data_type) == (
        "=cmd|' /C calc'!A0",
        "s",
    )
    assert (first["total"].value, first["total"].number_format) == (-19.9, "0.00")
    assert first["issue_date"].value == datetime(2026, 3, 1)  # noqa: DTZ001 cells have no zone
    assert first["issue_date"].number_format == "yyyy-mm-dd"
    assert sheet.max_row == 4
    assert [cell.value for cell in book["line_items"][3]][2:5] == [2, "café", 14.9]


def test_text_that_looks_like_an_error_of_a_spreadsheet_stays_text() -> None:
    items = [_item("a", result={"vendor_name": "#N/A"})]
    data = b"".join(items_as(Format.XLSX, items, RECEIPT, "items"))
    cells = openpyxl.load_workbook(io.BytesIO(data))["items"][2]
    assert [cell.data_type for cell in cells if cell.value == "#N/A"] == ["s"]


def test_json_lines_are_the_items() -> None:
    lines = b"".join(items_as(Format.JSONL, ITEMS, None, "items")).splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["a.jpg", "b.jpg", "c.jpg"]
    assert b'"total":-19.90' in lines[0]


def test_lines_are_made_as_they_are_asked_for() -> None:
    seen = []

    def items() -> Iterator[dict[str, Any]]:
        for item in ITEMS:
            seen.append(item["file"])
            yield item

    for format in (Format.CSV, Format.JSONL):
        seen.clear()
        lines = items_as(format, items(), AUTO, "items")
        next(lines)
        assert len(seen) <= 1


def test_only_what_is_made_as_a_whole_has_to_be_made_in_time() -> None:
    passed = Deadline.after(0)
    with pytest.raises(Error) as caught:
        items_as(Format.XLSX, ITEMS, AUTO, "items", passed)
    assert caught.value.code == "validation_error"
    assert "`csv`" in str(caught.value.details)
    with pytest.raises(Error):
        runs_as(Format.XLSX, [{}], passed)
    for format in (Format.CSV, Format.JSONL):
        assert list(items_as(format, ITEMS, AUTO, "items", passed))


def test_without_the_task_only_lines_of_json_are_left() -> None:
    with pytest.raises(Error) as caught:
        items_as(Format.CSV, ITEMS, None, "items")
    assert caught.value.code == "validation_error"


@pytest.mark.parametrize(
    ("wanted", "files"),
    [
        (Filter(), ["a.jpg", "b.jpg", "c.jpg"]),
        (Filter(Status.OK), ["a.jpg"]),
        (Filter(Status.NEEDS_REVIEW), ["b.jpg"]),
        (Filter(Status.FAILED), ["c.jpg"]),
        (Filter(text="CAFÉ"), ["a.jpg"]),
        (Filter(text="19.90"), ["a.jpg"]),
        (Filter(text="damaged"), ["c.jpg"]),
        (Filter(Status.OK, "jpg"), ["a.jpg"]),
        (Filter(text="ID-b.jpg"), ["b.jpg"]),
        (Filter(text="d-b"), []),
    ],
)
def test_items_are_found_by_how_they_ended_and_by_their_text(
    wanted: Filter, files: list[str]
) -> None:
    assert [item["file"] for item in ITEMS if wanted.matches(item)] == files


def test_runs_are_rows_too() -> None:
    run = {
        "run_id": "march",
        "created_at": "2026-03-01T00:00:00.000Z",
        "task_id": "auto",
        "status": "succeeded",
        "item_count": 3,
        "ok_count": 2,
        "failed_count": 1,
        "needs_review_count": 1,
        "canceled_count": 0,
        "artifact_rel": "batches/2026-03-01/march.json",
        "job_id": None,
    }
    lines = b"".join(runs_as(Format.CSV, [run])).decode().splitlines()
    moment, rel = run["created_at"], run["artifact_rel"]
    assert lines[1] == f"march,{moment},auto,succeeded,3,2,1,1,0,{rel},"
    book = openpyxl.load_workbook(io.BytesIO(b"".join(runs_as(Format.XLSX, [run]))))
    assert [cell.value for cell in book["runs"][2]][:5] == ["march", moment, "auto", "succeeded", 3]


def test_a_date_that_is_none_stays_as_it_is() -> None:
    items = [_item("a", result={"issue_date": "2026-02-30"}), _item("b", result={})]
    data = b"".join(items_as(Format.XLSX, items, RECEIPT, "items"))
    values = [cell.value for cell in openpyxl.load_workbook(io.BytesIO(data))["items"][2]]
    assert "2026-02-30" in values
    assert not any(isinstance(value, date) for value in values)
