"""Wire shape of an artifact: what is kept of an extraction."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.wire import WireShape

_EXAMPLE: dict[str, Any] = {
    "request_id": "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07",
    "owner_key_id": "3f9a1c0b7d52",
    "created_at": "2026-11-20T09:30:00.000Z",
    "code_version": "0.1.0",
    "status": 422,
    "response": None,
    "error": {
        "code": "encrypted_document",
        "message": "The document asks for a password.",
        "request_id": "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07",
        "details": {"artifact_rel": "extracts/2026-11-20/0199f3a1.json"},
    },
    "input": {"sha256": "9f86d081884c7d65", "size_bytes": 18211, "mime_type": None},
    "options": {"task_id": "auto"},
    "task": {"id": "auto", "sha256": "60303ae22b99", "schema_sha256": "fd61a03af4f7"},
    "backend": None,
    "model": None,
    "attempts": [
        {"number": 1, "started_at": "2026-11-20T09:30:00.002Z", "error": "encrypted_document"}
    ],
    "ocr_words": [],
}


class Artifact(WireShape):
    """Everything about one request but the document itself and the key."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_EXAMPLE]})

    request_id: str
    owner_key_id: str
    created_at: str
    code_version: str
    status: int = Field(description="HTTP status of the answer.")
    response: dict[str, Any] | None
    error: dict[str, Any] | None
    cached_from: dict[str, Any] | None = Field(
        default=None, description="The extraction whose answer this is, where nothing was read."
    )
    input: dict[str, Any] | None
    options: dict[str, Any] | None
    task: dict[str, Any] | None
    backend: str | None
    model: str | None
    attempts: list[dict[str, Any]]
    ocr_words: list[dict[str, Any]]
    inference: dict[str, Any] | None = Field(
        default=None,
        description="What a model was asked: each call with its prompt's hash, duration, tokens "
        "and error; GPU seconds and cost. null where none was.",
    )
    raw_model_text: str | None = Field(
        default=None, description="Only with `debug:read_raw`; null where no model writes text."
    )
