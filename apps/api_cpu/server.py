"""uvicorn as we run it, with a stop that finishes its work."""

from __future__ import annotations

import ctypes
import gc
import ipaddress
import math
import os
import platform
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from apps.api_cpu import console, logs
from apps.api_cpu.artifacts.stores.build import check_artifact_store
from apps.api_cpu.http_protocol import protocol_with
from apps.api_cpu.main import create_app
from apps.api_cpu.settings import Settings
from apps.api_cpu.stations import build_reader, check_configs
from lib.ocr.pool import OcrPool
from lib.pipelines.field_reading import CPU

_MAX_HEADER_BYTES = 32 * 1024
# Requests are cut by `Shutdown`, which answers them; uvicorn would only drop them.
_AFTER_THE_CUT_S = 3
# 128 + SIGINT, as shells count.
_INTERRUPTED = 130
# malloc.h
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1024 * 1024
# How long a thread that computes keeps the interpreter from the event loop, which asks for it
# several times in each request: decision 0032 has the figures, and why not with a model.
_SWITCH_S = 0.0005
_SAMPLE = "samples/receipt_photo.jpg"


class Server(uvicorn.Server):
    """On SIGTERM or SIGINT, work that runs may finish and work that waits is refused."""

    def __init__(
        self, app: FastAPI, settings: Settings, announce: Callable[[str, int], None]
    ) -> None:
        """`announce` is called with the address and the port once the server listens."""
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                http=protocol_with(settings.max_connections),
                ws="none",
                loop="auto",  # uvloop where there is one: docs/performance.md
                log_config=None,
                access_log=False,
                server_header=False,
                h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s) + _AFTER_THE_CUT_S,
            )
        )
        self._app = app
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say where."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._announce(host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say what is being waited for, then stop."""
        logs.info("stopping: running requests are finished first")
        await super().shutdown(sockets)
        logs.info("stopped")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note that the server is to stop."""
        shutdown: Any = getattr(self._app.state, "shutdown", None)
        if shutdown is not None:
            shutdown.begin()
        super().handle_exit(sig, frame)


def run_server(settings: Settings, workers: OcrPool) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises `Error` for configuration files that are wrong."""
    logs.set_up_logging(settings.log_level, settings.log_format)

    def announce(address: str, bound_port: int) -> None:
        gc.freeze()
        gc.enable()
        _say_what_next(settings, address, bound_port)
        threading.Thread(target=_prepare, args=(app,), name="prepare-reader", daemon=True).start()

    check_configs()
    check_artifact_store(settings)
    give_large_buffers_back()
    if settings.backend == CPU:
        sys.setswitchinterval(_SWITCH_S)
    app = create_app(settings, partial(build_reader, workers=workers, serves=True))
    server = Server(app, settings, announce)
    try:
        server.run()
    except KeyboardInterrupt:
        if app.state.admission.running:
            # The interpreter would wait for the threads of requests that were cut.
            os._exit(_INTERRUPTED)
        raise
    if not server.started:
        raise console.stopped("the server did not start; the log says why", code=1)


def _prepare(app: FastAPI) -> None:
    """Make what the first document needs besides its words, while those are being read."""
    app.state.prepare_reader()
    gc.freeze()


def _say_what_next(settings: Settings, address: str, port: int) -> None:
    """The first line is for programs that start the server, the others for people."""
    everywhere = ipaddress.ip_address(address).is_unspecified
    host = "127.0.0.1" if everywhere else f"[{address}]" if ":" in address else address
    url = f"http://{host}:{port}"
    header = '-H "Authorization: Bearer $API_KEY" ' if settings.asks_for_keys else ""
    lines = [
        f"Listening on {url}" + (" and every other address of this machine" if everywhere else ""),
        "",
        "Open it in a browser, or in another terminal:",
        f"  curl {header}-F file=@{_SAMPLE} {url}/v1/extract",
    ]
    if settings.asks_for_keys:
        lines += ["", "A key for $API_KEY: ocr keys create --role client"]
    lines += ["", f"Answers are kept in {settings.artifacts_place}. Ctrl-C stops the server."]
    console.out.print("\n".join(lines), markup=False)


def give_large_buffers_back() -> None:
    """Have large blocks mapped on their own, so that the system has them again once they are freed.

    glibc raises the threshold as blocks are freed, and keeps what lies below it in its heaps;
    a threshold that is set stays. https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
