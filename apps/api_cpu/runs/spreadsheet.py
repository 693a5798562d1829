"""XLSX: openpyxl makes the workbook, and the rows are put into it as SpreadsheetML.

Through openpyxl's cells a row costs ten times as much. Numbers and dates are such, and text never
is a formula, since each cell says what it is. ECMA-376-1, 18.3.1: `row`, `c`, `is`, `v`.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import IO
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from apps.api_cpu.errors import invalid
from apps.api_cpu.runs.rows import Cell, Row

_DATE_FORMAT = "yyyy-mm-dd"
_NARROW, _WIDE = 12, 28
# Of a sheet and of a cell: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
_MOST_ROWS, _MOST_CHARACTERS = 1_048_576, 32_767
# Days are counted from here; before March 1900 Excel has a day that never was.
_DAY_ZERO, _FIRST_SURE_DAY = date(1899, 12, 30), date(1900, 3, 1)
_NOT_PLAIN = re.compile(r"[\x00-\x1f&<>\ufffe\uffff]|^\s|\s$|  ")
_END_OF_ROWS = b"</sheetData>"
# Rows repeat themselves: more makes them hardly smaller.
_COMPRESSION = 3
_IN_MEMORY = 1024 * 1024


class Spreadsheet:
    """A workbook with one table a sheet. Rows go to temporary files, not to memory."""

    def __init__(
        self, sheets: Iterable[tuple[str, Sequence[str]]], most_rows: int = _MOST_ROWS
    ) -> None:
        """Names and columns of the sheets; `most_rows` of each, its header among them."""
        self._book = Workbook(write_only=True)
        self._sheets = {
            name: _Sheet(self._book.create_sheet(name), columns, most_rows)
            for name, columns in sheets
        }

    def append(self, name: str, row: Row) -> None:
        """Add a row to a sheet. Raises `validation_error` where it can have no more."""
        self._sheets[name].append(row)

    def save(self) -> IO[bytes]:
        """The finished file, at its beginning; it is gone once it is closed."""
        for sheet in self._sheets.values():
            sheet.end()
        without_rows = io.BytesIO()
        self._book.save(without_rows)
        file = tempfile.TemporaryFile()  # noqa: SIM115 closed by who reads it
        rows_of = {
            f"xl/worksheets/sheet{number}.xml": sheet.rows
            for number, sheet in enumerate(self._sheets.values(), start=1)
        }
        with (
            zipfile.ZipFile(without_rows) as made,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION) as whole,
        ):
            for name in made.namelist():
                with whole.open(name, "w", force_zip64=True) as member:
                    _write(member, made.read(name), rows_of.get(name))
        file.seek(0)
        return file


def _write(member: IO[bytes], part: bytes, rows: IO[bytes] | None) -> None:
    """A part of the workbook, with the rows behind those that it has."""
    if rows is None:
        member.write(part)
        return
    before, _, after = part.rpartition(_END_OF_ROWS)
    member.write(before)
    with rows:
        rows.seek(0)
        shutil.copyfileobj(rows, member)
    member.write(_END_OF_ROWS + after)


class _Sheet:
    """A sheet of openpyxl's that has its header only, and the rows below it as text."""

    def __init__(self, sheet: Worksheet, columns: Sequence[str], most_rows: int) -> None:
        self._sheet = sheet
        self._columns = columns
        self._most_rows = most_rows
        self._letters = [get_column_letter(number) for number in range(1, len(columns) + 1)]
        self._styles: dict[str, int] = {}
        self._last_row = 1
        self.rows: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 see `_write`

    def append(self, row: Row) -> None:
        if self._last_row == self._most_rows:
            most = self._most_rows
            problem = f"a sheet has at most {most} rows; `csv` and `jsonl` have all of them"
            raise invalid("format", problem)
        self._last_row = number = self._last_row + 1
        cells = [
            f'<c r="{letter}{number}"{self._content(value)}'
            for letter, value in zip(self._letters, row, strict=True)
            if value is not None
        ]
        self.rows.write(f'<row r="{number}">{"".join(cells)}</row>'.encode())

    def end(self) -> None:
        """Make what is around the rows; a sheet that was begun before could not be given up."""
        self._sheet.freeze_panes = "A2"
        for letter, column in zip(self._letters, self._columns, strict=True):
            wide = letter == "A" or "name" in column
            self._sheet.column_dimensions[letter].width = _WIDE if wide else _NARROW
        self._sheet.append([_header(self._sheet, column) for column in self._columns])
        self._sheet.auto_filter.ref = f"A1:{self._letters[-1]}{self._last_row}"

    def _content(self, value: Cell) -> str:
        """The rest of a cell's element: its style or type, and the value."""
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, bool):
            return f' t="b"><v>{value:d}</v></c>'
        if isinstance(value, Decimal):
            digits = f"{value:f}"
            return f' s="{self._style(_number_format(digits))}"><v>{digits}</v></c>'
        if isinstance(value, date):
            if value < _FIRST_SURE_DAY:
                return _text(value.isoformat())
            return f' s="{self._style(_DATE_FORMAT)}"><v>{(value - _DAY_ZERO).days}</v></c>'
        return f"><v>{value}</v></c>"

    def _style(self, number_format: str) -> int:
        """The workbook's number of a style, which it learns of here."""
        style = self._styles.get(number_format)
        if style is None:
            cell = WriteOnlyCell(self._sheet)
            cell.number_format = number_format
            style = self._styles[number_format] = cell.style_id
        return style


def _header(sheet: Worksheet, text: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, text)
    cell.font = Font(bold=True)
    return cell


def _text(text: str) -> str:
    kept = text[:_MOST_CHARACTERS]
    if not _NOT_PLAIN.search(kept):
        return f' t="inlineStr"><is><t>{kept}</t></is></c>'
    kept = escape(ILLEGAL_CHARACTERS_RE.sub("", kept))
    return f' t="inlineStr"><is><t xml:space="preserve">{kept}</t></is></c>'


def _number_format(digits: str) -> str:
    """With the decimals that are printed: 19.90 is not shown as 19.9."""
    decimals = len(digits.partition(".")[2])
    return f"0.{'0' * decimals}" if decimals else "0"
