"""One OCR worker process as its parent sees it: start, read a page, kill."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from lib.domain.document import PageImage
from lib.ocr.wire import Reply, receive_reply, send_image

try:
    import fcntl

    _CAN_WIDEN = hasattr(fcntl, "F_SETPIPE_SZ")  # Linux has it
except ImportError:  # Windows
    _CAN_WIDEN = False

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

_END_TIMEOUT_S = 5.0  # for the kernel to end a killed process

_PIPE_BYTES = 1 << 20  # the most that Linux lets a pipe hold unless an operator says otherwise


class WorkerDied(Exception):
    """The process ended, or was killed, before it answered."""


class WorkerProcess:
    """A child that reads one page at a time. `kill` may be called from any thread.

    The child ends by itself when its stdin closes, so none survives this process, however it dies.
    It leads a session of its own: what it may have started ends with it. What it prints is dropped,
    for it could quote the page; `Reply.fault` says what went wrong.
    """

    def __init__(self, command: Sequence[str]) -> None:
        # The command is this interpreter with our own module; nothing in it comes from a request.
        self._child = subprocess.Popen(  # noqa: S603
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        self._ending = threading.Lock()
        self._collected = False
        self._overdue = False
        self._stdin = cast(BinaryIO, self._child.stdin)
        _widen(self._stdin)
        self._stdout = cast(BinaryIO, self._child.stdout)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def overdue(self) -> bool:
        """Whether it was killed because it took too long."""
        return self._overdue

    def wait_loaded(self, timeout: float) -> Reply:
        """The child's first word, or WorkerDied when it does not come within `timeout` seconds."""
        with self._killed_after(timeout):
            return self._reply()

    def read(self, image: PageImage, timeout: float) -> Reply:
        """Have a page read; WorkerDied when the child ends first, or takes longer than that."""
        with self._killed_after(timeout):
            try:
                send_image(self._stdin, image)
            except OSError as gone:
                raise WorkerDied from gone
            return self._reply()

    def kill(self) -> None:
        """End the child at once; `read` in another thread then raises WorkerDied."""
        with self._ending:
            if not self._collected:  # else its id may be another's
                self._kill_group()

    def close(self) -> int | None:
        """Kill the child, collect it and close the pipes.

        The exit status that it had (negative: the signal), None when it could not be collected.
        """
        with self._ending:
            if not self._collected:
                self._kill_group()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(_END_TIMEOUT_S)
                self._collected = True
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):  # unsent bytes of a page nobody reads
                pipe.close()
        return self._child.returncode

    @contextlib.contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        watchdog = threading.Timer(seconds, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _give_up(self) -> None:
        self._overdue = True
        self.kill()

    def _kill_group(self) -> None:
        if not hasattr(os, "killpg"):  # Windows has no process groups of this kind
            self._child.kill()
            return
        # PermissionError is macOS's word for a group of zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def _reply(self) -> Reply:
        try:
            return receive_reply(self._stdout)
        except (EOFError, OSError, ValueError) as gone:  # gone, or no longer making sense
            raise WorkerDied from gone


def _widen(pipe: BinaryIO) -> None:
    """Have an image pass in a few large pieces: 64 KiB at a time is a hundred turns of both."""
    if _CAN_WIDEN:
        with contextlib.suppress(OSError):  # a user's pipes may hold so much together, not more
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # The worker imports from where this process does, whether or not the package is installed.
    python_path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**inherited, **_ONE_THREAD, "PYTHONPATH": python_path, "PYTHONUTF8": "1"}
