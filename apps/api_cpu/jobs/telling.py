"""The end of a job as a webhook: noted with the job's end, shown as whoever asks for it sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from apps.api_cpu.jobs.rows import Job
from apps.api_cpu.jobs.schemas import shown
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.webhooks.store import queue
from lib.errors import Error, Kind


class WebhookOutbox:
    """`Outbox` of jobs that name a `callback_url`."""

    def job_ended(self, connection: Connection, job: Job) -> None:
        """Queue the webhook in the transaction that records the end: both happen or neither."""
        if job.callback_url is None or job.finished_at is None:
            return
        event = f"job.{job.status.value}"
        queue(
            connection,
            job.owner_key_id,
            job.job_id,
            event,
            job.callback_url,
            job.finished_at,
            job.trace,
        )


def job_to_tell(
    store: JobStore, result: Callable[[Job], dict[str, Any] | None], job_id: str
) -> Mapping[str, Any] | None:
    """A job that has ended, as `GET /v1/jobs/{job_id}` shows it; None when there is none.

    Raises `storage_unavailable`.
    """
    job = store.get(job_id)
    if job is None:
        return None
    view = shown(job, None, None)
    try:
        return view | {"result": result(job)}
    except Error as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        # Erased, or kept no longer.
        return view | {"result": None}
