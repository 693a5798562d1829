"""One OCR worker process as its parent sees it: start, read a page, kill."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO, cast

from lib.domain.document import PageImage
from lib.ocr.wire import Reply, receive_reply, send_image

_INHERITED = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "HOME",
)
"""What an interpreter needs of its parent's environment. The rest is kept from a process that reads
hostile images: it may hold secrets."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""The pool uses the cores, one worker each; read when numpy and its like are imported."""


class WorkerDied(Exception):
    """The process ended, or was killed, before it answered."""


class WorkerProcess:
    """A child that reads one page at a time. `kill` may be called from any thread.

    The child ends by itself when its stdin closes, so none survives this process, however it dies.
    """

    def __init__(self, command: Sequence[str]) -> None:
        # The command is this interpreter with our own module; nothing in it comes from a request.
        self._child = subprocess.Popen(  # noqa: S603
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        )
        self._stdin = cast(BinaryIO, self._child.stdin)
        self._stdout = cast(BinaryIO, self._child.stdout)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def wait_loaded(self, timeout: float) -> Reply:
        """The child's first word, or WorkerDied when it does not come within `timeout` seconds."""
        watchdog = threading.Timer(timeout, self.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            return self._reply()
        finally:
            watchdog.cancel()

    def read(self, image: PageImage) -> Reply:
        """Have a page read; WorkerDied when the child ends first."""
        try:
            send_image(self._stdin, image)
        except OSError as gone:
            raise WorkerDied from gone
        return self._reply()

    def kill(self) -> None:
        """End the child at once; `read` in another thread then raises WorkerDied."""
        self._child.kill()

    def close(self) -> None:
        """Kill the child, collect it and close the pipes."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):  # unsent bytes of a page nobody reads
                pipe.close()

    def _reply(self) -> Reply:
        try:
            return receive_reply(self._stdout)
        except (EOFError, OSError, ValueError) as gone:  # gone, or no longer making sense
            raise WorkerDied from gone


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # The worker imports from where this process does, whether or not the package is installed.
    python_path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**inherited, **_ONE_THREAD, "PYTHONPATH": python_path, "PYTHONUTF8": "1"}
