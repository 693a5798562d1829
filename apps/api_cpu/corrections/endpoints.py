"""`POST` and `GET /v1/extracts/{request_id}/corrections`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from apps.api_cpu.artifacts.failures import failures_kept
from apps.api_cpu.artifacts.store import correction_key
from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.auth.roles import Role
from apps.api_cpu.corrections.schemas import (
    REQUEST_EXAMPLE,
    CorrectionList,
    CorrectionRequest,
    CorrectionView,
)
from apps.api_cpu.corrections.service import CorrectionService
from apps.api_cpu.corrections.truth import CorrectedDocuments
from apps.api_cpu.errors import from_validation
from apps.api_cpu.openapi import answers, body_of, errors
from apps.api_cpu.wire import WireResponse, dump, load_untrusted_exact

router = APIRouter(tags=["corrections"])

SHOWN_MODELS = (CorrectionRequest, CorrectionView, CorrectionList)
"""Models that the OpenAPI document would lack, or have without nulls."""


class TruthFormat(StrEnum):
    """How corrections are written in bulk."""

    TRUTH = "truth"


_RequestId = Annotated[str, Path(openapi_examples={"an id": {"value": "receipt-1"}})]
_FAILURES = ("unauthorized", "forbidden", "not_found", "conflict", "storage_unavailable")


@router.post(
    "/v1/extracts/{request_id}/corrections",
    summary="Say what an extraction should have read",
    status_code=201,
    response_class=WireResponse,
    openapi_extra={"requestBody": body_of(CorrectionRequest, {"two fields": REQUEST_EXAMPLE})},
    responses={
        201: {"model": CorrectionView},
        **errors("bad_request", "payload_too_large", "validation_error", *_FAILURES),
    },
)
async def correct(request: Request, caller: ExtractCaller, request_id: _RequestId) -> WireResponse:
    """The extraction stays as it was; the correction is kept beside it and read with it."""
    service: CorrectionService = request.app.state.corrections
    async with failures_kept(request, request.app.state.store, caller, correction_key):
        sent = load_untrusted_exact(await request.body())
        try:
            correction = CorrectionRequest.model_validate(sent)
        except ValidationError as error:
            raise from_validation(error) from None
        kept = await run_in_threadpool(
            service.add, request_id, sent["fields"], correction.comment, caller
        )
    return WireResponse(kept, status_code=201)


@router.get(
    "/v1/corrections",
    summary="All corrections as ground truth",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {
                "application/x-ndjson": {
                    "schema": {"type": "string"},
                    "example": '{"id":"receipt-1","file":"inputs/2026-11-20/5e88489d.pdf",'
                    '"document_type":"receipt","fields":{"total":19.90},"line_items":null}\n',
                }
            }
        },
        **errors("unauthorized", "forbidden", "validation_error", "storage_unavailable"),
    },
)
def truth(
    request: Request,
    caller: ExtractCaller,
    format: Annotated[TruthFormat, Query()] = TruthFormat.TRUTH,
) -> StreamingResponse:
    """A line for each document, as `ocr eval` reads it; the caller's own, for an admin all."""
    documents: CorrectedDocuments = request.app.state.corrected
    owner = None if caller.role is Role.ADMIN else caller.key_id
    lines = (
        dump(each.line(each.input_ref or each.request_id)) + b"\n" for each in documents.all(owner)
    )
    return StreamingResponse(lines, media_type="application/x-ndjson")


@router.get(
    "/v1/extracts/{request_id}/corrections",
    summary="What was corrected, and the result with it",
    response_class=WireResponse,
    responses=answers(CorrectionList, *_FAILURES),
)
def corrections(request: Request, caller: ExtractCaller, request_id: _RequestId) -> WireResponse:
    """The oldest correction first; a later one wins."""
    service: CorrectionService = request.app.state.corrections
    return WireResponse(service.all(request_id, caller))
