"""Ground truth: JSON lines in, checked documents out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lib.domain.task import DocumentType, FieldType
from lib.errors import Error, Kind
from lib.evaluation.compare import date_value, decimal_value, time_value


@dataclass(frozen=True, slots=True)
class TruthDocument:
    """What one document says.

    `file` is relative to the truth file. A key that `fields` lacks is not judged; a key that is
    null says that the document has no such value, so any answer is wrong. `line_items` is None when
    the rows are not judged, and otherwise holds all of them. Numbers are int or decimal strings.
    `vendor_known` says whether the reader has seen this vendor's documents before (in training, or
    in its memory of vendors); None where that is not said.
    """

    id: str
    file: str
    document_type: DocumentType | None
    fields: Mapping[str, Any]
    line_items: tuple[Mapping[str, Any], ...] | None
    vendor_known: bool | None = None


_READERS: dict[FieldType, Callable[[object], object | None]] = {
    FieldType.MONEY: decimal_value,
    FieldType.NUMBER: decimal_value,
    FieldType.PERCENT: decimal_value,
    FieldType.DATE: date_value,
    FieldType.TIME: time_value,
}


def read_truth(
    lines: Iterable[str], types: Mapping[str, FieldType] | None = None
) -> tuple[TruthDocument, ...]:
    """Read lines of `{"id", "file", "document_type", "fields", "line_items", "vendor_known"}`.

    Blank lines are skipped. With `types`, a money, number or date truth that is not one is refused,
    since no answer could ever agree with it. Raises `validation_error` naming the line and what is
    wrong with it.
    """
    documents: list[TruthDocument] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        document = _document(_parse(line, number), number)
        if document.id in seen:
            raise _bad(number, "the id appears twice")
        for name, value in document.fields.items():
            reader = _READERS.get((types or {}).get(name, FieldType.STRING))
            if reader is not None and value is not None and reader(value) is None:
                raise _bad(number, f"`fields.{name}` is not a value of its type")
        seen.add(document.id)
        documents.append(document)
    return tuple(documents)


def _parse(line: str, number: int) -> dict[str, Any]:
    try:
        parsed = json.loads(line, parse_float=str)
    except ValueError as error:
        raise _bad(number, "not JSON") from error
    if not isinstance(parsed, dict):
        raise _bad(number, "not a JSON object")
    return parsed


def _document(line: Mapping[str, Any], number: int) -> TruthDocument:
    for key in ("id", "file"):
        if not isinstance(line.get(key), str) or not line[key]:
            raise _bad(number, f"`{key}` must be a string")
    fields = line.get("fields")
    if not isinstance(fields, dict):
        raise _bad(number, "`fields` must be an object")
    rows = line.get("line_items")
    if rows is not None and not (isinstance(rows, list) and all(isinstance(r, dict) for r in rows)):
        raise _bad(number, "`line_items` must be a list of objects or null")
    if not all(_is_plain(value) for values in (fields, *(rows or ())) for value in values.values()):
        raise _bad(number, "values must be strings, numbers or null")
    try:
        kind = DocumentType(line["document_type"]) if line.get("document_type") else None
    except ValueError as error:
        raise _bad(number, "`document_type` is not a known type") from error
    known = line.get("vendor_known")
    if known is not None and not isinstance(known, bool):
        raise _bad(number, "`vendor_known` must be true, false or null")
    return TruthDocument(
        id=line["id"],
        file=line["file"],
        document_type=kind,
        fields=fields,
        line_items=None if rows is None else tuple(rows),
        vendor_known=known,
    )


def _is_plain(value: object) -> bool:
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _bad(number: int, message: str) -> Error:
    return Error(
        "validation_error",
        Kind.UNPROCESSABLE,
        f"Ground truth, line {number}: {message}.",
        {"errors": [{"line": number, "message": message}]},
    )
