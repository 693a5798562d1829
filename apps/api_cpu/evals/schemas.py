"""Wire shapes of evaluations."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.wire import WireShape

_EVAL_ID = "0199f3c5-1b2c-7d3e-9f40-51627384a5b6"
_TALLY = {"judged": 2, "predicted": 2, "correct": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5}
_SCORE = {"exact": _TALLY, "relaxed": _TALLY}
EVAL_REQUEST_EXAMPLE: dict[str, Any] = {
    "run_id": "march",
    "truth": [
        {
            "id": "017",
            "file": "017.jpg",
            "fields": {"vendor_name": "Corner Shop", "total": "19.90"},
        }
    ],
}
_EVAL_EXAMPLE: dict[str, Any] = {
    "eval_id": _EVAL_ID,
    "created_at": "2026-11-20T10:00:00.000Z",
    "run_id": "march",
    "artifact_rel": f"evals/2026-11-20/{_EVAL_ID}.json",
    "task_id": "auto",
    "documents": 1,
    "failed": 0,
    "micro": _SCORE,
    "fields": {"total": _SCORE},
    "line_items": None,
    "confidence": {},
    "items": [],
}


class EvalRequest(WireShape):
    """A run, and what its documents say."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [EVAL_REQUEST_EXAMPLE]}
    )

    run_id: str = Field(max_length=128)
    truth: list[dict[str, Any]] | None = Field(
        default=None,
        max_length=10_000,
        description="Ground truth as in docs/evaluation.md, a line an object; `id` is an item's "
        "`request_id`, or `file` its `file`. Without it the run's corrections are the truth.",
    )


class EvalView(WireShape):
    """An evaluation: figures for all documents, then every answer and mistake."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_EVAL_EXAMPLE]})

    eval_id: str
    created_at: str
    run_id: str | None = Field(description="null where `gt_ref` of a batch asked for it.")
    artifact_rel: str
    task_id: str
    documents: int
    failed: int
    micro: dict[str, Any] = Field(description="All header fields together, exact and relaxed.")
    fields: dict[str, Any]
    line_items: dict[str, Any] | None
    confidence: dict[str, Any]
    items: list[dict[str, Any]]
