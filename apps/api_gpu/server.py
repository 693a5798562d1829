"""uvicorn as the pod runs it: a dead engine ends the process, and not with 0."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Final

import uvicorn

from apps.api_gpu.engine import TiltEngine
from apps.api_gpu.main import create_app
from apps.api_gpu.settings import Settings

ENGINE_DIED: Final = 70
"""Exit status when the engine died, from sysexits.h: internal software error."""
NOT_STARTED: Final = 3
"""Exit status when the engine or the port could not be had."""

_AFTER_DEATH_S: Final = 3


def serve(
    settings: Settings,
    engine: TiltEngine,
    *,
    started: Callable[[uvicorn.Server], None] = lambda _: None,
) -> int:
    """Serve until SIGTERM, SIGINT or the engine's death; the exit status.

    `started` is called with the server before it runs: who starts it in a thread stops it by that.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s %(message)s",
    )
    died = False

    def on_death() -> None:
        nonlocal died
        died = True
        # Who still waits for a dead engine is not waited for.
        server.config.timeout_graceful_shutdown = _AFTER_DEATH_S
        server.should_exit = True

    app = create_app(settings, engine, on_death)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=settings.tilt_shutdown_grace_s,
        )
    )
    started(server)
    server.run()
    if died:
        return ENGINE_DIED
    return 0 if server.started else NOT_STARTED


def end(status: int) -> None:
    """End the process with `status`, whatever threads a dead engine has left behind."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
