"""One OCR worker process as its parent sees it: start, read a page, kill."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from lib.domain.document import PageImage
from lib.ocr.wire import Reply, receive_received, receive_reply, send_image
from lib.processes.child import ChildProcess

try:
    import fcntl

    _CAN_WIDEN = hasattr(fcntl, "F_SETPIPE_SZ")  # Linux has it
except ImportError:  # Windows
    _CAN_WIDEN = False

_PIPE_BYTES = 1 << 20  # the most that Linux lets a pipe hold unless an operator says otherwise

_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(4 << 20)}
"""Buffers of 4 MiB go back to the system when they are done with. glibc learns from each that is
freed to keep the next, and a worker grew by a third: docs/decisions/0036."""


class WorkerDied(Exception):
    """The process ended, or was killed, before it answered."""


class WorkerLost(WorkerDied):
    """The process ended, or was killed, before it had the page: that is not the page's doing."""


class WorkerProcess(ChildProcess):
    """A child that reads one page at a time. `kill` may be called from any thread.

    The child ends by itself when its stdin closes, so none survives this process, however it dies.
    It leads a session of its own: what it may have started ends with it. What it prints is dropped,
    for it could quote the page; `Reply.fault` says what went wrong.
    """

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__(command, subprocess.PIPE, subprocess.PIPE, _MALLOC)
        self._overdue = False
        self._stdin = cast(BinaryIO, self._child.stdin)
        _widen(self._stdin)
        self._stdout = cast(BinaryIO, self._child.stdout)

    @property
    def overdue(self) -> bool:
        """Whether it was killed because it took too long."""
        return self._overdue

    def wait_loaded(self, timeout: float) -> Reply:
        """The child's first word, or WorkerDied when it does not come within `timeout` seconds."""
        with self._killed_after(timeout):
            return self._reply()

    def read(self, image: PageImage, threads: int, timeout: float) -> Reply:
        """Have a page read by so many threads.

        WorkerDied when the child ends first, or takes longer than `timeout` seconds.
        """
        with self._killed_after(timeout):
            try:
                send_image(self._stdin, image, threads)
                receive_received(self._stdout)
            except (EOFError, OSError, ValueError) as gone:
                raise WorkerLost from gone
            return self._reply()

    def close(self) -> int | None:
        """Kill the child, collect it and close the pipes.

        The exit status that it had (negative: the signal), None when it could not be collected.
        """
        status = self.end()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):  # unsent bytes of a page nobody reads
                pipe.close()
        return status

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
