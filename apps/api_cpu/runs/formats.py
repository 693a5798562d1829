"""Runs and items as files: CSV and JSON lines, a row at a time; spreadsheets as a whole."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import IO, Any

from apps.api_cpu.extractions.response import disarmed
from apps.api_cpu.runs.rows import Cell, Row
from apps.api_cpu.wire import dump

_CHUNK_BYTES = 64 * 1024


class Format(StrEnum):
    """How runs and items are shown."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


MEDIA_TYPES: Mapping[Format, str] = {
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.JSONL: "application/x-ndjson",
}


class _Line:
    """Where the writer of CSV puts its line, to be taken from there."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def csv_lines(columns: Iterable[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """A header and the rows as RFC 4180 has them, safe to open in a spreadsheet."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(columns)
    yield line.text.encode()
    for row in rows:
        writer.writerow([_text(cell) for cell in row])
        yield line.text.encode()


def json_lines(objects: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """An object a line."""
    for found in objects:
        yield dump(found) + b"\n"


def file_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """What a file holds, which is closed at the end."""
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case Decimal():
            return f"{cell:f}"
        case date():
            return cell.isoformat()
        case str():
            return disarmed(cell)
        case _:
            return str(cell)
