"""What a field reader answers: candidates with their words, or the finished reading; and what it is
told of a model's answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from lib.domain.document import Page, Word
from lib.domain.extraction import (
    Alternative,
    Candidate,
    Check,
    CheckStatus,
    FieldValue,
    ModelWeights,
    RawExtraction,
    Reading,
    Source,
    Value,
)
from lib.domain.task import DocumentType, Task
from lib.kie.models.asked import Asked
from lib.kie.models.said import ModelAnswer, Said
from lib.pipelines.readers.document_json import (
    polygon_from_json,
    word_from_json,
    word_to_json,
)

# A Decimal is a list of its digits, so that 19.90 stays what it is and a text is never a number.
# Whatever is not of these shapes raises ValueError, TypeError, KeyError or ArithmeticError.


def reading_to_json(reading: Reading) -> dict[str, Any]:
    """A finished reading."""
    return {
        "document_type": reading.document_type,
        "result": {
            name: {"rows": [_row_to_json(row) for row in value]}
            if isinstance(value, tuple)
            else _value_to_json(value)
            for name, value in reading.result.items()
        },
        "fields": {name: _field_to_json(field) for name, field in reading.fields.items()},
        "checks": [[c.rule, c.status, c.fields, c.message] for c in reading.checks],
        "needs_review": reading.needs_review,
        "review_reasons": reading.review_reasons,
        "schema_errors": reading.schema_errors,
        "warnings": reading.warnings,
    }


def reading_from_json(answer: Any) -> Reading:
    """The reading again."""
    return Reading(
        document_type=DocumentType(answer["document_type"]),
        result={
            str(name): tuple(_row_from_json(row) for row in value["rows"])
            if isinstance(value, dict)
            else _value_from_json(value)
            for name, value in answer["result"].items()
        },
        fields={str(name): _field_from_json(*field) for name, field in answer["fields"].items()},
        checks=tuple(
            Check(str(rule), CheckStatus(status), _texts(fields), str(message))
            for rule, status, fields, message in answer["checks"]
        ),
        needs_review=bool(answer["needs_review"]),
        review_reasons=_texts(answer["review_reasons"]),
        schema_errors=_texts(answer["schema_errors"]),
        warnings=_texts(answer["warnings"]),
    )


def _row_to_json(row: Mapping[str, Value | None]) -> dict[str, Any]:
    return {name: _value_to_json(value) for name, value in row.items()}


def _row_from_json(row: Any) -> dict[str, Value | None]:
    return {str(name): _value_from_json(value) for name, value in row.items()}


def _value_to_json(value: Value | None) -> str | list[str] | None:
    return [str(value)] if isinstance(value, Decimal) else value


def _value_from_json(value: Any) -> Value | None:
    if value is None:
        return None
    return _present(value)


def _present(value: Any) -> Value:
    if isinstance(value, str):
        return value
    (digits,) = value
    return Decimal(digits)


def _texts(texts: Any) -> tuple[str, ...]:
    return tuple(map(str, texts))


def _field_to_json(field: FieldValue) -> list[Any]:
    return [
        _value_to_json(field.value),
        field.raw,
        field.confidence,
        field.source,
        field.page,
        field.polygon.corners if field.polygon is not None else None,
        [
            [_value_to_json(other.value), other.confidence, other.raw, other.evidence]
            for other in field.alternatives
        ],
        field.evidence,
        field.needs_review,
    ]


def _field_from_json(  # noqa: PLR0913, PLR0917 - the fields of a `FieldValue`
    value: Any,
    raw: Any,
    confidence: Any,
    source: Any,
    page: Any,
    corners: Any,
    alternatives: Any,
    evidence: Any,
    needs_review: Any,
) -> FieldValue:
    return FieldValue(
        value=_value_from_json(value),
        raw=str(raw),
        confidence=float(confidence),
        source=Source(source),
        page=int(page) if page is not None else None,
        polygon=polygon_from_json(corners) if corners is not None else None,
        alternatives=tuple(
            Alternative(_present(other), float(sure), str(text), str(why))
            for other, sure, text, why in alternatives
        ),
        evidence=str(evidence),
        needs_review=bool(needs_review) if needs_review is not None else None,
    )


def found_to_json(found: RawExtraction, pages: Sequence[Page]) -> dict[str, Any]:
    """What the rules found: candidates whose words are numbers, counted through the pages; words
    that the rules made follow after them.
    """
    numbers = {id(word): number for number, word in enumerate(_words(pages))}
    made: list[Word] = []

    def numbered(word: Word) -> int:
        if id(word) not in numbers:
            numbers[id(word)] = len(numbers)
            made.append(word)
        return numbers[id(word)]

    def candidate(one: Candidate) -> list[Any]:
        words = [numbered(word) for word in one.words]
        value = _value_to_json(one.value)
        return [one.raw, one.score, one.source, one.page, words, value, one.label, one.reading]

    return {
        "document_type": found.document_type,
        "score": found.document_type_score,
        "fields": {name: list(map(candidate, some)) for name, some in found.fields.items()},
        "tables": {
            name: [{column: candidate(one) for column, one in row.items()} for row in rows]
            for name, rows in found.tables.items()
        },
        "language": found.language,
        "warnings": found.warnings,
        "made": [word_to_json(word) for word in made],
    }


def found_from_json(answer: Any, pages: Sequence[Page], task: Task) -> RawExtraction:
    """The same on these pages: candidates hold the pages' own words."""
    words = [*_words(pages), *(word_from_json(*word) for word in answer["made"])]

    def candidate(
        raw: Any,
        score: Any,
        source: Any,
        page: Any,
        numbers: Any,
        value: Any,
        label: Any,
        reading: Any,
    ) -> Candidate:
        return Candidate(
            raw=str(raw),
            score=float(score),
            source=Source(source),
            page=int(page),
            words=tuple(words[number] for number in numbers),
            value=_value_from_json(value),
            label=str(label),
            reading=str(reading),
        )

    language = answer["language"]
    return RawExtraction(
        document_type=DocumentType(answer["document_type"]),
        document_type_score=float(answer["score"]),
        fields={
            str(name): tuple(candidate(*one) for one in some)
            for name, some in answer["fields"].items()
        },
        tables={
            str(name): tuple(
                {str(column): candidate(*one) for column, one in row.items()} for row in rows
            )
            for name, rows in answer["tables"].items()
        },
        language=str(language) if language is not None else None,
        warnings=_texts(answer["warnings"]),
        task=task,
    )


def asked_to_json(asked: Asked) -> dict[str, Any]:
    """What a model said, each value as its text and score."""
    answer = asked.answer
    return {
        "values": {
            name: [[said.text, said.score] for said in values]
            for name, values in answer.fields.items()
        },
        "rows": {
            name: [{c: [said.text, said.score] for c, said in row.items()} for row in rows]
            for name, rows in answer.tables.items()
        },
        "fields": asked.fields,
        "weights": asdict(asked.weights),
        "warnings": asked.warnings,
        "kept": asked.kept,
        "competes": asked.competes,
    }


def asked_from_json(told: Any) -> Asked:
    """The same again."""
    return Asked(
        answer=ModelAnswer(
            fields={
                name: tuple(Said(*said) for said in values)
                for name, values in told["values"].items()
            },
            tables={
                name: tuple({c: Said(*said) for c, said in row.items()} for row in rows)
                for name, rows in told["rows"].items()
            },
        ),
        fields=tuple(told["fields"]),
        weights=ModelWeights(**told["weights"]),
        warnings=tuple(told["warnings"]),
        kept=tuple(told["kept"]),
        competes=told["competes"],
    )


def _words(pages: Sequence[Page]) -> list[Word]:
    return [word for page in pages for line in page.lines for word in line.words]
