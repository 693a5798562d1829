"""`POST /v1/extract_async`, and jobs: listed, looked at, canceled."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from apps.api_cpu.artifacts.failures import KeyOf
from apps.api_cpu.artifacts.store import extract_key
from apps.api_cpu.auth.endpoints import ExtractCaller
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.extractions.body import announces_much, receive
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.endpoints import FAILURES, REQUEST_BODY
from apps.api_cpu.extractions.schemas import Accepted
from apps.api_cpu.extractions.service import ExtractionService
from apps.api_cpu.held_open import HeldOpen
from apps.api_cpu.idempotency.once import Attempt, Made, once
from apps.api_cpu.idempotency.store import Answer
from apps.api_cpu.jobs.extract_job import ExtractJobs
from apps.api_cpu.jobs.rows import Job, Status
from apps.api_cpu.jobs.schemas import JobPage, JobView, accepted, poll_url, shown
from apps.api_cpu.jobs.service import JobService
from apps.api_cpu.openapi import IDEMPOTENCY_KEY, answers, errors, promised
from apps.api_cpu.request_context import context_of, new_request_id
from apps.api_cpu.shutdown import Shutdown
from apps.api_cpu.wire import WireResponse
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind

router = APIRouter(tags=["jobs"])

SHOWN_MODELS = (Accepted, JobPage, JobView)
"""Models that the OpenAPI document would lack, or have without nulls."""

LONGEST_WAIT_S = 60
_JobId = Annotated[str, Path(max_length=64, openapi_examples={"a job": {"value": "0199f3a1"}})]
_SEEN = ("unauthorized", "forbidden", "not_found", "validation_error", "storage_unavailable")


def accepted_response(job: Job) -> WireResponse:
    """202 with the job's address, also in `Location`."""
    return WireResponse(accepted(job), status_code=202, headers={"Location": poll_url(job)})


@router.post(
    "/v1/extract_async",
    status_code=202,
    summary="Read one document later",
    response_class=WireResponse,
    openapi_extra={"requestBody": REQUEST_BODY, "parameters": [IDEMPOTENCY_KEY]},
    responses=promised(Accepted) | errors(*FAILURES, "too_many_jobs"),
)
async def extract_async(request: Request, caller: ExtractCaller) -> Response:
    """The body of `/v1/extract`; the document is stored and the job is sure before the answer."""
    service: ExtractionService = request.app.state.extractions
    shutdown: Shutdown = request.app.state.shutdown

    async def work(request: Request, attempt: Attempt) -> Response:
        draft = Draft(context_of(request), caller)
        try:
            job = await shutdown.unless_cut(_accept(request, attempt, service, draft))
            return accepted_response(job)
        except Exception as exc:
            # Whatever happened to an authorised request, an artifact says so.
            raise await run_in_threadpool(service.fail, draft, exc) from exc

    return await once(request, caller, job_made(request, caller, extract_key), work)


def job_made(request: Request, caller: Caller, failures: KeyOf) -> Made:
    """How to find again a job that an endpoint has accepted, by an id that it is to give it."""
    service: JobService = request.app.state.jobs

    def find(job_id: str) -> Answer | None:
        try:
            job = service.one(job_id, caller)
        except Error as error:
            if error.kind is Kind.NOT_FOUND:
                return None
            raise
        response = accepted_response(job)
        media_type = response.headers["content-type"]
        return Answer(response.status_code, bytes(response.body), media_type, poll_url(job))

    return Made(new_request_id(), find, failures)


async def _accept(
    request: Request, attempt: Attempt, service: ExtractionService, draft: Draft
) -> Job:
    state = request.app.state
    jobs: ExtractJobs = state.extract_jobs
    deadline = Deadline.after(state.sync_deadline_s)
    service_of_jobs: JobService = state.jobs
    if announces_much(request):
        await run_in_threadpool(service_of_jobs.require_room, draft.caller)
    received = await receive(request, state.body_limit, deadline)
    order = await run_in_threadpool(service.understand, draft, received, later=True)
    await run_in_threadpool(service_of_jobs.require_callback, order.options.callback_url)
    if attempt.follows_dead:
        await run_in_threadpool(service.release, draft.request_id, draft.caller)
    return await run_in_threadpool(jobs.accept, draft, order, attempt.resource_id)


@router.get(
    "/v1/jobs",
    summary="Jobs, newest first",
    response_class=WireResponse,
    responses=answers(JobPage, *_SEEN),
)
def list_jobs(
    request: Request,
    caller: ExtractCaller,
    status: Annotated[list[Status] | None, Query(description="Only those in these states.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="Of the page before.")] = None,
) -> WireResponse:
    """The key's own jobs; all of them for an admin."""
    service: JobService = request.app.state.jobs
    page = service.page(caller, status or (), cursor, limit)
    views = [shown(job, service.queue_position(job), service.eta_s(job)) for job in page]
    return WireResponse(
        {"jobs": views, "next_cursor": page[-1].job_id if len(page) == limit else None}
    )


@router.get(
    "/v1/jobs/{job_id}",
    summary="One job",
    response_class=WireResponse,
    responses=answers(JobView, *_SEEN, "rate_limited"),
)
async def get_job(
    request: Request,
    caller: ExtractCaller,
    job_id: _JobId,
    wait: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the job's end.")
    ] = 0,
) -> WireResponse:
    """How far it is, and once it has succeeded its result. With `wait` the answer comes when the
    job has ended, or after so many seconds as it is then.
    """
    service: JobService = request.app.state.jobs
    watchers: HeldOpen = request.app.state.watchers
    with watchers.counted(caller.key_id) if wait else nullcontext():
        job = await service.ended(job_id, caller, wait)
    return WireResponse(await run_in_threadpool(_view, service, job))


@router.post(
    "/v1/jobs/{job_id}/cancel",
    status_code=202,
    summary="Cancel a job",
    response_class=WireResponse,
    responses={
        200: {"model": JobView, "description": "It had ended, or has stopped already."},
        202: {"model": JobView, "description": "What runs is being stopped."},
        **errors(*_SEEN),
    },
)
def cancel_job(request: Request, caller: ExtractCaller, job_id: _JobId) -> WireResponse:
    """`status` is `canceled` once nothing of it runs any more; what was read until then is kept."""
    service: JobService = request.app.state.jobs
    job = service.cancel(job_id, caller)
    return WireResponse(_view(service, job), status_code=200 if job.status.is_final else 202)


def _view(service: JobService, job: Job) -> dict[str, Any]:
    view = shown(job, service.queue_position(job), service.eta_s(job))
    return view | {"result": service.result(job)}
