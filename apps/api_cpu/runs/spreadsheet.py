"""XLSX, written row by row: numbers and dates as such, text never as a formula."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from apps.api_cpu.runs.rows import Cell, Row

_DATE_FORMAT = "yyyy-mm-dd"
_NARROW, _WIDE = 12, 28
_TEXT = "s"


class Spreadsheet:
    """A workbook with one table a sheet. Rows go to temporary files, not to memory."""

    def __init__(self, sheets: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Names and columns of the sheets."""
        self._book = Workbook(write_only=True)
        self._sheets: dict[str, Any] = {}
        self._rows: dict[str, int] = {}
        self._columns: dict[str, int] = {}
        for name, columns in sheets:
            sheet = self._sheets[name] = self._book.create_sheet(name)
            sheet.freeze_panes = "A2"
            for number, column in enumerate(columns, start=1):
                width = _WIDE if number == 1 or "name" in column else _NARROW
                sheet.column_dimensions[get_column_letter(number)].width = width
            sheet.append([_header(sheet, column) for column in columns])
            self._rows[name], self._columns[name] = 1, len(columns)

    def append(self, name: str, row: Row) -> None:
        """Add a row to a sheet."""
        sheet = self._sheets[name]
        sheet.append([_cell(sheet, value) for value in row])
        self._rows[name] += 1

    def save(self) -> IO[bytes]:
        """The finished file, at its beginning; it is gone once it is closed."""
        for name, sheet in self._sheets.items():
            last = get_column_letter(self._columns[name])
            sheet.auto_filter.ref = f"A1:{last}{self._rows[name]}"
        file = tempfile.TemporaryFile()  # noqa: SIM115 closed by who reads it
        self._book.save(file)
        file.seek(0)
        return file


def _header(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.font = Font(bold=True)
    return cell


def _cell(sheet: Any, value: Cell) -> Any:
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
        # openpyxl takes what begins with `=` for a formula, and `#N/A` for an error.
        cell.data_type = _TEXT
        return cell
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, Decimal):
        cell.number_format = _number_format(value)
    elif isinstance(value, date):
        cell.number_format = _DATE_FORMAT
    return cell


def _number_format(value: Decimal) -> str:
    """With the decimals that are printed: 19.90 is not shown as 19.9."""
    exponent = value.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"0.{'0' * decimals}" if decimals else "0"
