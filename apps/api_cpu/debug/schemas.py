"""Wire shapes of what support sees."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.artifacts.index import ArtifactKind
from apps.api_cpu.wire import WireShape

_ID = "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07"
_ENTRY: dict[str, Any] = {
    "artifact_rel": f"extracts/2026-11-20/{_ID}.json",
    "kind": "extracts",
    "artifact_id": _ID,
    "request_id": _ID,
    "owner_key_id": "3f9a1c0b7d52",
    "day": "2026-11-20",
    "created_at": "2026-11-20T09:30:00.000Z",
    "status": 422,
    "error_code": "encrypted_document",
    "sha256": None,
    "input_ref": None,
}


class ArtifactListed(WireShape):
    """What the index knows of an artifact."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY]})

    artifact_rel: str
    kind: ArtifactKind
    artifact_id: str = Field(
        description="Of the extraction, run, evaluation or correction; of a refused request, "
        "one of the artifact's own."
    )
    request_id: str | None
    owner_key_id: str
    day: str
    created_at: str
    status: int | None = Field(description="HTTP status of the answer, where there was one.")
    error_code: str | None
    sha256: str | None = Field(description="Of the document.")
    input_ref: str | None


class ArtifactPage(WireShape):
    """A page of the index, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"artifacts": [_ENTRY], "next_cursor": None}]}
    )

    artifacts: list[ArtifactListed]
    next_cursor: str | None


class RequestTrace(WireShape):
    """All that is kept about a request."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"request_id": _ID, "artifacts": [_ENTRY], "artifact": {}}]}
    )

    request_id: str
    artifacts: list[ArtifactListed] = Field(
        description="Its own first, then refusals, corrections."
    )
    artifact: dict[str, Any] = Field(description="Its own, without the model's text.")


class RawText(WireShape):
    """What a model wrote for a request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "request_id": _ID,
                    "backend": "vllm",
                    "model": "qwen2.5-vl-7b",
                    "inference": None,
                    "raw_model_text": '{"total": 19.9}',
                }
            ]
        }
    )

    request_id: str
    backend: str | None
    model: str | None
    inference: dict[str, Any] | None
    raw_model_text: str | None
