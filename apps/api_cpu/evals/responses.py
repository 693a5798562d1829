"""Responses of the API as predictions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from lib.domain.document import Page, PageSource
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType
from lib.evaluation.evaluate import Place, Prediction


def prediction_of(
    document_id: str, body: Mapping[str, Any], milliseconds: float | None
) -> Prediction:
    """The prediction that a response is; an error of its own where it is none of the contract's."""
    try:
        return Prediction(
            document_id,
            document_type=DocumentType(body["document_type"]),
            result=body["result"],
            confidences={
                name: float(f["confidence"])
                for name, f in body["fields"].items()
                if f["value"] is not None
            },
            places={
                name: Place(int(f["page"]), _polygon(f["polygon"]))
                for name, f in body["fields"].items()
                if f.get("page") and f.get("polygon")
            },
            pages=tuple(map(_page, body["pages"])),
            page_count=len(body["pages"]),
            milliseconds=milliseconds,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Prediction(document_id, error="not_the_api_contract")


def _polygon(corners: list[list[Decimal]]) -> Polygon:
    first, second, third, fourth = ((float(x), float(y)) for x, y in corners)
    return Polygon((first, second, third, fourth))


def _page(page: Mapping[str, Any]) -> Page:
    """A page without its words, which only some keys may ask for."""
    size = int(page["width"]), int(page["height"])
    return Page(int(page["number"]), *size, int(page["rotation"]), PageSource(page["source"]), ())
