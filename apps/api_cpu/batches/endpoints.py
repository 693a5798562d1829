"""`POST /v1/batch_extract`, `_upload` and `_rerun`, each also `_async`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from apps.api_cpu.artifacts.failures import failures_kept
from apps.api_cpu.artifacts.store import batch_key
from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.auth.roles import Caller, Scope
from apps.api_cpu.batches.plan import BatchPlanner, Plan
from apps.api_cpu.batches.receiving import UploadReceiver
from apps.api_cpu.batches.schemas import (
    REQUEST_EXAMPLES,
    RERUN_EXAMPLE,
    BatchRequest,
    BatchResponse,
    RerunRequest,
    SharedOptions,
    UploadForm,
)
from apps.api_cpu.batches.service import BatchService
from apps.api_cpu.errors import from_validation, invalid
from apps.api_cpu.extractions.prefer import preference_of
from apps.api_cpu.extractions.schemas import Accepted
from apps.api_cpu.held_open import HeldOpen
from apps.api_cpu.idempotency.once import Attempt, Made, once
from apps.api_cpu.jobs.endpoints import accepted_response
from apps.api_cpu.jobs.rows import Job
from apps.api_cpu.jobs.service import JobService
from apps.api_cpu.long_work import LongWork
from apps.api_cpu.openapi import (
    IDEMPOTENCY_KEY,
    Responses,
    answers,
    body_of,
    errors,
    promised,
)
from apps.api_cpu.request_context import context_of, new_request_id
from apps.api_cpu.wire import WireResponse, load_untrusted
from lib.domain.deadline import Deadline
from lib.errors import Error

router = APIRouter(tags=["batches"])
Model = TypeVar("Model", bound=SharedOptions)
MakePlan = Callable[[Request, str], Awaitable[Plan]]
"""Reads a request; what it asks for, under this run id unless it names another."""

SHOWN_MODELS = (BatchRequest, RerunRequest, UploadForm, BatchResponse)
"""Models that the OpenAPI document would lack, or have without nulls."""

UPLOAD_PATHS = ("/v1/batch_extract_upload", "/v1/batch_extract_upload_async")

# Documents that are held in less time than a turn would be waited for.
_SOON_ACCEPTED = 50

_FAILURES = (
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "idempotency_mismatch",
    "idempotency_in_progress",
    "payload_too_large",
    "validation_error",
    "too_many_jobs",
    "storage_unavailable",
    "shutting_down",
)
_UPLOAD_FAILURES = (*_FAILURES, "too_many_files", "unsupported_media_type", "rate_limited")


def _once(body: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": body, "parameters": [IDEMPOTENCY_KEY]}


_NAMED = _once(body_of(BatchRequest, REQUEST_EXAMPLES))
_UPLOADED = _once(body_of(UploadForm, {}, "multipart/form-data"))
_AGAIN = _once(body_of(RerunRequest, {"what failed": RERUN_EXAMPLE}))


def _now_or_later(*codes: str) -> Responses:
    late = "Not done within `SYNC_DEADLINE_S`: it goes on as a job, unless `Prefer: wait` was sent."
    return answers(BatchResponse, *codes) | promised(Accepted, description=late)


def _later(*codes: str) -> Responses:
    return promised(Accepted) | errors(*codes)


@router.post(
    "/v1/batch_extract",
    summary="Read stored inputs, or a folder of the server",
    response_class=WireResponse,
    openapi_extra=_NAMED,
    responses=_now_or_later(*_FAILURES, "inference_timeout"),
)
async def batch_extract(request: Request, caller: ExtractCaller) -> Response:
    """One bad file never fails a batch: each item says what became of it."""
    return await _batch(request, caller, partial(_named, caller), later=False)


@router.post(
    "/v1/batch_extract_async",
    status_code=202,
    summary="Read stored inputs, or a folder of the server, later",
    response_class=WireResponse,
    openapi_extra=_NAMED,
    responses=_later(*_FAILURES, "inference_timeout"),
)
async def batch_extract_async(request: Request, caller: ExtractCaller) -> Response:
    """The body of `/v1/batch_extract`; the run can be looked at while it goes on."""
    return await _batch(request, caller, partial(_named, caller), later=True)


@router.post(
    UPLOAD_PATHS[0],
    summary="Read many files, and what is in ZIPs",
    response_class=WireResponse,
    openapi_extra=_UPLOADED,
    responses=_now_or_later(*_UPLOAD_FAILURES),
)
async def batch_extract_upload(request: Request, caller: ExtractCaller) -> Response:
    """Files are stored as they arrive; one that cannot be read is an item that says why."""
    return await _batch(request, caller, partial(_uploaded, caller), later=False)


@router.post(
    UPLOAD_PATHS[1],
    status_code=202,
    summary="Read many files, and what is in ZIPs, later",
    response_class=WireResponse,
    openapi_extra=_UPLOADED,
    responses=_later(*_UPLOAD_FAILURES),
)
async def batch_extract_upload_async(request: Request, caller: ExtractCaller) -> Response:
    """The body of `/v1/batch_extract_upload`; the run can be looked at while it goes on."""
    return await _batch(request, caller, partial(_uploaded, caller), later=True)


@router.post(
    "/v1/batch_extract_rerun",
    summary="Read a finished run again",
    response_class=WireResponse,
    openapi_extra=_AGAIN,
    responses=_now_or_later(*_FAILURES),
)
async def batch_extract_rerun(request: Request, caller: ExtractCaller) -> Response:
    """All of its items or some, with its task or model or another. Only kept inputs can be read."""
    return await _batch(request, caller, partial(_again, caller), later=False)


@router.post(
    "/v1/batch_extract_rerun_async",
    status_code=202,
    summary="Read a finished run again, later",
    response_class=WireResponse,
    openapi_extra=_AGAIN,
    responses=_later(*_FAILURES),
)
async def batch_extract_rerun_async(request: Request, caller: ExtractCaller) -> Response:
    """The body of `/v1/batch_extract_rerun`; the run can be looked at while it goes on."""
    return await _batch(request, caller, partial(_again, caller), later=True)


async def _batch(request: Request, caller: Caller, plan_of: MakePlan, *, later: bool) -> Response:
    state = request.app.state
    service: BatchService = state.batches
    prefers = preference_of(request)
    later = later or prefers.respond_async
    patience_s = min(prefers.patience_s, state.sync_deadline_s) if later else state.sync_deadline_s

    async def work(request: Request, attempt: Attempt) -> Response:
        async with failures_kept(request, state.store, caller, batch_key):
            plan = await state.shutdown.unless_cut(plan_of(request, attempt.resource_id))
            if plan.callback_url is not None and not later:
                raise invalid("callback_url", "is for asynchronous requests only")
            await run_in_threadpool(state.jobs.require_callback, plan.callback_url)
            await attempt.names(plan.run_id)
            if attempt.follows_dead:
                await run_in_threadpool(service.release, plan.run_id, caller)
            job = await _accepted(request, caller, plan)
            context_of(request).job_id = job.job_id
            if patience_s:
                job = await service.ended(
                    job, caller, patience_s, gives_up=later or not prefers.wait
                )
            if not job.status.is_final:
                return accepted_response(job)
            return WireResponse(await run_in_threadpool(service.response, job))

    find = partial(service.again, caller=caller)
    return await once(request, caller, Made(new_request_id(), find, batch_key), work)


async def _accepted(request: Request, caller: Caller, plan: Plan) -> Job:
    """The job of a plan. Each of its documents is held, and one of a folder copied before that."""
    service: BatchService = request.app.state.batches
    long_work: LongWork = request.app.state.long_work
    accept = partial(service.accept, plan, caller, context_of(request).span)
    if len(plan.sources) <= _SOON_ACCEPTED:
        return await run_in_threadpool(accept)
    try:
        return await long_work.run(caller.key_id, accept)
    except Error:
        # Those of an upload are held already, and it may not have come to its turn.
        await run_in_threadpool(service.give_up, plan)
        raise


async def _named(caller: Caller, request: Request, run_id: str) -> Plan:
    planner: BatchPlanner = request.app.state.batch_planner
    sent = await _sent(request, BatchRequest, caller)
    deadline = Deadline.after(request.app.state.sync_deadline_s)
    plan = partial(planner.named, sent, run_id, deadline)
    if sent.images_dir is None and sent.gt_ref is None:
        return await run_in_threadpool(plan)
    long_work: LongWork = request.app.state.long_work
    return await long_work.run(caller.key_id, plan)


async def _uploaded(caller: Caller, request: Request, run_id: str) -> Plan:
    state = request.app.state
    planner: BatchPlanner = state.batch_planner
    receiver: UploadReceiver = state.upload_receiver
    jobs: JobService = state.jobs
    held: HeldOpen = state.uploads_open
    job_id = new_request_id()
    with held.counted(caller.key_id):
        # What would be refused when it has come need not come.
        await run_in_threadpool(jobs.require_room, caller)
        async with receiver.receiving(request, caller, job_id) as received:
            sent = planner.upload_request(received.fields)
            _require_scopes(sent, caller)
            return planner.uploaded(sent, run_id, received.documents, job_id)


async def _again(caller: Caller, request: Request, run_id: str) -> Plan:
    planner: BatchPlanner = request.app.state.batch_planner
    sent = await _sent(request, RerunRequest, caller)
    long_work: LongWork = request.app.state.long_work
    return await long_work.run(caller.key_id, partial(planner.again, sent, run_id, caller))


async def _sent(request: Request, model: type[Model], caller: Caller) -> Model:
    try:
        sent = model.model_validate(load_untrusted(await request.body()))
    except ValidationError as error:
        raise from_validation(error) from None
    _require_scopes(sent, caller)
    return sent


def _require_scopes(sent: SharedOptions, caller: Caller) -> None:
    if sent.model is not None:
        caller.require(Scope.DEBUG_RUN)
