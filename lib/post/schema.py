"""The result with every key of the task, and its validation by the task's JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from lib.domain.extraction import Result, Value
from lib.domain.task import FieldType, Task
from lib.post.settled import Settled


def build_result(settled: Settled) -> Result:
    """Every key of the task: the value or None, tables as tuples of rows with every column."""
    result: dict[str, Value | tuple[Mapping[str, Value | None], ...] | None] = {}
    for spec in settled.task.fields:
        if spec.type is FieldType.TABLE:
            result[spec.name] = tuple(
                {c.name: row[c.name].value if c.name in row else None for c in spec.columns}
                for row in settled.tables.get(spec.name, ())
            )
        else:
            option = settled.fields.get(spec.name)
            result[spec.name] = option.value if option else None
    return result


def schema_errors(task: Task, result: Result) -> tuple[str, ...]:
    """What the schema finds wrong, as `place: rule`, without values; empty when valid."""
    return tuple(
        sorted(f"{_place(e)}: {e.validator}" for e in _validator(task).iter_errors(result))
    )


def _place(error: ValidationError) -> str:
    place = ""
    for part in error.absolute_path:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    return place or "result"


def _is_number(_: object, instance: object) -> bool:
    return isinstance(instance, int | Decimal) and not isinstance(instance, bool)


def _is_array(_: object, instance: object) -> bool:
    return isinstance(instance, tuple | list)


def _is_object(_: object, instance: object) -> bool:
    return isinstance(instance, Mapping)


def _properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Any:
    """As JSON Schema says, but it does not go into a null where one may be: most values are."""
    if isinstance(instance, Mapping):
        properties = {
            name: rule
            for name, rule in properties.items()
            if instance.get(name) is not None or "null" not in rule["type"]
        }
    return Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


_RESULT_TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {"number": _is_number, "array": _is_array, "object": _is_object}
)
_ResultValidator: Any = extend(  # type: ignore[no-untyped-call]  # jsonschema gives it no types
    Draft202012Validator, {"properties": _properties}, type_checker=_RESULT_TYPES
)


@lru_cache(maxsize=64)
def _validator(
    task: Task,
) -> Any:  # a validator of Python values, where jsonschema's type says JSON
    return _ResultValidator(task.json_schema())
