"""Wire shapes of runs and their items."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from apps.api_cpu.openapi import ErrorBody
from apps.api_cpu.wire import WireShape
from lib.domain.task import DocumentType

_RUN_ID = "0199f3c2-5a10-7d4e-8b21-6f0e9d8c7b6a"
_ITEM_ID = "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07"
ITEM_EXAMPLE: dict[str, Any] = {
    "file": "march/017.jpg",
    "request_id": _ITEM_ID,
    "input_ref": None,
    "artifact_rel": f"extracts/2026-11-20/{_ITEM_ID}.json",
    "ok": True,
    "document_type": "receipt",
    "backend": "cpu",
    "result": {"vendor_name": "Corner Shop", "total": 19.9},
    "confidence_min": 0.97,
    "needs_review": False,
    "error": None,
    "timings_ms": {"load": 3, "ocr": 610, "kie": 12, "post": 2, "store": 4, "total": 640},
}
RUN_EXAMPLE: dict[str, Any] = {
    "run_id": _RUN_ID,
    "created_at": "2026-11-20T09:30:00.000Z",
    "task_id": "auto",
    "status": "succeeded",
    "item_count": 1,
    "ok_count": 1,
    "failed_count": 0,
    "needs_review_count": 0,
    "canceled_count": 0,
    "artifact_rel": f"batches/2026-11-20/{_RUN_ID}.json",
    "job_id": "0199f3c2-5a0e-7b11-8a35-94c1d27e6f50",
}


class RunView(WireShape):
    """A run without its items."""

    model_config = ConfigDict(json_schema_extra={"examples": [RUN_EXAMPLE]})

    run_id: str
    created_at: str
    task_id: str
    status: Literal["queued", "running", "succeeded", "failed", "canceled"] = Field(
        default="succeeded", description="Of the run's job; the counts grow while it goes on."
    )
    item_count: int
    ok_count: int
    failed_count: int
    needs_review_count: int
    canceled_count: int = Field(default=0, description="Documents that were given up.")
    artifact_rel: str = Field(description="Written when the run ends.")
    job_id: str | None = Field(
        default=None, description="null for a run of a version that had no jobs."
    )


class RunItem(WireShape):
    """One document of a run."""

    model_config = ConfigDict(json_schema_extra={"examples": [ITEM_EXAMPLE]})

    file: str
    request_id: str = Field(description="`GET /v1/extracts/{request_id}` has all of it.")
    input_ref: str | None
    artifact_rel: str | None
    ok: bool
    document_type: DocumentType | None = None
    backend: Literal["cpu", "vllm", "mock", "einvoice"] | None = Field(
        default=None, description="Who answered; null for what failed."
    )
    result: dict[str, Any] | None
    confidence_min: float | None = Field(
        default=None, description="The lowest of the answered fields; null without any."
    )
    needs_review: bool
    error: ErrorBody | None
    timings_ms: dict[str, int] | None


class RunList(WireShape):
    """A page of runs, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"runs": [RUN_EXAMPLE], "next_cursor": None}]}
    )

    runs: list[RunView]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class RunItems(WireShape):
    """A page of a run's items, in the order of the request."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [ITEM_EXAMPLE], "next_cursor": None}]}
    )

    items: list[RunItem]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")
