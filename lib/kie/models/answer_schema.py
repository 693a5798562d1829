"""The JSON Schema of a model's answer: a task's fields, in what guided decoding really enforces.

Every value is text, as printed, or null: a grammar for numbers accepts 9E5750 and rounds money, and
`maxLength` lets control characters through; a `pattern` does neither. What a text means is decided
later, by the same code that reads the words of a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lib.domain.task import FieldSpec, FieldType

# No quotation mark, backslash or control character: a grammar's strings must need no escapes.
_CHARACTER = r'[^"\\\x00-\x1f]'
_SHORT, _LONG = 80, 240
# vLLM 0.32 with xgrammar answers 500 to a pattern that repeats more than 128 times.
_MOST_REPEATED = 120

_PATTERNS = {
    FieldType.MONEY: r"^-?[0-9][0-9., ']{0,17}$",
    FieldType.NUMBER: r"^-?[0-9][0-9., ']{0,17}$",
    FieldType.PERCENT: r"^-?[0-9]{1,3}([.,][0-9]{1,4})?$",
    FieldType.TIME: r"^[0-9]{1,2}[:.h][0-9]{2}([:.][0-9]{2})?( ?[AaPp][Mm])?$",
    FieldType.CURRENCY: r"^[A-Z]{3}$",
    FieldType.IBAN: r"^[A-Z]{2}[0-9]{2}[A-Z0-9 ]{11,40}$",
    FieldType.BIC: r"^[A-Z0-9]{8}([A-Z0-9]{3})?$",
}
_LENGTHS = {FieldType.ADDRESS: _LONG, FieldType.STRING: _LONG, FieldType.NAME: _LONG}
LONGEST_VALUE = _LONG
"""Characters of the longest value that is taken for an answer."""


def answer_schema(fields: Sequence[FieldSpec], table_rows: int) -> dict[str, Any]:
    """The schema for an object with exactly these fields; at most `table_rows` rows a table."""
    return {
        "type": "object",
        "properties": {spec.name: _property(spec, table_rows) for spec in fields},
        "required": [spec.name for spec in fields],
        "additionalProperties": False,
    }


def pattern_of(kind: FieldType) -> str:
    """The regular expression of a type's text as the model writes it (ECMA 262 and Python)."""
    if kind in _PATTERNS:
        return _PATTERNS[kind]
    longest = _LENGTHS.get(kind, _SHORT)
    more = "".join(
        f"{_CHARACTER}{{0,{min(_MOST_REPEATED, longest - start)}}}"
        for start in range(_MOST_REPEATED, longest, _MOST_REPEATED)
    )
    return f"^{_CHARACTER}{{1,{min(_MOST_REPEATED, longest)}}}{more}$"


def _property(spec: FieldSpec, table_rows: int) -> dict[str, Any]:
    if spec.type is FieldType.TABLE:
        rows = answer_schema(spec.columns, table_rows)
        return {"type": "array", "items": rows, "maxItems": table_rows}
    return {"anyOf": [{"type": "string", "pattern": pattern_of(spec.type)}, {"type": "null"}]}
