"""`GET /v1/artifacts`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from apps.api_cpu.artifacts.schemas import Artifact
from apps.api_cpu.artifacts.service import ArtifactService
from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.openapi import answers
from apps.api_cpu.wire import WireResponse

router = APIRouter(tags=["artifacts"])


@router.get(
    "/v1/artifacts",
    summary="One artifact",
    response_class=WireResponse,
    responses=answers(
        Artifact,
        "unauthorized",
        "forbidden",
        "not_found",
        "validation_error",
        "storage_unavailable",
    ),
)
def artifact(
    request: Request,
    caller: ExtractCaller,
    ref: Annotated[
        str,
        Query(
            description="An `artifact_rel`.",
            max_length=300,
            openapi_examples={"extraction": {"value": "extracts/2026-11-20/receipt-1.json"}},
        ),
    ],
) -> WireResponse:
    """What is kept of a request, failures included. Somebody else's is `not_found`."""
    service: ArtifactService = request.app.state.artifacts
    return WireResponse(service.read(ref, caller))
