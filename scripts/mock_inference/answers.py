"""The mock's answers: values in the shape that was asked for, and nulls where there are none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rapidfuzz import fuzz, process

from lib.domain.extraction import FieldValue
from lib.domain.task import Task
from lib.inference.wire import VALUE_SEPARATOR
from mock_inference.reading import Values

_NUMBER = re.compile(r"-?\d[\d., ']*\d|-?\d")
_CELL_QUESTION = re.compile(r"(?P<row>\d+)\.(?P<column>\w+)")
_SIMILAR = 85.0  # of 100: the same question with small changes


def property_names(schema: Any) -> frozenset[str]:
    """The names of an object schema's properties."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return frozenset(properties) if isinstance(properties, dict) else frozenset()


def filled(schema: Mapping[str, Any], values: Values) -> str:
    """JSON without white space that fits an object schema, as guided decoding writes it."""
    return json.dumps(_object(schema, values.fields, values), **_COMPACT)


def free_text(values: Values) -> str:
    """The fields as JSON, for a request without a schema."""
    texts = {name: value.raw or str(value.value) for name, value in values.fields.items()}
    return json.dumps(texts, **_COMPACT)


_COMPACT: Mapping[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}


def _object(
    schema: Mapping[str, Any], fields: Mapping[str, FieldValue], values: Values
) -> dict[str, Any]:
    return {
        name: _filled(inner, fields.get(name), values.tables.get(name, []), values)
        for name, inner in schema.get("properties", {}).items()
    }


def _filled(
    schema: Mapping[str, Any],
    value: FieldValue | None,
    rows: Sequence[Mapping[str, FieldValue]],
    values: Values,
) -> Any:
    """The value in the first shape of the schema that it fits; the least that is valid if none."""
    shapes = list(_shapes(schema))
    for shape in shapes:
        if shape.get("type") == "array":
            items = shape.get("items", {})
            if "properties" in items:
                return [_object(items, row, values) for row in rows][: shape.get("maxItems")]
        elif value is not None:
            for candidate in _spellings(value, shape):
                return candidate
    shapes.sort(key=lambda shape: shape.get("type") != "null")
    return next((least for shape in shapes for least in _least(shape)), None)


def _shapes(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The alternatives of a schema, each with one type."""
    for inner in schema.get("anyOf") or schema.get("oneOf") or ():
        yield from _shapes(inner)
    kinds = schema.get("type", [])
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        yield {**schema, "type": kind}
    if "enum" in schema and not kinds:
        yield {**schema, "type": "string"}


def _spellings(value: FieldValue, shape: Mapping[str, Any]) -> Iterator[Any]:
    """The value as the shape allows it: a number, or a text as printed before as understood."""
    kind = shape.get("type")
    if kind in ("number", "integer") and isinstance(value.value, Decimal):
        yield float(value.value) if kind == "number" else int(value.value)
    if kind == "string":
        texts = [value.raw, *_NUMBER.findall(value.raw), str(value.value)]
        for text in texts:
            fits = re.search(shape.get("pattern", ""), text) is not None
            if text and fits and text in shape.get("enum", [text]):
                yield text


def _least(shape: Mapping[str, Any]) -> Iterator[Any]:
    """What stands where nothing was found."""
    kind = shape.get("type")
    if "enum" in shape:
        yield shape["enum"][0]
    elif kind == "null":
        yield None
    elif kind == "array":
        yield []
    elif kind == "object":
        yield {name: next(_least(s), None) for name, s in shape.get("properties", {}).items()}
    elif kind in ("number", "integer"):
        yield 0
    elif kind == "boolean":
        yield False
    elif kind == "string" and re.search(shape.get("pattern", ""), ""):
        yield ""
    elif kind == "string":
        yield from (text for text in ("0", "0.00", "-") if re.search(shape["pattern"], text))


# --- TILT -----------------------------------------------------------------------------------------


def answer_to(name: str, question: str, values: Values) -> tuple[str, float]:
    """A question's answer as Arctic-TILT writes it, and its score: by its name, else by its text.

    `table.column` is a column of a table from top to bottom, `<row>.<column>` one cell.
    """
    if (cell := _CELL_QUESTION.fullmatch(name)) is not None:
        found = [
            rows[int(cell["row"])].get(cell["column"])
            for rows in values.tables.values()
            if int(cell["row"]) < len(rows)
        ]
        return _joined([value for value in found if value is not None][:1])
    table, dot, column = name.partition(".")
    if dot:
        rows = values.tables.get(table, [])
        return _joined([row[column] for row in rows if column in row])
    known = name if name in values.fields or values.task.field(name) else None
    known = known or asked_field(question, values.task)
    return _joined([values.fields[known]] if known in values.fields else [])


def asked_field(question: str, task: Task) -> str | None:
    """The field whose question this is, in any of its languages, small changes allowed."""
    questions = {
        (spec.name, language): text
        for spec in task.fields
        for language, text in (("en", spec.question), *spec.translations)
        if text
    }
    found = process.extractOne(question, questions, scorer=fuzz.ratio, score_cutoff=_SIMILAR)
    return found[2][0] if found else None


def _joined(found: Sequence[FieldValue]) -> tuple[str, float]:
    texts = [value.raw or str(value.value) for value in found]
    return VALUE_SEPARATOR.join(texts), min((value.confidence for value in found), default=1.0)
