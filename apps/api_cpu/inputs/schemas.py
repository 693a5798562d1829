"""Wire shapes of uploads."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.wire import WireShape

_SHA256 = "5e88489d" * 8
UPLOAD_EXAMPLE: dict[str, Any] = {
    "sha256": _SHA256,
    "size_bytes": 18_220_114,
    "mime_type": "application/pdf",
}


class UploadRequest(WireShape):
    """A document that will be sent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [UPLOAD_EXAMPLE]})

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the document, hexadecimal.")
    size_bytes: int = Field(ge=1, le=2**40, description="Exactly; the largest is MAX_UPLOAD_MB.")
    mime_type: str | None = Field(default=None, max_length=127, description="A hint.")


class UploadView(WireShape):
    """How to send it, and what to call it then."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "upload_id": "0199f3a17c2e7b5a9d413f6c8e2b1a07",
                    "method": "PUT",
                    "url": "/v1/uploads/0199f3a17c2e7b5a9d413f6c8e2b1a07",
                    "headers": {"Content-Length": "18220114", "X-Upload-Token": "..."},
                    "image_ref": f"inputs/2026-11-20/{_SHA256}.0199f3a17c2e7b5a.pdf",
                    "expires_at": "2026-11-20T10:30:00.000Z",
                }
            ]
        }
    )

    upload_id: str
    method: str
    url: str = Field(description="Absolute, or relative to this server.")
    headers: dict[str, str] = Field(description="To be sent exactly so; no API key is needed.")
    image_ref: str = Field(
        description="For `image_ref`, once it is sent. Kept for a day, or with `persist_inputs`."
    )
    expires_at: str = Field(description="Until when it may be sent.")
