"""`GET /v1/debug/artifacts`, `/backup.tar.gz`, `/{request_id}` and `/{request_id}/raw`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import StreamingResponse

from apps.api_cpu.artifacts.index import ArtifactFilter, ArtifactKind
from apps.api_cpu.auth.endpoints import having
from apps.api_cpu.auth.roles import Caller, Scope
from apps.api_cpu.debug.schemas import ArtifactPage, RawText, RequestTrace
from apps.api_cpu.debug.service import DebugService, require_key_of_kind
from apps.api_cpu.openapi import answers, errors
from apps.api_cpu.wire import WireResponse

router = APIRouter(tags=["debug"])

SHOWN_MODELS = (ArtifactPage, RequestTrace, RawText)
"""Models whose examples hold nulls."""

_Reader = Annotated[Caller, Depends(having(Scope.DEBUG_READ_RAW))]
_Day = Annotated[
    str | None, Query(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="YYYY-MM-DD, inclusive.")
]
_RequestId = Annotated[str, Path(max_length=128, openapi_examples={"id": {"value": "receipt-1"}})]
_FAILURES = ("unauthorized", "forbidden", "not_found", "validation_error", "storage_unavailable")


def _wanted(
    kind: Annotated[ArtifactKind | None, Query()] = None,
    first_day: _Day = None,
    last_day: _Day = None,
    owner: Annotated[str | None, Query(max_length=12, description="A key's id.")] = None,
) -> ArtifactFilter:
    return ArtifactFilter(kind, owner, first_day, last_day)


_Wanted = Annotated[ArtifactFilter, Depends(_wanted)]


@router.get(
    "/v1/debug/artifacts",
    summary="Artifacts of every key, by the index",
    response_class=WireResponse,
    responses=answers(ArtifactPage, *_FAILURES),
)
def listed(
    request: Request,
    caller: _Reader,
    wanted: _Wanted,
    status: Annotated[int | None, Query(ge=100, le=599)] = None,
    error_code: Annotated[str | None, Query(max_length=40)] = None,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> WireResponse:
    """The newest first."""
    service: DebugService = request.app.state.debug
    wanted = replace(wanted, status=status, error_code=error_code)
    return WireResponse(service.page(wanted, cursor, limit))


@router.get(
    "/v1/debug/artifacts/backup.tar.gz",
    summary="Artifacts in bulk",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}}},
        **errors(*_FAILURES),
    },
)
def backup(
    request: Request,
    caller: _Reader,
    wanted: _Wanted,
    after: Annotated[
        str | None, Query(max_length=300, description="As `backup.json` of the last one names it.")
    ] = None,
) -> StreamingResponse:
    """By day and key, at most 10,000 or 1 GiB of them; `backup.json` inside says how to go on."""
    service: DebugService = request.app.state.debug
    archive = service.backup(wanted, require_key_of_kind(after))
    return StreamingResponse(
        archive,
        media_type="application/gzip",
        headers={
            "Content-Disposition": 'attachment; filename="artifacts.tar.gz"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.get(
    "/v1/debug/artifacts/{request_id}",
    summary="All that is kept about a request",
    response_class=WireResponse,
    responses=answers(RequestTrace, *_FAILURES),
)
def one(request: Request, caller: _Reader, request_id: _RequestId) -> WireResponse:
    """Its artifact, and the entries of everything else about it."""
    service: DebugService = request.app.state.debug
    return WireResponse(service.one(request_id, caller))


@router.get(
    "/v1/debug/artifacts/{request_id}/raw",
    summary="What a model wrote for a request",
    response_class=WireResponse,
    responses=answers(RawText, *_FAILURES),
)
def raw(request: Request, caller: _Reader, request_id: _RequestId) -> WireResponse:
    """null where no model writes text."""
    service: DebugService = request.app.state.debug
    return WireResponse(service.raw(request_id, caller))
