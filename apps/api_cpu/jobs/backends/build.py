"""Chooses the backend of jobs, and says what its choice needs of the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from apps.api_cpu import logs
from apps.api_cpu.jobs.backends.base import JobsBackend
from apps.api_cpu.jobs.backends.local import ItemRunner, LocalBackend
from apps.api_cpu.settings import Settings


def build_backend(
    settings: Settings, runner: ItemRunner, waiting: Callable[[], int], *, is_worker: bool
) -> JobsBackend:
    """The backend that the settings ask for; `waiting` counts the items that nobody works on.

    The server is a worker too, unless there is a broker to tell others.
    """
    if settings.jobs_backend == "local":
        return LocalBackend(runner, settings.job_threads)
    # Imported here: a server that needs no Celery starts faster without it.
    from apps.api_cpu.jobs.backends.celery import CeleryBackend  # noqa: PLC0415

    if isinstance(settings.jobs_database, Path):
        logs.warning(
            "the jobs are in a SQLite file: all workers must be on this host and use this file; "
            "for several hosts set JOBS_DB_PATH=postgresql://...",
            file=str(settings.jobs_database),
        )
    threads = settings.job_threads if is_worker else 0
    return CeleryBackend(
        settings.celery_broker_url, runner, waiting, threads, settings.job_deadline_s
    )
