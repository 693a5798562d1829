"""`GET /v1/health`."""

from __future__ import annotations

from fastapi import APIRouter, Request

from apps.api_cpu.extractions.admission import Admission
from apps.api_cpu.health.schemas import Health, InferenceHealth, JobsHealth, StorageHealth
from apps.api_cpu.health.service import Readiness
from apps.api_cpu.jobs.build import Jobs
from apps.api_cpu.openapi import errors

router = APIRouter(tags=["health"])


@router.get("/v1/health", summary="Whether the server can serve", responses=errors())
async def health(request: Request) -> Health:
    """200 while the process can serve. Needs no key; reads only memory."""
    state = request.app.state
    readiness: Readiness = state.readiness
    admission: Admission = state.admission
    jobs: Jobs = state.job_machinery
    counts = jobs.reaper.counts
    is_ok = readiness.inference and readiness.storage and not readiness.spooled
    return Health(
        status="ok" if is_ok else "degraded",
        version=request.app.version,
        inference=InferenceHealth(
            backend=state.backend, ready=readiness.inference, model=state.model_name
        ),
        storage=StorageHealth(
            backend=state.store_name, ready=readiness.storage, spooled=readiness.spooled
        ),
        jobs=JobsHealth(
            backend=jobs.backend.name,
            queued=counts.queued + admission.queued,
            running=counts.running + admission.running_for_requests,
        ),
    )
