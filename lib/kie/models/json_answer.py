"""A chat model's text to what it said: strict about shape, since nothing that it promises holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from lib.domain.task import FieldSpec, FieldType
from lib.inference.strict_json import parse
from lib.kie.models.answer_schema import LONGEST_VALUE
from lib.kie.models.said import NOTHING, ModelAnswer, Said, SaidRow

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(?P<inside>.*)\n\s*```\s*\Z", re.DOTALL)
# A number as a model without a grammar may write it: what money and quantities need, and no more.
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,8})?")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
_NUMERIC = frozenset({FieldType.MONEY, FieldType.NUMBER, FieldType.PERCENT, FieldType.IDENTIFIER})
_MOST_CHARACTERS = 400_000


class UnusableAnswer(Exception):
    """An answer that is not what was asked for; `reason` is in our words and may be shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_json_answer(
    text: str, fields: Sequence[FieldSpec], table_rows: int, score: float
) -> ModelAnswer:
    """The values that the model gives for these fields, each believed by `score`.

    The object must have exactly the fields as keys and each value its shape: text or null, a number
    where one is meant, a list of such objects for a table. Raises `UnusableAnswer`.
    """
    found = _object(_load(text), fields, "the answer")
    values: dict[str, tuple[Said, ...]] = {}
    tables: dict[str, tuple[SaidRow, ...]] = {}
    for spec in fields:
        if spec.type is FieldType.TABLE:
            tables[spec.name] = _rows(found[spec.name], spec, table_rows, score)
        elif said := _value(found[spec.name], spec, spec.name, score):
            values[spec.name] = (said,)
    return ModelAnswer(values, tables)


def _load(text: str) -> Any:
    if len(text) > _MOST_CHARACTERS:
        raise UnusableAnswer("it is too long")
    fenced = _FENCED.match(text)
    try:
        return parse(fenced["inside"] if fenced else text)
    except ValueError as wrong:  # with a message of our own
        raise UnusableAnswer(f"it is not one JSON object: {wrong}") from None


def _object(found: Any, fields: Sequence[FieldSpec], where: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise UnusableAnswer(f"{where} is not an object")
    names = [spec.name for spec in fields]
    if missing := [name for name in names if name not in found]:
        raise UnusableAnswer(f"{where} lacks the key `{missing[0]}`")
    if len(found) > len(names):
        raise UnusableAnswer(f"{where} has a key that was not asked for")
    return found


def _rows(found: Any, table: FieldSpec, most: int, score: float) -> tuple[SaidRow, ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise UnusableAnswer(f"`{table.name}` is not a list")
    if len(found) > most:
        raise UnusableAnswer(f"`{table.name}` has more than {most} rows")
    rows = []
    for row in found:
        cells = _object(row, table.columns, f"a row of `{table.name}`")
        said = {
            column.name: value
            for column in table.columns
            if (value := _value(cells[column.name], column, f"{table.name}.{column.name}", score))
        }
        if said:
            rows.append(said)
    return tuple(rows)


def _value(found: Any, spec: FieldSpec, where: str, score: float) -> Said | None:
    if found is None:
        return None
    if isinstance(found, int | Decimal) and not isinstance(found, bool) and spec.type in _NUMERIC:
        found = _digits(found, where)
    if not isinstance(found, str):
        raise UnusableAnswer(f"`{where}` is not a text")
    text = _BLANKS.sub(" ", found).strip()
    if text.casefold() in NOTHING:
        return None
    if len(text) > LONGEST_VALUE:
        raise UnusableAnswer(f"`{where}` is longer than {LONGEST_VALUE} characters")
    return Said(text, score)


def _digits(number: int | Decimal, where: str) -> str:
    """A number as it would be printed; one that no document prints is refused."""
    text = f"{number:f}"
    if not _NUMBER.fullmatch(text):
        raise UnusableAnswer(f"`{where}` is out of range")
    return text
