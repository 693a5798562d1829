"""`DELETE /v1/extracts/{request_id}`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from apps.api_cpu.archive.erasure import ErasureService
from apps.api_cpu.archive.schemas import ErasureView
from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.openapi import answers
from apps.api_cpu.wire import WireResponse

router = APIRouter(tags=["extractions"])


@router.delete(
    "/v1/extracts/{request_id}",
    summary="Erase an extraction and its document",
    response_class=WireResponse,
    responses=answers(ErasureView, "unauthorized", "forbidden", "not_found", "storage_unavailable"),
)
def erase(
    request: Request,
    caller: ExtractCaller,
    request_id: Annotated[
        str, Path(max_length=128, openapi_examples={"an id": {"value": "receipt-1"}})
    ],
) -> WireResponse:
    """Its artifact, input and corrections go, and its result in runs; see docs/retention.md.

    Erasing again answers the same. After `storage_unavailable` the rest goes in the background.
    """
    service: ErasureService = request.app.state.erasures
    return WireResponse(service.erase(request_id, caller))
