"""An extraction as it is shown: domain objects to the response, and to CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import floor
from typing import Any

from lib.domain.document import Page
from lib.domain.extraction import Comparison, Extraction, FieldValue, Result, Source
from lib.domain.geometry import Polygon
from lib.pipelines.field_reading import CPU, EINVOICE

CSV_COLUMNS = ("field", "value", "raw", "confidence", "page", "source")
_PARTS = 1e5  # of a page, to which corners are rounded
_CONFIDENCE_DIGITS = 4
# A spreadsheet takes a cell that begins like this for a formula; an apostrophe makes it text again.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def shown(extraction: Extraction, *, with_words: bool = False) -> dict[str, Any]:
    """The part of the response that the pipeline determines; money stays Decimal."""
    reading = extraction.reading
    return {
        "task_id": extraction.task_id,
        "document_type": reading.document_type.value,
        "backend": extraction.backend,
        "model": extraction.model,
        "result": _result(reading.result),
        "fields": {
            name: _field(value, extraction.backend) for name, value in reading.fields.items()
        },
        "schema_valid": not reading.schema_errors,
        "schema_errors": list(reading.schema_errors) or None,
        "checks": [
            {
                "rule": check.rule,
                "status": check.status.value,
                "fields": list(check.fields),
                "message": check.message,
            }
            for check in reading.checks
        ],
        "needs_review": reading.needs_review,
        "review_reasons": list(reading.review_reasons),
        "pages": [_page(page, with_words=with_words) for page in extraction.pages],
        "warnings": [*extraction.warnings, *reading.warnings],
        "comparison": _comparison(extraction.comparison),
    }


def words_shown(page: Page) -> list[dict[str, Any]]:
    """A page's words in reading order."""
    return [
        {
            "text": word.text,
            "polygon": _polygon(word.polygon),
            "confidence": round(word.confidence, _CONFIDENCE_DIGITS),
        }
        for word in page.words
    ]


def as_csv(response: Mapping[str, Any]) -> str:
    """A response's answered fields, one a line, under a header; lines end as RFC 4180 says."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(csv_rows(response))
    return text.getvalue()


def csv_rows(response: Mapping[str, Any]) -> Iterable[list[str]]:
    """The cells of `CSV_COLUMNS` for each answered field, safe to open in a spreadsheet."""
    for name, value, raw, *rest in field_rows(response):
        is_text = isinstance(response["fields"][name]["value"], str)
        yield [name, disarmed(value) if is_text else value, disarmed(raw), *rest]


def field_rows(response: Mapping[str, Any]) -> Iterable[list[str]]:
    """The same cells as they are, for people."""
    for name, field in response["fields"].items():
        value, page = field["value"], field["page"]
        yield [
            name,
            "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value),
            field["raw"],
            str(field["confidence"]),
            "" if page is None else str(page),
            field["source"],
        ]


def disarmed(text: str) -> str:
    """Text as a cell of CSV that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _result(result: Result) -> dict[str, Any]:
    return {
        name: [dict(row) for row in value] if isinstance(value, tuple) else value
        for name, value in result.items()
    }


def _engine(source: Source, backend: str) -> str | None:
    """Who answered a field; None for one that was computed from others."""
    return {
        Source.XML: EINVOICE,
        Source.TEXT_LAYER: CPU,
        Source.OCR: CPU,
        Source.MODEL: backend,
    }.get(source)


def _field(value: FieldValue, backend: str) -> dict[str, Any]:
    return {
        "value": value.value,
        "raw": value.raw,
        "confidence": round(value.confidence, _CONFIDENCE_DIGITS),
        "page": value.page,
        "polygon": None if value.polygon is None else _polygon(value.polygon),
        "source": value.source.value,
        "engine": _engine(value.source, backend),
        "alternatives": [
            {
                "value": other.value,
                "confidence": round(other.confidence, _CONFIDENCE_DIGITS),
                "evidence": other.evidence or None,
            }
            for other in value.alternatives
        ],
        "evidence": value.evidence or None,
        "needs_review": value.needs_review,
    }


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "agreeing": list(comparison.agreeing),
        "mismatches": [
            {"field": found.field, "xml": found.xml, "printed": _field(found.printed, CPU)}
            for found in comparison.mismatches
        ],
        "not_found": list(comparison.not_found),
    }


def _page(page: Page, *, with_words: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "number": page.number,
        "width": page.width,
        "height": page.height,
        "rotation": page.rotation,
        "source": page.source.value,
    }
    return view | {"words": words_shown(page)} if with_words else view


def _polygon(polygon: Polygon) -> list[list[float]]:
    # As `round(x, 5)`, which takes five times as long; a page has thousands of corners.
    return [
        [floor(x * _PARTS + 0.5) / _PARTS, floor(y * _PARTS + 0.5) / _PARTS]
        for x, y in polygon.corners
    ]
