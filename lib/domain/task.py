"""An extraction task: the fields wanted, their types, and the JSON Schema of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class DocumentType(StrEnum):
    """What a document is."""

    RECEIPT = "receipt"
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    OTHER = "other"


class FieldType(StrEnum):
    """How a field's text becomes a value."""

    STRING = "string"
    NAME = "name"
    ADDRESS = "address"
    MONEY = "money"
    NUMBER = "number"
    PERCENT = "percent"
    DATE = "date"
    TIME = "time"
    CURRENCY = "currency"
    PHONE = "phone"
    EMAIL = "email"
    URL = "url"
    TAX_ID = "tax_id"
    IBAN = "iban"
    BIC = "bic"
    IDENTIFIER = "identifier"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a task.

    `business_term` is the EN 16931 term (BT-1, BG-25...) where one exists; `question` is what a
    question-answering model is asked, in English; `translations` are (language, question) for
    documents in others. `description` goes into a prompt. `columns` only for a TABLE.
    """

    name: str
    type: FieldType
    description: str
    question: str = ""
    business_term: str | None = None
    columns: tuple[FieldSpec, ...] = ()
    translations: tuple[tuple[str, str], ...] = ()

    def question_in(self, language: str | None) -> str:
        """The question in a language (BCP 47); in English where there is no other."""
        return dict(self.translations).get(self.language_asked(language), self.question)

    def language_asked(self, language: str | None) -> str:
        """The ISO 639 code of the language in which `question_in` asks."""
        spoken = (language or "").split("-", maxsplit=1)[0].lower()
        return spoken if spoken in dict(self.translations) else "en"


@dataclass(frozen=True, slots=True)
class Task:
    """A task file. `choices` are the tasks to choose between after classification (`auto`)."""

    id: str
    description: str
    document_type: DocumentType | None
    fields: tuple[FieldSpec, ...]
    choices: tuple[Task, ...] = ()

    def __hash__(self) -> int:
        """Of the id alone: all of it is long, and is hashed for every document."""
        return hash(self.id)

    def field(self, name: str) -> FieldSpec | None:
        """The field of that name, or None."""
        return next((spec for spec in self.fields if spec.name == name), None)

    def for_document(self, document_type: DocumentType) -> Task:
        """The task itself, or for a task of choices the one that fits; the first where none does.

        A credit note is read as the invoice that it takes back.
        """
        if not self.choices:
            return self
        if document_type is DocumentType.CREDIT_NOTE:
            document_type = DocumentType.INVOICE
        fitting = (task for task in self.choices if task.document_type is document_type)
        return next(fitting, self.choices[0])

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of `result`: every field is there, null where absent."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.id,
            "description": self.description,
            **_object_schema(self.fields),
        }


_STRING_PATTERNS = {
    FieldType.DATE: r"^\d{4}-\d{2}-\d{2}$",
    FieldType.TIME: r"^\d{2}:\d{2}(:\d{2})?$",
    FieldType.CURRENCY: r"^[A-Z]{3}$",
    FieldType.IBAN: r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$",
    FieldType.BIC: r"^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$",
}
_NUMBERS = {FieldType.MONEY, FieldType.NUMBER, FieldType.PERCENT}


def _object_schema(fields: tuple[FieldSpec, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {spec.name: _field_schema(spec) for spec in fields},
        "required": [spec.name for spec in fields],
        "additionalProperties": False,
    }


def _field_schema(spec: FieldSpec) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": spec.description}
    if spec.type is FieldType.TABLE:
        return schema | {"type": "array", "items": _object_schema(spec.columns)}
    if spec.type in _NUMBERS:
        return schema | {"type": ["number", "null"]}
    schema["type"] = ["string", "null"]
    if pattern := _STRING_PATTERNS.get(spec.type):
        schema["pattern"] = pattern
    return schema
