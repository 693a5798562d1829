"""Wire shapes of a correction."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.extractions.schemas import Value
from apps.api_cpu.wire import WireShape

_ID = "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07"
_CORRECTION_ID = "0199f3b0-1d2e-7c11-8a55-9e0d4c3b2a19"
REQUEST_EXAMPLE: dict[str, Any] = {
    "fields": {"vendor_name": "Corner Shop Ltd", "total": 19.9, "tip": None},
    "comment": "the logo is hard to read",
}
_VIEW_EXAMPLE: dict[str, Any] = {
    "correction_id": _CORRECTION_ID,
    "request_id": _ID,
    "created_at": "2026-11-20T10:00:00.000Z",
    "task_id": "receipt_fields_v1",
    "fields": {"vendor_name": "Corner Shop Ltd", "total": 19.9, "tip": None},
    "comment": "the logo is hard to read",
    "artifact_rel": f"corrections/2026-11-20/{_CORRECTION_ID}.json",
}

Fields = dict[str, Value | list[dict[str, Value]]]


class CorrectionRequest(WireShape):
    """What a person says: values that were wrong, and also values that were right."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [REQUEST_EXAMPLE]})

    fields: Fields = Field(
        min_length=1,
        description="Fields of the task that ran, as they should be; null: the document has none. "
        "A table is given whole. Naming a field that was read right confirms it.",
    )
    comment: str | None = Field(default=None, max_length=2000)


class CorrectionView(WireShape):
    """A correction as it is kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VIEW_EXAMPLE]})

    correction_id: str
    request_id: str
    created_at: str
    task_id: str
    fields: Fields
    comment: str | None
    artifact_rel: str


class CorrectionList(WireShape):
    """All corrections of an extraction and what they make of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "request_id": _ID,
                    "corrections": [_VIEW_EXAMPLE],
                    "result": {"vendor_name": "Corner Shop Ltd", "total": 19.9, "tip": None},
                }
            ]
        }
    )

    request_id: str
    corrections: list[CorrectionView] = Field(description="The oldest first.")
    result: Fields = Field(description="The extraction's result with all corrections applied.")
