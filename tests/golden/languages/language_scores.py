"""Answers to drawn documents against their truth, counted by the rules of the evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drawn_documents import DrawnDocument

from lib.domain.extraction import Reading
from lib.domain.task import FieldType, Task
from lib.evaluation.compare import agree
from lib.evaluation.line_items import score_line_items
from lib.evaluation.tally import Tally

# Names and running text agree by letters and digits, and so do tax numbers, whose full stops and
# dashes are a matter of layout.
RELAXED = {FieldType.NAME, FieldType.ADDRESS, FieldType.STRING, FieldType.TAX_ID}


@dataclass(frozen=True)
class Marks:
    """`fields`: header fields. `cells`: of all tables. `misses`: name -> (wanted, answered)."""

    fields: Tally = field(default_factory=Tally)
    line_amounts: Tally = field(default_factory=Tally)
    cells: Tally = field(default_factory=Tally)
    misses: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def __add__(self, other: "Marks") -> "Marks":
        return Marks(
            self.fields + other.fields,
            self.line_amounts + other.line_amounts,
            self.cells + other.cells,
        )


def mark(document: DrawnDocument, task: Task, reading: Reading) -> Marks:
    """Judge the truth's fields, those that must be null, and the columns of its tables."""
    misses: dict[str, tuple[Any, Any]] = {}
    fields = Tally()
    for name, wanted in document.fields.items():
        spec, answer = task.field(name), reading.result.get(name)
        kind = spec.type if spec else FieldType.STRING
        right = any(_agrees(value, answer, kind) for value in _as_list(wanted))
        fields += Tally(1, int(answer is not None), int(right))
        if not right:
            misses[name] = (wanted, answer)
    for name in document.absent:
        answer = reading.result.get(name)
        fields += Tally(0, int(answer is not None), 0)
        if answer is not None:
            misses[name] = (None, answer)
    line_amounts, cells = Tally(), Tally()
    for name, rows in document.tables.items():
        for column, tally in _columns(task, name, rows, reading).items():
            cells += tally
            if (name, column) == ("line_items", "amount"):
                line_amounts += tally
            if not tally.judged == tally.predicted == tally.correct:
                misses[f"{name}.{column}"] = (
                    [row.get(column) for row in rows],
                    [row.get(column) for row in reading.result.get(name) or ()],
                )
    return Marks(fields, line_amounts, cells, misses)


def _columns(
    task: Task, table: str, rows: tuple[Mapping[str, str], ...], reading: Reading
) -> dict[str, Tally]:
    spec = task.field(table)
    types = {column.name: column.type for column in spec.columns} if spec else {}
    scores = score_line_items(rows, reading.result.get(table) or (), types).columns
    return {
        name: score.relaxed if types.get(name) in RELAXED else score.exact
        for name, score in scores.items()
    }


def _agrees(wanted: str, answer: object, kind: FieldType) -> bool:
    agreement = agree(wanted, answer, kind)
    return agreement.relaxed if kind in RELAXED else agreement.exact


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
