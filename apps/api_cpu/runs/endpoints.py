"""`GET /v1/runs`, `GET /v1/runs/{run_id}` and `GET /v1/runs/{run_id}/items`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.openapi import answers
from apps.api_cpu.runs.schemas import RunItems, RunList, RunView
from apps.api_cpu.runs.service import RunService
from apps.api_cpu.wire import WireResponse

router = APIRouter(tags=["runs"])

SHOWN_MODELS = (RunItems, RunList)
"""Models whose examples hold nulls."""

_RunId = Annotated[str, Path(max_length=128, openapi_examples={"an id": {"value": "march"}})]
_Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of a page.")]
_Limit = Annotated[int, Query(ge=1, le=500)]
_FAILURES = ("unauthorized", "forbidden", "not_found", "validation_error", "storage_unavailable")


@router.get(
    "/v1/runs",
    summary="Batch runs that have ended",
    response_class=WireResponse,
    responses=answers(RunList, *_FAILURES),
)
def runs(
    request: Request, caller: ExtractCaller, cursor: _Cursor = None, limit: _Limit = 50
) -> WireResponse:
    """The caller's own, the newest first; for an admin those of every key."""
    service: RunService = request.app.state.runs
    return WireResponse(service.page(caller, cursor, limit))


@router.get(
    "/v1/runs/{run_id}",
    summary="One run",
    response_class=WireResponse,
    responses=answers(RunView, *_FAILURES),
)
def run(request: Request, caller: ExtractCaller, run_id: _RunId) -> WireResponse:
    """Its counts, without the items."""
    service: RunService = request.app.state.runs
    return WireResponse(service.one(run_id, caller))


@router.get(
    "/v1/runs/{run_id}/items",
    summary="The items of a run",
    response_class=WireResponse,
    responses=answers(RunItems, *_FAILURES),
)
def items(
    request: Request,
    caller: ExtractCaller,
    run_id: _RunId,
    cursor: _Cursor = None,
    limit: _Limit = 100,
) -> WireResponse:
    """In the order of the request, page by page."""
    service: RunService = request.app.state.runs
    return WireResponse(service.items_page(run_id, caller, cursor, limit))
