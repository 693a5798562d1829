"""Wire shape of `GET /v1/health`."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from apps.api_cpu.wire import WireShape


class InferenceHealth(WireShape):
    """The reader of documents."""

    backend: str
    ready: bool
    model: str


class StorageHealth(WireShape):
    """The artifact store."""

    backend: str
    ready: bool = Field(description="Whether the store answers; while it does not, artifacts wait.")
    spooled: int = Field(
        description="Artifacts that wait on this machine for the store; always 0 for `local`."
    )


class JobsHealth(WireShape):
    """Work in hand: documents of requests and of jobs, those in jobs about a second ago."""

    backend: str
    queued: int = Field(description="Documents that wait for their turn.")
    running: int = Field(description="Documents that are being read.")


class Health(WireShape):
    """The server's state, at most a few seconds old."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "version": "0.1.0",
                    "inference": {"backend": "cpu", "ready": True, "model": "cpu"},
                    "storage": {"backend": "local", "ready": True, "spooled": 0},
                    "jobs": {"backend": "local", "queued": 0, "running": 1},
                }
            ]
        }
    )

    status: Literal["ok", "degraded"] = Field(
        description="`degraded` while reader or store is not ready, or artifacts wait for it."
    )
    version: str
    inference: InferenceHealth
    storage: StorageHealth
    jobs: JobsHealth
