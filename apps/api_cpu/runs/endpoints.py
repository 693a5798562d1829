"""`GET /v1/runs`, `GET /v1/runs/{run_id}` and `GET /v1/runs/{run_id}/items`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.long_work import LongWork
from apps.api_cpu.openapi import answers
from apps.api_cpu.runs.export import runs_as
from apps.api_cpu.runs.filters import Filter, Status
from apps.api_cpu.runs.formats import MEDIA_TYPES, Format
from apps.api_cpu.runs.rows import ITEMS
from apps.api_cpu.runs.schemas import RunItems, RunList, RunView
from apps.api_cpu.runs.service import RunService
from apps.api_cpu.wire import WireResponse
from lib.domain.deadline import Deadline

router = APIRouter(tags=["runs"])

SHOWN_MODELS = (RunItems, RunList)
"""Models whose examples hold nulls."""

_RunId = Annotated[str, Path(max_length=128, openapi_examples={"an id": {"value": "march"}})]
_Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of a page.")]
_Limit = Annotated[int, Query(ge=1, le=500)]
_Status = Annotated[Status | None, Query(description="Only what ended so.")]
_Text = Annotated[str | None, Query(max_length=200, description="Only what holds this text.")]
_Format = Annotated[
    Format,
    Query(description="`json` comes page by page; the others are files with all that match."),
]
_FILES: dict[str, Any] = {
    MEDIA_TYPES[format].partition(";")[0]: {"schema": {"type": "string"}}
    for format in (Format.CSV, Format.XLSX, Format.JSONL)
}
_FAILURES = ("unauthorized", "forbidden", "not_found", "validation_error", "storage_unavailable")


@router.get(
    "/v1/runs",
    summary="Batch runs that have ended",
    response_class=WireResponse,
    responses=answers(RunList, *_FAILURES, content=_FILES),
)
async def runs(
    request: Request,
    caller: ExtractCaller,
    cursor: _Cursor = None,
    limit: _Limit = 50,
    status: _Status = None,
    q: _Text = None,
    format: _Format = Format.JSON,
) -> Response:
    """The caller's own, the newest first; for an admin those of every key.

    `status`: runs that have such items, for `ok` no others; `q` is part of the run's id or task.
    """
    service: RunService = request.app.state.runs
    wanted = Filter(status, q)
    if format is Format.JSON:
        page = partial(service.page, caller, cursor, limit, wanted)
        return await run_in_threadpool(_shown, page)
    export = partial(runs_as, format, service.every(caller, wanted), _deadline(request))
    return _file(await _made(request, caller, format, export), "runs", format)


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
    responses=answers(RunItems, *_FAILURES, content=_FILES),
)
async def items(  # noqa: PLR0913, PLR0917 (a parameter for each option)
    request: Request,
    caller: ExtractCaller,
    run_id: _RunId,
    cursor: _Cursor = None,
    limit: _Limit = 100,
    status: _Status = None,
    q: _Text = None,
    format: _Format = Format.JSON,
    sheet: Annotated[
        str,
        Query(max_length=100, description="Of CSV: `items`, or a table such as `line_items`."),
    ] = ITEMS,
) -> Response:
    """In the order of the request: page by page, or as a file with a column a field.

    `status=ok` needs no review; `q` is looked for in names, errors and values, or is a whole id.
    """
    service: RunService = request.app.state.runs
    wanted = Filter(status, q)
    if format is Format.JSON:
        page = partial(service.items_page, run_id, caller, cursor, limit, wanted)
        return await run_in_threadpool(_shown, page)
    export = partial(service.export, run_id, caller, wanted, format, sheet, _deadline(request))
    content = await _made(request, caller, format, export)
    name = f"{run_id}-{sheet}" if format is Format.CSV else run_id
    return _file(content, name, format)


def _shown(page: Callable[[], dict[str, Any]]) -> WireResponse:
    """A page as bytes: not made on the event loop, since it may have hundreds of entries."""
    return WireResponse(page())


def _deadline(request: Request) -> Deadline:
    """By when a file that is made as a whole has to be."""
    return Deadline.after(request.app.state.sync_deadline_s)


async def _made(
    request: Request, caller: Caller, format: Format, make: Callable[[], Iterator[bytes]]
) -> Iterator[bytes]:
    """What `make` returns: a spreadsheet is written by then, of others nothing is."""
    if format is not Format.XLSX:
        return await run_in_threadpool(make)
    long_work: LongWork = request.app.state.long_work
    return await long_work.run(caller.key_id, make)


def _file(content: Iterator[bytes], name: str, format: Format) -> Response:
    """A download. `name` holds only what ids and names of tables may."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format.value}"'}
    return StreamingResponse(content, media_type=MEDIA_TYPES[format], headers=headers)
