"""`POST /v1/extract`."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from apps.api_cpu.artifacts.store import extract_key
from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.extractions.admission import Admission, Admitted, timed_out
from apps.api_cpu.extractions.body import announces_more_than, receive
from apps.api_cpu.extractions.departure import told_of_departure
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.prefer import Preference, preference_of
from apps.api_cpu.extractions.promise import MovableWork, Promise, Promises
from apps.api_cpu.extractions.refusals import Refusals
from apps.api_cpu.extractions.schemas import (
    REQUEST_EXAMPLE,
    Accepted,
    ExtractForm,
    ExtractRequest,
    ExtractResponse,
)
from apps.api_cpu.extractions.service import ExtractionService, Order, caller_left
from apps.api_cpu.extractions.turns import Refused
from apps.api_cpu.idempotency.header import HEADER as IDEMPOTENCY_HEADER
from apps.api_cpu.idempotency.once import Attempt, Made, once
from apps.api_cpu.idempotency.store import Answer
from apps.api_cpu.openapi import IDEMPOTENCY_KEY, answers, promised
from apps.api_cpu.request_context import context_of
from apps.api_cpu.shutdown import Shutdown
from apps.api_cpu.wire import WireResponse, dump
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind
from lib.pipelines.field_reading import CPU

router = APIRouter(tags=["extractions"])

# Stations notice a passed deadline themselves and say more about it; this is for when they do not.
_GRACE_S = 1.0

# Bytes of a body that take less time to understand than a thread takes to begin.
_SOON_UNDERSTOOD = 512 * 1024

_REF = "#/components/schemas/"
REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": f"{_REF}{ExtractRequest.__name__}"},
            "examples": {
                "document": {"value": REQUEST_EXAMPLE},
                "stored input": {
                    "value": {
                        "task_id": "invoice_fields_v1",
                        "image_ref": f"inputs/2026-11-20/{'5e88489d' * 8}.pdf",
                    }
                },
            },
        },
        "multipart/form-data": {"schema": {"$ref": f"{_REF}{ExtractForm.__name__}"}},
    },
}
FAILURES = (
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "idempotency_mismatch",
    "idempotency_in_progress",
    "payload_too_large",
    "unsupported_media_type",
    "validation_error",
    "unreadable_document",
    "encrypted_document",
    "too_many_pages",
    "page_too_large",
    "empty_document",
    "inference_unavailable",
    "inference_bad_output",
    "storage_unavailable",
    "shutting_down",
    "inference_timeout",
)
"""What may be wrong with a request or its document."""
SHOWN_MODELS = (ExtractRequest, ExtractForm, ExtractResponse)
"""Models that the OpenAPI document would lack, or have without nulls."""


@router.post(
    "/v1/extract",
    summary="Read one document",
    response_class=WireResponse,
    openapi_extra={"requestBody": REQUEST_BODY, "parameters": [IDEMPOTENCY_KEY]},
    responses=answers(
        ExtractResponse,
        *FAILURES,
        "rate_limited",
        "too_many_jobs",
    )
    | promised(Accepted),
)
async def extract(request: Request, caller: ExtractCaller) -> Response:
    """One document in, its fields out. The answer, also a failure, is kept as an artifact.

    What takes longer than `SYNC_DEADLINE_S` is answered 202 and goes on as a job (`/v1/jobs`);
    `Prefer: wait` has it fail with 504 instead, `Prefer: respond-async` has it answered 202 at
    once, or with `wait=10` after ten seconds.
    """
    service: ExtractionService = request.app.state.extractions
    refusals: Refusals = request.app.state.refusals
    shutdown: Shutdown = request.app.state.shutdown

    async def work(request: Request, attempt: Attempt) -> Response:
        context_of(request).request_id = attempt.resource_id
        draft = Draft(context_of(request), caller)
        try:
            return await shutdown.unless_cut(_extract(request, attempt, service, draft))
        except Refused as refused:
            comes_again = IDEMPOTENCY_HEADER in request.headers
            raise await refusals.kept(draft, refused, comes_again=comes_again) from refused
        except Exception as exc:
            # Whatever happened to an authorised request, an artifact says so.
            raise await run_in_threadpool(service.fail, draft, exc) from exc

    return await once(request, caller, _made(context_of(request).request_id, service, caller), work)


def _made(request_id: str, service: ExtractionService, caller: Caller) -> Made:
    def find(taken_id: str) -> Answer | None:
        try:
            stored = service.again(taken_id, caller)
        except Error as error:
            if error.kind is Kind.NOT_FOUND and "erased_at" not in error.details:
                return None
            raise
        return Answer(stored.status, dump(stored.body))

    return Made(request_id, find, extract_key, is_one=True)


async def _extract(
    request: Request, attempt: Attempt, service: ExtractionService, draft: Draft
) -> WireResponse:
    admission: Admission = request.app.state.admission
    promises: Promises = request.app.state.promises
    owner = draft.caller.key_id
    prefers = preference_of(request)
    deadline = Deadline.after(request.app.state.sync_deadline_s)
    is_later = prefers.respond_async and not prefers.patience_s
    with nullcontext() if is_later else admission.arriving(owner):
        order = await _received(request, attempt, service, draft, deadline)
    if not is_later:
        admission.require_room(owner)
        is_later = not admission.answers_within(owner, deadline.remaining())
    if is_later and prefers.wait:
        raise admission.overloaded(owner)
    if is_later:
        return _promised(await run_in_threadpool(promises.accept, draft, order), prefers)
    if prefers.wait:
        reading = partial(service.extract, draft, order, deadline)
        admitted = admission.admit(reading, deadline, owner)
        if await _ends(request, draft, admitted, deadline.remaining() + _GRACE_S):
            return WireResponse(admitted.result())
        admitted.leave(timed_out())
        raise timed_out()
    patience_s = deadline.remaining()
    if prefers.respond_async:
        patience_s = min(patience_s, prefers.patience_s)
    work = MovableWork(service, draft, order, promises.deadline())
    return await _read_or_promised(request, work, patience_s, prefers)


async def _received(
    request: Request,
    attempt: Attempt,
    service: ExtractionService,
    draft: Draft,
    deadline: Deadline,
) -> Order:
    """The order that the body is."""
    prefers = preference_of(request)
    promises: Promises = request.app.state.promises
    understand = partial(service.understand, draft, later=prefers.respond_async)
    arrived = receive(request, request.app.state.body_limit, deadline)
    # The body is not given a name here: it need not stay in memory while its document is read.
    if announces_more_than(_SOON_UNDERSTOOD, request):
        order = await run_in_threadpool(understand, await arrived)
    else:
        order = understand(await arrived)
    await attempt.names(draft.request_id)
    if attempt.follows_dead:
        await run_in_threadpool(service.release, draft.request_id, draft.caller)
    if prefers.respond_async:
        await run_in_threadpool(promises.require_callback, order.options.callback_url)
    return order


async def _read_or_promised(
    request: Request, work: MovableWork, patience_s: float, prefers: Preference
) -> WireResponse:
    """The answer, or a promise of it once the patience is over."""
    admission: Admission = request.app.state.admission
    promises: Promises = request.app.state.promises
    admitted = admission.admit(work.run, work.deadline, work.draft.caller.key_id)
    if await _ends(request, work.draft, admitted, patience_s):
        return WireResponse(admitted.result())
    promise = await run_in_threadpool(promises.adopt, work)
    admitted.become_job()
    return _promised(promise, prefers)


async def _ends(request: Request, draft: Draft, admitted: Admitted[Any], patience_s: float) -> bool:
    """Whether it ends in so many seconds. Who leaves meanwhile leaves the queue; what was begun
    goes on, but a model that is asked is told.
    """
    asks_model = request.app.state.backend != CPU

    def left() -> None:
        if not admitted.leave(caller_left()) and asks_model:
            draft.cancellation.set()

    async with told_of_departure(request, left):
        return await admitted.ends_within(patience_s)


def _promised(promise: Promise, prefers: Preference) -> WireResponse:
    headers = {"Location": promise.location}
    if prefers.respond_async:
        headers["Preference-Applied"] = "respond-async"
    return WireResponse(promise.body, status_code=202, headers=headers)
