"""Cells of a spreadsheet as a reader of the format finds them, whatever is in them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from apps.api_cpu.runs.spreadsheet import Spreadsheet
from lib.errors import Error

COLUMNS = ("file", "a", "b")


def _read(book: Spreadsheet) -> Any:
    with book.save() as file:
        return openpyxl.load_workbook(file)


def _cells(*values: Any) -> list[Any]:
    book = Spreadsheet([("only", ["file", *(f"c{number}" for number in range(len(values)))])])
    book.append("only", ("f", *values))
    return list(_read(book)["only"][2])[1:]


@pytest.mark.parametrize(
    "text",
    [
        "R&D <b> \"x\" 'y'", " before and behind ", "two\nlines", "a\ttab", "two  spaces",
        "=1+1", "#REF!", "+1", "</t></is>", "]]>", "été 東京 😀", "",
    ],
)  # fmt: skip
def test_a_text_comes_back_as_it_was(text: str) -> None:
    (cell,) = _cells(text)
    assert (cell.value or "", cell.data_type) == (text, "s")


def test_characters_that_xml_has_no_place_for_are_left_out_and_excess_is_cut() -> None:
    bell, long = _cells("a\x07\x00b", "x" * 40_000)
    assert bell.value == "ab"
    assert len(long.value) == 32_767


def test_money_is_shown_with_its_decimals() -> None:
    cells = _cells(Decimal("19.90"), Decimal("-3"), Decimal("0.125"), Decimal("1E+3"), 7, 0.5)
    assert [cell.value for cell in cells] == [19.9, -3, 0.125, 1000, 7, 0.5]
    assert [cell.number_format for cell in cells] == [
        "0.00", "0", "0.000", "0", "General", "General",
    ]  # fmt: skip


def test_a_date_is_one_unless_excel_would_be_a_day_off() -> None:
    usual, old = _cells(date(2024, 2, 29), date(1899, 5, 1))
    assert (usual.value, usual.number_format) == (datetime(2024, 2, 29), "yyyy-mm-dd")  # noqa: DTZ001
    assert old.value == "1899-05-01"


def test_truth_is_truth_and_nothing_is_nothing() -> None:
    yes, nothing, no = _cells(True, None, False)
    assert [yes.value, nothing.value, no.value] == [True, None, False]


def test_rows_of_several_sheets_may_come_mixed() -> None:
    book = Spreadsheet([("x", COLUMNS), ("y", COLUMNS), ("empty", COLUMNS)])
    for number in range(3):
        book.append("x", (f"x{number}", Decimal(number), None))
        book.append("y", (f"y{number}", None, date(2026, 3, 1)))
    found = _read(book)
    assert found.sheetnames == ["x", "y", "empty"]
    assert [cell.value for cell in found["x"]["A"]] == ["file", "x0", "x1", "x2"]
    assert [cell.value for cell in found["y"]["A"]] == ["file", "y0", "y1", "y2"]
    assert found["x"]["A1"].font.bold
    assert found["x"].auto_filter.ref == "A1:C4"
    assert found["x"].freeze_panes == "A2"
    assert found["empty"].max_row == 1


def test_who_reads_row_by_row_finds_all_of_them() -> None:
    book = Spreadsheet([("x", COLUMNS)])
    for number in range(5):
        book.append("x", (f"f{number}", number, None))
    with book.save() as file:
        sheet = openpyxl.load_workbook(file, read_only=True)["x"]
        rows = list(sheet.iter_rows(values_only=True))
    assert [row[:2] for row in rows[1:]] == [(f"f{number}", number) for number in range(5)]


def test_more_rows_than_a_sheet_holds_are_refused_with_what_holds_them() -> None:
    book = Spreadsheet([("x", COLUMNS)], most_rows=3)
    for number in range(2):
        book.append("x", (f"f{number}", None, None))
    with pytest.raises(Error) as caught:
        book.append("x", ("f2", None, None))
    assert caught.value.code == "validation_error"
    assert "`csv`" in str(caught.value.details)
