"""What a field reader is told: tasks, pages with their words, hints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from lib.domain.date_order import DateOrder
from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Hints
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.domain.vendors import KnownVendor, VendorBook


def tasks_to_json(tasks: Iterable[Task]) -> list[Any]:
    """Tasks with their choices."""
    return [
        [
            task.id,
            task.description,
            task.document_type,
            [_field_to_json(spec) for spec in task.fields],
            tasks_to_json(task.choices),
        ]
        for task in tasks
    ]


def tasks_from_json(tasks: Any) -> tuple[Task, ...]:
    """The tasks again."""
    return tuple(
        Task(
            id=task_id,
            description=description,
            document_type=DocumentType(kind) if kind else None,
            fields=tuple(_field_from_json(*spec) for spec in fields),
            choices=tasks_from_json(choices),
        )
        for task_id, description, kind, fields, choices in tasks
    )


def _field_to_json(spec: FieldSpec) -> list[Any]:
    return [
        spec.name,
        spec.type,
        spec.description,
        spec.question,
        spec.business_term,
        [_field_to_json(column) for column in spec.columns],
        spec.translations,
    ]


def _field_from_json(
    name: str,
    kind: str,
    description: str,
    question: str,
    business_term: str | None,
    columns: Any,
    translations: Any,
) -> FieldSpec:
    return FieldSpec(
        name,
        FieldType(kind),
        description,
        question,
        business_term,
        tuple(_field_from_json(*column) for column in columns),
        tuple((language, text) for language, text in translations),
    )


def pages_to_json(pages: Sequence[Page]) -> list[Any]:
    """Pages with their words."""
    return [
        [
            page.number,
            page.width,
            page.height,
            page.rotation,
            page.source,
            [[word_to_json(word) for word in line.words] for line in page.lines],
        ]
        for page in pages
    ]


def pages_from_json(pages: Any) -> tuple[Page, ...]:
    """The pages again."""
    return tuple(
        Page(
            number=number,
            width=width,
            height=height,
            rotation=rotation,
            source=PageSource(source),
            lines=tuple(Line(tuple(word_from_json(*word) for word in line)) for line in lines),
        )
        for number, width, height, rotation, source, lines in pages
    )


def word_to_json(word: Word) -> tuple[Any, ...]:
    """A word."""
    return word.text, word.polygon.corners, word.confidence


def word_from_json(text: Any, corners: Any, confidence: Any) -> Word:
    """The word again. Raises ValueError, TypeError for what is none."""
    return Word(str(text), polygon_from_json(corners), float(confidence))


def polygon_from_json(corners: Any) -> Polygon:
    """A polygon of its corners. Raises ValueError, TypeError for what is none."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
    return Polygon(
        (
            (float(ax), float(ay)),
            (float(bx), float(by)),
            (float(cx), float(cy)),
            (float(dx), float(dy)),
        )
    )


def hints_to_json(hints: Hints) -> list[Any]:
    """Hints without the vendors."""
    return [
        hints.received_on.isoformat(),
        hints.language,
        hints.currency,
        hints.date_order,
        hints.max_error_rate,
    ]


def hints_from_json(hints: Any, vendors: VendorBook) -> Hints:
    """The hints again."""
    received_on, language, currency, date_order, max_error_rate = hints
    return Hints(
        received_on=date.fromisoformat(received_on),
        language=language,
        currency=currency,
        date_order=DateOrder(date_order) if date_order else None,
        vendors=vendors,
        max_error_rate=max_error_rate,
    )


def book_to_json(book: VendorBook) -> list[Any]:
    """Vendors."""
    return [
        [v.name, v.address, v.numbers, v.confirmations, v.currency, v.date_order]
        for v in book.vendors
    ]


def book_from_json(vendors: Any) -> VendorBook:
    """The vendors again."""
    return VendorBook(
        tuple(
            KnownVendor(
                name,
                address,
                tuple(numbers),
                confirmations,
                currency,
                DateOrder(date_order) if date_order else None,
            )
            for name, address, numbers, confirmations, currency, date_order in vendors
        )
    )
