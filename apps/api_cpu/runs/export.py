"""A run's items, or the runs themselves, as one file: CSV, XLSX or JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from apps.api_cpu.errors import invalid
from apps.api_cpu.runs.formats import Format, csv_lines, file_chunks, json_lines
from apps.api_cpu.runs.rows import RUN_COLUMNS, Sheet, run_row, sheets_of
from lib.domain.deadline import Deadline
from lib.domain.task import Task

if TYPE_CHECKING:
    from apps.api_cpu.runs.spreadsheet import Spreadsheet

Item = Mapping[str, Any]
_RUNS = "runs"


def items_as(
    format: Format,
    items: Iterable[Item],
    task: Task | None,
    sheet: str,
    deadline: Deadline | None = None,
) -> Iterator[bytes]:
    """The file's bytes, made as they are asked for; a spreadsheet is written before the first.

    `task`: the run's; `sheet`: which table is the one of CSV. Raises `validation_error` for a
    table that the task does not have, without the task, and for a spreadsheet that has not all its
    rows by the deadline.
    """
    if format is Format.JSONL:
        return json_lines(items)
    if task is None:
        raise invalid("format", "the run's task is not there any more; `jsonl` has its results")
    sheets = sheets_of(task)
    if format is Format.XLSX:
        return file_chunks(_workbook(sheets, _in_time(items, deadline)))
    wanted = next((found for found in sheets if found.name == sheet), None)
    if wanted is None:
        names = ", ".join(f"`{found.name}`" for found in sheets)
        raise invalid("sheet", f"is none of {names}")
    return csv_lines(wanted.columns, (row for item in items for row in wanted.rows(item)))


def runs_as(
    format: Format, runs: Iterable[Mapping[str, Any]], deadline: Deadline | None = None
) -> Iterator[bytes]:
    """The runs without their items, one a row. Raises `validation_error` as `items_as`."""
    if format is Format.JSONL:
        return json_lines(runs)
    if format is Format.CSV:
        return csv_lines(RUN_COLUMNS, map(run_row, runs))
    book = _new_book([(_RUNS, RUN_COLUMNS)])
    for run in _in_time(runs, deadline):
        book.append(_RUNS, run_row(run))
    return file_chunks(book.save())


def _workbook(sheets: Sequence[Sheet], items: Iterable[Item]) -> IO[bytes]:
    book = _new_book([(sheet.name, sheet.columns) for sheet in sheets])
    for item in items:
        for sheet in sheets:
            for row in sheet.rows(item):
                book.append(sheet.name, row)
    return book.save()


def _in_time(rows: Iterable[Item], deadline: Deadline | None) -> Iterator[Item]:
    for row in rows:
        if deadline is not None and deadline.passed:
            problem = "it takes too long as a spreadsheet; `csv` and `jsonl` come as they are made"
            raise invalid("format", problem)
        yield row


def _new_book(sheets: Iterable[tuple[str, Sequence[str]]]) -> Spreadsheet:
    # Imported here: its library is a tenth of the server's start, and few ask for it.
    from apps.api_cpu.runs.spreadsheet import Spreadsheet  # noqa: PLC0415

    return Spreadsheet(sheets)
