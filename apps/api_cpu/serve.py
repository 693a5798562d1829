"""`ocr serve`: the OCR workers begin to load, and the server is imported beside them."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from apps.api_cpu import console
from apps.api_cpu.ocr_workers import build_ocr_workers
from lib.errors import Error
from lib.processes.affinity import keep_to_one_core


def serve_command(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 for a free one (PORT).")] = None,
) -> None:
    """Run the server until SIGTERM or Ctrl-C; running requests may finish first."""
    # What a start makes is kept: looking through it again and again is a fifth of the start.
    gc.disable()
    settings = console.settings_or_exit(host=host, port=port)
    # Without field readers its own threads find the fields, and the networks for that use no lock.
    if settings.server_on_one_core and settings.reader_count:
        keep_to_one_core()
    try:
        with build_ocr_workers(settings) as workers:
            # Imported here: it takes as long as the networks of a worker, which load meanwhile.
            from apps.api_cpu.server import run_server  # noqa: PLC0415

            run_server(settings, workers)
    except Error as wrong:
        raise console.stopped(wrong) from None
