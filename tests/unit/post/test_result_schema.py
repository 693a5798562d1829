"""What a result's schema finds wrong, and that a null is looked at only where none may be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator

from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.post.schema import schema_errors

_COLUMNS = (
    FieldSpec("text", FieldType.STRING, "Text"),
    FieldSpec("amount", FieldType.MONEY, "Amount"),
)
_TASK = Task(
    "bill",
    "Bills",
    DocumentType.RECEIPT,
    (
        FieldSpec("day", FieldType.DATE, "Day"),
        FieldSpec("total", FieldType.MONEY, "Total"),
        FieldSpec("lines", FieldType.TABLE, "Lines", columns=_COLUMNS),
    ),
)


def _found(**result: Any) -> tuple[str, ...]:
    return schema_errors(_TASK, result)


def test_nulls_are_valid_where_values_are_missing() -> None:
    empty = {"text": None, "amount": None}
    assert _found(day=None, total=None, lines=()) == ()
    assert _found(day="2026-03-17", total=Decimal("9.00"), lines=(empty,)) == ()


def test_each_fault_is_named_by_its_place_and_rule() -> None:
    assert _found(day="17 March", total="9", lines=None) == (
        "day: pattern",
        "lines: type",
        "total: type",
    )
    assert _found(day=None, total=None, lines=({"text": None, "amount": "1"}, "2")) == (
        "lines[0].amount: type",
        "lines[1]: type",
    )
    assert _found(day=None, lines=(), surplus=None) == (
        "result: additionalProperties",
        "result: required",
    )


def test_a_table_is_never_null_and_all_else_may_be() -> None:
    schema = Draft202012Validator(_TASK.json_schema())
    nulls = {"day": None, "total": None, "lines": None}
    (error,) = schema.iter_errors(nulls)
    assert list(error.absolute_path) == ["lines"]
    assert _found(**nulls) == ("lines: type",)
