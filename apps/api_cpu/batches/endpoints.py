"""`POST /v1/batch_extract` and `POST /v1/batch_extract_rerun`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from apps.api_cpu.artifacts.failures import failures_kept
from apps.api_cpu.artifacts.store import batch_key
from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.batches.schemas import (
    REQUEST_EXAMPLES,
    RERUN_EXAMPLE,
    BatchRequest,
    BatchResponse,
    RerunRequest,
)
from apps.api_cpu.batches.service import BatchService, Plan
from apps.api_cpu.errors import from_validation
from apps.api_cpu.openapi import answers
from apps.api_cpu.wire import WireResponse, load_untrusted
from lib.domain.deadline import Deadline

router = APIRouter(tags=["batches"])
Model = TypeVar("Model", bound=BaseModel)

SHOWN_MODELS = (BatchRequest, RerunRequest, BatchResponse)
"""Models that the OpenAPI document would lack, or have without nulls."""

_FAILURES = (
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "payload_too_large",
    "validation_error",
    "storage_unavailable",
    "shutting_down",
    "inference_timeout",
)


def _json(model: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/v1/batch_extract",
    summary="Read stored inputs, or a folder of the server",
    response_class=WireResponse,
    openapi_extra=_json(BatchRequest, REQUEST_EXAMPLES),
    responses=answers(BatchResponse, *_FAILURES),
)
async def batch_extract(request: Request, caller: ExtractCaller) -> WireResponse:
    """One bad file never fails a batch: each item says what became of it."""
    service: BatchService = request.app.state.batches
    async with failures_kept(request, request.app.state.store, caller, batch_key):
        sent = await _sent(request, BatchRequest)
        deadline = Deadline.after(request.app.state.sync_deadline_s)
        return await _run(request, caller, partial(service.plan, sent, deadline), deadline)


@router.post(
    "/v1/batch_extract_rerun",
    summary="Read a finished run again",
    response_class=WireResponse,
    openapi_extra=_json(RerunRequest, {"what failed": {"value": RERUN_EXAMPLE}}),
    responses=answers(BatchResponse, *_FAILURES),
)
async def batch_extract_rerun(request: Request, caller: ExtractCaller) -> WireResponse:
    """All of its items or some, with its task or another. Only kept inputs can be read."""
    service: BatchService = request.app.state.batches
    async with failures_kept(request, request.app.state.store, caller, batch_key):
        sent = await _sent(request, RerunRequest)
        deadline = Deadline.after(request.app.state.sync_deadline_s)
        return await _run(request, caller, partial(service.plan_again, sent, caller), deadline)


async def _sent(request: Request, model: type[Model]) -> Model:
    try:
        return model.model_validate(load_untrusted(await request.body()))
    except ValidationError as error:
        raise from_validation(error) from None


async def _run(
    request: Request, caller: Caller, plan: Callable[[], Plan], deadline: Deadline
) -> WireResponse:
    state = request.app.state
    service: BatchService = state.batches
    planned = await run_in_threadpool(plan)
    work = service.run(planned, caller, state.admission, deadline)
    return WireResponse(await state.shutdown.unless_cut(work))
