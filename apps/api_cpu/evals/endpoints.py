"""`POST /v1/evals` and `GET /v1/evals/{eval_id}`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import ValidationError
from starlette.responses import Response

from apps.api_cpu.artifacts.failures import failures_kept
from apps.api_cpu.artifacts.store import eval_key
from apps.api_cpu.auth.endpoints import having
from apps.api_cpu.auth.roles import Caller, Scope
from apps.api_cpu.errors import from_validation
from apps.api_cpu.evals.run_evaluation import RunEvaluation
from apps.api_cpu.evals.schemas import EVAL_REQUEST_EXAMPLE, EvalRequest, EvalView
from apps.api_cpu.idempotency.once import Attempt, Made, once
from apps.api_cpu.idempotency.store import Answer
from apps.api_cpu.long_work import LongWork
from apps.api_cpu.openapi import IDEMPOTENCY_KEY, answers, body_of, errors
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.wire import WireResponse, dump, load_untrusted_exact
from lib.errors import Error, Kind

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
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": body_of(EvalRequest, {"one document": EVAL_REQUEST_EXAMPLE}),
    },
    responses={
        201: {"model": EvalView},
        **errors(
            "bad_request",
            "payload_too_large",
            "idempotency_mismatch",
            "idempotency_in_progress",
            *_FAILURES,
        ),
    },
)
async def evaluate(request: Request, caller: _DebugCaller) -> Response:
    """The run's answers as they are stored: nothing is read again."""
    service: RunEvaluation = request.app.state.evals
    store = request.app.state.store
    long_work: LongWork = request.app.state.long_work

    async def work(request: Request, attempt: Attempt) -> Response:
        async with failures_kept(request, store, caller, eval_key):
            try:
                sent = EvalRequest.model_validate(load_untrusted_exact(await request.body()))
            except ValidationError as error:
                raise from_validation(error) from None
            judge = partial(service.of_run, sent.run_id, sent.truth, caller, attempt.resource_id)
            found = await long_work.run(caller.key_id, judge)
        return WireResponse(found, status_code=201)

    def find(eval_id: str) -> Answer | None:
        try:
            return Answer(201, dump(service.find(eval_id, caller)))
        except Error as error:
            if error.kind is Kind.NOT_FOUND:
                return None
            raise

    return await once(request, caller, Made(new_request_id(), find, eval_key), work)


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
