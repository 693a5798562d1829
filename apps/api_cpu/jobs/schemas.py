"""Wire shapes of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ConfigDict, Field

from apps.api_cpu.jobs.rows import Job, Kind, Stage, Status
from apps.api_cpu.wire import WireShape, timestamp

_ID = "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07"
JOB_EXAMPLE: dict[str, Any] = {
    "job_id": _ID,
    "kind": "extract",
    "status": "running",
    "created_at": "2026-11-20T09:30:00.000Z",
    "started_at": "2026-11-20T09:30:00.120Z",
    "finished_at": None,
    "cancel_requested": False,
    "attempts": 1,
    "queue_position": None,
    "progress": {
        "stage": "extracting",
        "total": 1,
        "done": 0,
        "ok": 0,
        "failed": 0,
        "canceled": 0,
        "needs_review": 0,
        "current": "a.jpg",
        "eta_s": None,
    },
    "run_id": None,
    "task_id": "auto",
    "result": None,
    "result_rel": None,
    "error": None,
}


class Progress(WireShape):
    """How far a job is."""

    stage: Stage
    total: int
    done: int = Field(description="Documents that were read, or failed.")
    ok: int
    failed: int
    canceled: int = Field(description="Documents that were given up.")
    needs_review: int
    current: str | None = Field(description="The document that was begun last.")
    eta_s: int | None = Field(description="Seconds to go at the pace so far, where there is one.")


class JobError(WireShape):
    """Why a job failed, as the envelope of errors says it."""

    code: str
    message: str
    request_id: str
    details: dict[str, Any]


class JobSummary(WireShape):
    """A job without its result."""

    job_id: str
    kind: Kind
    status: Status
    created_at: str
    started_at: str | None
    finished_at: str | None
    cancel_requested: bool
    attempts: int = Field(description="Starts of the document that was started most often.")
    queue_position: int | None = Field(description="1 is next; null once it has begun.")
    progress: Progress
    run_id: str | None
    task_id: str
    result_rel: str | None = Field(description="The artifact of a job that has ended.")
    error: JobError | None


class JobView(JobSummary):
    """A job; `result` is there once it has succeeded."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOB_EXAMPLE]})

    result: dict[str, Any] | None = Field(
        description="What the synchronous request would have answered."
    )


class JobPage(WireShape):
    """Jobs, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "jobs": [{k: v for k, v in JOB_EXAMPLE.items() if k != "result"}],
                    "next_cursor": None,
                }
            ]
        }
    )

    jobs: list[JobSummary]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


def accepted(job: Job) -> dict[str, Any]:
    """What a 202 says: also of a job that has been begun, since it may be queued again."""
    return {"job_id": job.job_id, "status": Status.QUEUED, "poll_url": poll_url(job)}


def poll_url(job: Job) -> str:
    """Where a job is looked at."""
    return f"/v1/jobs/{job.job_id}"


def shown(job: Job, queue_position: int | None, eta_s: int | None) -> dict[str, Any]:
    """A job without its result."""
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "status": job.status,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "cancel_requested": job.cancel_requested_at is not None,
        "attempts": job.attempts,
        "queue_position": queue_position,
        "progress": progress(job, eta_s),
        "run_id": job.run_id,
        "task_id": job.task_id,
        "result_rel": job.result_rel,
        "error": job.error,
    }


def progress(job: Job, eta_s: int | None) -> Mapping[str, Any]:
    """How far a job is."""
    return {
        "stage": job.stage,
        "total": job.total,
        "done": job.done,
        "ok": job.ok,
        "failed": job.failed,
        "canceled": job.canceled,
        "needs_review": job.needs_review,
        "current": job.current,
        "eta_s": eta_s,
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(datetime.fromtimestamp(seconds, UTC))
