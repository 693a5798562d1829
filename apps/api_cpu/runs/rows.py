"""Runs and their items as flat rows under named columns, for tables and spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from apps.api_cpu.runs.filters import status_of
from apps.api_cpu.runs.schemas import RunView
from lib.domain.task import FieldSpec, FieldType, Task

ITEMS = "items"
Cell = str | int | float | Decimal | date | bool | None
Row = Sequence[Cell]

_BEFORE = ("file", "status", "needs_review", "confidence_min", "document_type")
_AFTER = ("error_code", "error_message", "backend", "request_id", "input_ref", "artifact_rel")
_TABLE_BEFORE = ("file", "request_id", "row")
RUN_COLUMNS = tuple(RunView.model_fields)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of an export: its name, its columns, and the rows that an item has in it."""

    name: str
    columns: tuple[str, ...]
    fields: tuple[FieldSpec, ...]

    def rows(self, item: Mapping[str, Any]) -> Iterator[Row]:
        """One row for an item, or one for each row of its table."""
        result = item["result"] or {}
        if self.name == ITEMS:
            yield (*_facts(item, _BEFORE), *self._values(result), *_facts(item, _AFTER))
            return
        for number, row in enumerate(result.get(self.name) or (), start=1):
            yield (item["file"], item["request_id"], number, *self._values(row))

    def _values(self, values: Mapping[str, Any]) -> Iterator[Cell]:
        for spec in self.fields:
            yield _cell(values.get(spec.name), spec.type)


def sheets_of(task: Task) -> tuple[Sheet, ...]:
    """The items and each table of the task, in the order of its file.

    Columns come from the task and not from what was found: two runs of a task have the same. A task
    of choices has the fields of all of them.
    """
    specs: dict[str, FieldSpec] = {}
    tables: dict[str, dict[str, FieldSpec]] = {}
    for spec in _specs(task):
        if spec.type is FieldType.TABLE:
            columns = tables.setdefault(spec.name, {})
            for column in spec.columns:
                columns.setdefault(column.name, column)
        else:
            specs.setdefault(spec.name, spec)
    items = Sheet(ITEMS, (*_BEFORE, *specs, *_AFTER), tuple(specs.values()))
    return (
        items,
        *(
            Sheet(name, (*_TABLE_BEFORE, *columns), tuple(columns.values()))
            for name, columns in tables.items()
        ),
    )


def run_row(run: Mapping[str, Any]) -> Row:
    """The cells of `RUN_COLUMNS`."""
    return tuple(run[name] for name in RUN_COLUMNS)


def _specs(task: Task) -> Iterable[FieldSpec]:
    yield from task.fields
    for choice in task.choices:
        yield from choice.fields


def _facts(item: Mapping[str, Any], names: Sequence[str]) -> Iterator[Cell]:
    error = item["error"] or {}
    for name in names:
        if name == "status":
            yield status_of(item).value
        elif name in {"error_code", "error_message"}:
            yield error.get(name.removeprefix("error_"))
        else:
            yield item.get(name)


def _cell(value: Any, kind: FieldType) -> Cell:
    if kind is FieldType.DATE and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value  # type: ignore[no-any-return]  # scalars of JSON that this server wrote
