"""`ocr worker`: a process that works on jobs and answers no requests."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import Annotated

import typer

from apps.api_cpu import console, logs
from apps.api_cpu.artifacts.stores.build import check_artifact_store
from apps.api_cpu.metrics.listener import MetricsListener
from apps.api_cpu.metrics.registry import Metrics
from apps.api_cpu.rate_limits import RateLimit
from apps.api_cpu.services import build_services
from apps.api_cpu.stations import build_reader, check_configs
from apps.api_cpu.tracing.build import build_tracer
from apps.api_cpu.watching import watch_process
from lib.errors import Error

# 128 + SIGINT, as shells count.
_INTERRUPTED = 130
_LISTENS_EVERY_S = 0.5


def worker_command(
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Documents to read at once (JOBS_MAX_CONCURRENCY)."),
    ] = None,
) -> None:
    """Work on jobs until SIGTERM or Ctrl-C; documents in hand are finished or handed back."""
    # It listens nowhere, so it needs no secret for the keys of callers.
    settings = console.settings_or_exit(jobs_max_concurrency=concurrency, host="127.0.0.1")
    logs.set_up_logging(settings.log_level, settings.log_format)
    if settings.job_threads == 0:
        raise console.stopped("JOBS_MAX_CONCURRENCY=0 is for the server: a worker has to read")
    stopping = threading.Event()
    try:
        check_configs()
        check_artifact_store(settings)
        with ExitStack() as opened:
            tracer = build_tracer(settings)
            opened.callback(tracer.stop)
            metrics = Metrics()
            services = build_services(
                settings,
                opened,
                partial(build_reader, serves=True),
                is_worker=True,
                observer=metrics,
                tracer=tracer,
            )
            if settings.metrics_port is not None:
                watch_process(metrics, services, tracer)
                failures = settings.login_failures_per_minute
                listener = MetricsListener(
                    metrics,
                    settings.metrics_host,
                    settings.metrics_port,
                    settings.metrics_token,
                    RateLimit(failures) if failures else None,
                )
                opened.callback(listener.stop)
                logs.info("metrics", host=settings.metrics_host, port=listener.port)
            jobs = services.jobs
            opened.callback(jobs.stop, settings.shutdown_grace_s)
            jobs.start()

            def end(number: int, _frame: FrameType | None) -> None:
                if stopping.is_set() and number == signal.SIGINT:
                    os._exit(_INTERRUPTED)
                jobs.close()
                stopping.set()

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, end)
            console.out.print(
                f"Working on jobs: {settings.jobs_backend}, {settings.job_threads} at a time. "
                "Ctrl-C stops the worker.",
                markup=False,
            )
            # A signal that the kernel gives to another thread ends no wait of this one, which alone
            # may run what was set above: so it wakes by itself.
            while not stopping.wait(_LISTENS_EVERY_S):
                pass
            logs.info("stopping: documents in hand are finished first")
    except Error as wrong:
        raise console.stopped(wrong, code=1) from None
    logs.info("stopped")
    sys.stdout.flush()
    # The interpreter would wait for the threads of documents that were handed back.
    os._exit(0)
