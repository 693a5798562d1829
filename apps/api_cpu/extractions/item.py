"""One document of many: what a run or a job says of it once it has been read, or could not be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.api_cpu.errors import envelope
from apps.api_cpu.extractions.draft import Draft
from lib.errors import Error

Item = dict[str, Any]


def item_of(file: str, draft: Draft, outcome: Mapping[str, Any] | Error) -> Item:
    """The item of a document that `ExtractionService.outcome` has answered.

    `file` is the document's name in its batch.
    """
    options = draft.submission.options if draft.submission else None
    item: Item = {
        "file": file,
        "request_id": draft.request_id,
        "input_ref": draft.input_ref or (options.image_ref if options else None),
    }
    if isinstance(outcome, Error):
        item |= {
            "artifact_rel": outcome.details.get("artifact_rel"),
            "ok": False,
            "document_type": None,
            "backend": None,
            "result": None,
            "confidence_min": None,
            "needs_review": False,
            "error": envelope(outcome, draft.request_id)["error"],
        }
    else:
        item |= {
            "artifact_rel": outcome["artifact_rel"],
            "ok": True,
            "document_type": outcome["document_type"],
            "backend": outcome["backend"],
            "result": outcome["result"],
            "confidence_min": _lowest_confidence(outcome["fields"]),
            "needs_review": outcome["needs_review"],
            "error": None,
        }
    return item | {"timings_ms": draft.timings_ms()}


def _lowest_confidence(fields: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Of the fields that are answered; None where none is."""
    answered = (field["confidence"] for field in fields.values() if field["value"] is not None)
    return min(answered, default=None)
