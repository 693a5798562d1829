"""`POST /v1/evals` and `GET /v1/evals/{eval_id}`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from apps.api_cpu.artifacts.failures import failures_kept
from apps.api_cpu.artifacts.store import eval_key
from apps.api_cpu.auth.endpoints import having
from apps.api_cpu.auth.roles import Caller, Scope
from apps.api_cpu.errors import from_validation
from apps.api_cpu.evals.run_evaluation import RunEvaluation
from apps.api_cpu.evals.schemas import EVAL_REQUEST_EXAMPLE, EvalRequest, EvalView
from apps.api_cpu.openapi import answers, errors
from apps.api_cpu.wire import WireResponse, load_untrusted_exact

router = APIRouter(tags=["evals"])

SHOWN_MODELS = (EvalRequest, EvalView)
"""Models that the OpenAPI document would lack, or have without nulls."""

_DebugCaller = Annotated[Caller, Depends(having(Scope.DEBUG_RUN))]
_FAILURES = ("unauthorized", "forbidden", "not_found", "validation_error", "storage_unavailable")


@router.post(
    "/v1/evals",
    summary="Evaluate a run against ground truth",
    status_code=201,
    response_class=WireResponse,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{EvalRequest.__name__}"},
                    "examples": {"one document": {"value": EVAL_REQUEST_EXAMPLE}},
                }
            },
        }
    },
    responses={
        201: {"model": EvalView},
        **errors("bad_request", "payload_too_large", *_FAILURES),
    },
)
async def evaluate(request: Request, caller: _DebugCaller) -> WireResponse:
    """The run's answers as they are stored: nothing is read again."""
    service: RunEvaluation = request.app.state.evals
    async with failures_kept(request, request.app.state.store, caller, eval_key):
        try:
            sent = EvalRequest.model_validate(load_untrusted_exact(await request.body()))
        except ValidationError as error:
            raise from_validation(error) from None
        found = await run_in_threadpool(service.of_run, sent.run_id, sent.truth, caller)
    return WireResponse(found, status_code=201)


@router.get(
    "/v1/evals/{eval_id}",
    summary="An evaluation again",
    response_class=WireResponse,
    responses=answers(EvalView, *_FAILURES),
)
def get_eval(
    request: Request, caller: _DebugCaller, eval_id: Annotated[str, Path(max_length=128)]
) -> WireResponse:
    """As it was answered."""
    service: RunEvaluation = request.app.state.evals
    return WireResponse(service.find(eval_id, caller))
