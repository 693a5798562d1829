"""`GET /v1/jobs/{job_id}/events`: what happens to a job, as it happens (server-sent events)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.held_open import HeldOpen
from apps.api_cpu.jobs.rows import Job, JobItem
from apps.api_cpu.jobs.schemas import shown
from apps.api_cpu.jobs.service import JobService
from apps.api_cpu.openapi import errors
from apps.api_cpu.wire import dump
from lib.errors import Error

router = APIRouter(tags=["jobs"])

# A proxy that hears nothing for a minute hangs up; a reader that takes nothing is hung up on.
_PING_S = 15
_SEND_TIMEOUT_S = 30.0
# A stream is taken up again where it ended: no connection stays for ever.
_LONGEST_S = 900.0
_ITEMS_AT_ONCE = 100
_LARGEST_ID = 10**9


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="What happens to a job, as it happens",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Events until the job has ended.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'event: progress\ndata: {"job_id": "...", "status": "running"}\n\n',
                }
            },
        },
        **errors(
            "unauthorized",
            "forbidden",
            "not_found",
            "validation_error",
            "rate_limited",
            "storage_unavailable",
        ),
    },
)
async def job_events(
    request: Request,
    caller: ExtractCaller,
    job_id: Annotated[str, Path(max_length=64, openapi_examples={"a job": {"value": "0199f3a1"}})],
    last_event_id: Annotated[
        str | None, Header(description="Of the last event seen: items after it are sent.")
    ] = None,
) -> EventSourceResponse:
    """`progress` with the job when it changes, `item` with each document as it ends, and at last
    `ended` with the job. A stream that is cut is taken up again with `Last-Event-ID`, which
    browsers send themselves: no item is missed, and none is sent twice.
    """
    service: JobService = request.app.state.jobs
    watchers: HeldOpen = request.app.state.watchers
    job = await run_in_threadpool(service.one, job_id, caller)
    watchers.require_room(caller.key_id)
    return EventSourceResponse(
        _events(service, watchers, caller.key_id, job, _number(last_event_id)),
        ping=_PING_S,
        sep="\n",
        send_timeout=_SEND_TIMEOUT_S,
    )


async def _events(
    service: JobService, watchers: HeldOpen, key_id: str, job: Job, after: int
) -> AsyncIterator[ServerSentEvent]:
    end = time.monotonic() + _LONGEST_S
    with suppress(Error), watchers.counted(key_id):  # after an error the reader comes back to here
        now: Job | None = job
        while now is not None:
            view = await run_in_threadpool(_view, service, now)
            if not now.status.is_final:
                yield _event("progress", view)
            while items := await run_in_threadpool(
                service.ended_items, job.job_id, after, _ITEMS_AT_ONCE
            ):
                for item in items:
                    after = item.ended or after
                    yield _event("item", _item(item), str(after))
            if now.status.is_final:
                yield _event("ended", view)
                return
            now = await service.changed(now, end - time.monotonic())


def _view(service: JobService, job: Job) -> dict[str, Any]:
    return shown(job, service.queue_position(job), service.eta_s(job))


def _item(item: JobItem) -> dict[str, Any]:
    return {"number": item.number, **(item.outcome or {})}


def _event(name: str, data: dict[str, Any], number: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(dump(data).decode(), event=name, id=number, sep="\n")


def _number(last_event_id: str | None) -> int:
    """Where a stream goes on; from the beginning for what is no id of ours."""
    text = last_event_id or ""
    is_number = text.isascii() and text.isdigit() and len(text) < len(str(_LARGEST_ID))
    return int(text) if is_number else 0
