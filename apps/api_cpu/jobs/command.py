"""`ocr jobs`: list, show, cancel, retry; on the table itself, whether or not a server runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from apps.api_cpu import console
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.inputs.store import InputIndex
from apps.api_cpu.jobs.rows import Job, JobItem, Kind, Status
from apps.api_cpu.jobs.schemas import shown
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.settings import Settings
from apps.api_cpu.wire import dump
from lib.errors import Error

jobs_commands = typer.Typer(help="Jobs.", no_args_is_help=True, add_completion=False)

JobId = Annotated[str, typer.Argument(help="As `ocr jobs list` shows it.")]


@jobs_commands.command("list")
def list_jobs(
    status: Annotated[
        list[Status] | None, typer.Option(help="Only jobs in this state; may be given again.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
) -> None:
    """Show the newest jobs of all keys."""
    table = console.list_table(
        "job id", "kind", "key", "status", "done", "failed", "created", "attempts"
    )
    with _opened() as (_, store):
        for job in store.page(None, status or (), limit=limit):
            table.add_row(
                job.job_id,
                job.kind,
                job.owner_key_id,
                "canceling" if _is_stopping(job) else job.status,
                f"{job.done}/{job.total}",
                str(job.failed),
                f"{datetime.fromtimestamp(job.created_at, UTC):%Y-%m-%d %H:%M}",
                str(job.attempts),
            )
    console.print_list(table)


@jobs_commands.command()
def show(job_id: JobId) -> None:
    """Show a job and the items that failed, as JSON."""
    with _opened() as (_, store):
        job = _found(store, job_id)
        failed = [
            {"number": item.number, "file": item.file, "outcome": item.outcome}
            for item in store.items(job_id)
            if item.status is Status.FAILED
        ]
    view = shown(job, None, None) | {"owner_key_id": job.owner_key_id, "failed_items": failed}
    console.out.print(dump(view, indent=True).decode(), markup=False)


@jobs_commands.command()
def cancel(job_id: JobId) -> None:
    """Have a job stopped; what it has read already is kept."""
    with _opened() as (_, store):
        _found(store, job_id)
        job = store.request_cancel(job_id, time.time())
    if job is not None and job.status.is_final:
        console.out.print(f"{job_id} has ended: {job.status}.")
    else:
        console.out.print(f"{job_id} is being canceled; the server or worker says when it is.")


@jobs_commands.command()
def retry(job_id: JobId) -> None:
    """Read the document of a job that failed or was canceled again, as a new job of the same key.

    Its document must still be there: for an hour after the job's end, and for ever with
    `persist_inputs`. A batch is read again with `POST /v1/batch_extract_rerun`.
    """
    with _opened() as (settings, store):
        job = _found(store, job_id)
        if job.kind is not Kind.EXTRACT:
            raise console.stopped("a batch is read again with POST /v1/batch_extract_rerun", code=1)
        if job.status not in {Status.FAILED, Status.CANCELED}:
            raise console.stopped(f"the job has not failed: it is {job.status}", code=1)
        (item,) = store.items(job_id)
        again, row = _again(job, item)
        engine = open_database(settings.index_database, Schema.INDEX, Durability.POWER_LOSS)
        hold = (again.job_id, job.owner_key_id)
        if not InputIndex(engine).hold(item.input_ref or "", hold, again.created_at):
            raise console.stopped("its document was not kept", code=1)
        store.submit(again, [row], limit=settings.jobs_queued_per_key)
    console.out.print(again.job_id)


def _again(job: Job, item: JobItem) -> tuple[Job, JobItem]:
    """The same job anew: an artifact is written once, so that it needs ids of its own."""
    again = Job(
        new_request_id(),
        job.kind,
        job.owner_key_id,
        job.owner_role,
        time.time(),
        job.task_id,
        job.options,
        total=1,
        callback_url=job.callback_url,
        persist_inputs=job.persist_inputs,
    )
    row = JobItem(
        again.job_id,
        1,
        job.owner_key_id,
        new_request_id(),
        file=item.file,
        input_ref=item.input_ref,
    )
    return again, row


@contextmanager
def _opened() -> Iterator[tuple[Settings, JobStore]]:
    settings = console.settings_or_exit()
    try:
        engine = open_database(settings.jobs_database, Schema.JOBS, Durability.POWER_LOSS)
        yield settings, JobStore(engine)
    except Error as error:
        raise console.stopped(error, code=1) from None


def _found(store: JobStore, job_id: str) -> Job:
    job = store.get(job_id)
    if job is None:
        raise console.stopped("there is no such job", code=1)
    return job


def _is_stopping(job: Job) -> bool:
    return job.cancel_requested_at is not None and not job.status.is_final
