"""`POST /v1/batch_extract` and `POST /v1/batch_extract_rerun`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

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
from apps.api_cpu.idempotency.once import Attempt, Made, once
from apps.api_cpu.idempotency.store import Answer
from apps.api_cpu.openapi import IDEMPOTENCY_KEY, answers
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.wire import WireResponse, dump, load_untrusted
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
    "idempotency_mismatch",
    "idempotency_in_progress",
    "payload_too_large",
    "validation_error",
    "storage_unavailable",
    "shutting_down",
    "inference_timeout",
)


def _json(model: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema, "examples": examples}}
    body = {"required": True, "content": content}
    return {"requestBody": body, "parameters": [IDEMPOTENCY_KEY]}


@router.post(
    "/v1/batch_extract",
    summary="Read stored inputs, or a folder of the server",
    response_class=WireResponse,
    openapi_extra=_json(BatchRequest, REQUEST_EXAMPLES),
    responses=answers(BatchResponse, *_FAILURES),
)
async def batch_extract(request: Request, caller: ExtractCaller) -> Response:
    """One bad file never fails a batch: each item says what became of it."""
    service: BatchService = request.app.state.batches

    def plan(sent: BatchRequest, run_id: str, deadline: Deadline) -> Plan:
        return service.plan(sent, run_id, deadline)

    return await _batch(request, caller, BatchRequest, plan)


@router.post(
    "/v1/batch_extract_rerun",
    summary="Read a finished run again",
    response_class=WireResponse,
    openapi_extra=_json(RerunRequest, {"what failed": {"value": RERUN_EXAMPLE}}),
    responses=answers(BatchResponse, *_FAILURES),
)
async def batch_extract_rerun(request: Request, caller: ExtractCaller) -> Response:
    """All of its items or some, with its task or another. Only kept inputs can be read."""
    service: BatchService = request.app.state.batches

    def plan(sent: RerunRequest, run_id: str, _deadline: Deadline) -> Plan:
        return service.plan_again(sent, run_id, caller)

    return await _batch(request, caller, RerunRequest, plan)


async def _batch(
    request: Request,
    caller: Caller,
    model: type[Model],
    plan: Callable[[Model, str, Deadline], Plan],
) -> Response:
    state = request.app.state
    service: BatchService = state.batches

    async def work(request: Request, attempt: Attempt) -> Response:
        async with failures_kept(request, state.store, caller, batch_key):
            sent = await _sent(request, model)
            deadline = Deadline.after(state.sync_deadline_s)
            planned = await run_in_threadpool(plan, sent, attempt.resource_id, deadline)
            await attempt.names(planned.run_id)
            if attempt.follows_dead:
                await run_in_threadpool(service.release, planned.run_id, caller)
            running = service.run(planned, caller, state.admission, deadline)
            return WireResponse(await state.shutdown.unless_cut(running))

    def find(run_id: str) -> Answer | None:
        found = service.again(run_id, caller)
        return None if found is None else Answer(200, dump(found))

    return await once(request, caller, Made(new_request_id(), find, batch_key), work)


async def _sent(request: Request, model: type[Model]) -> Model:
    try:
        return model.model_validate(load_untrusted(await request.body()))
    except ValidationError as error:
        raise from_validation(error) from None
