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
# openpyxl takes what begins with `=` for a formula, and `#N/A` for an error.
_TAKEN_FOR_MORE = ("=", "#")


class Spreadsheet:
    """A workbook with one table a sheet. Rows go to temporary files, not to memory."""

    def __init__(self, sheets: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Names and columns of the sheets."""
        self._book = Workbook(write_only=True)
        self._sheets: dict[str, Any] = {}
        self._cells: dict[tuple[str, str | None], Any] = {}
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
        # A generator: each cell is written before the next is asked for, so that few are made.
        self._sheets[name].append(self._written(name, value) for value in row)
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

    def _written(self, name: str, value: Cell) -> Any:
        """What openpyxl is given for a value: the value, or a cell that says how it is shown."""
        if isinstance(value, str):
            text = ILLEGAL_CHARACTERS_RE.sub("", value)
            if not text.startswith(_TAKEN_FOR_MORE):
                return text
            cell = self._cell(name, None)
            cell.value = text
            cell.data_type = _TEXT
            return cell
        if isinstance(value, Decimal):
            cell = self._cell(name, _number_format(value))
        elif isinstance(value, date):
            cell = self._cell(name, _DATE_FORMAT)
        else:
            return value
        cell.value = value
        return cell

    def _cell(self, name: str, number_format: str | None) -> Any:
        """The cell of a sheet for all values that are shown so."""
        cell = self._cells.get((name, number_format))
        if cell is None:
            cell = self._cells[name, number_format] = WriteOnlyCell(self._sheets[name])
            if number_format is not None:
                cell.number_format = number_format
        return cell


def _header(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.font = Font(bold=True)
    return cell


def _number_format(value: Decimal) -> str:
    """With the decimals that are printed: 19.90 is not shown as 19.9."""
    exponent = value.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"0.{'0' * decimals}" if decimals else "0"
