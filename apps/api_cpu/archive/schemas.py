"""Wire shape of an erasure."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from apps.api_cpu.wire import WireShape


class ErasureView(WireShape):
    """What stays of an extraction that was erased."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "request_id": "receipt-1",
                    "erased_at": "2026-11-20T10:00:00.000Z",
                    "erased_by": "3f9a1c0b7d52",
                }
            ]
        }
    )

    request_id: str = Field(description="It is never used again.")
    erased_at: str
    erased_by: str = Field(description="The id of the key that asked for it.")
