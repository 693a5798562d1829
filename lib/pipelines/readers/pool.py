"""The pool of field readers: bounded waiting, replacement of the dead, recycling."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from lib.domain.cancellation import Canceled
from lib.domain.deadline import Deadline
from lib.domain.task import Task
from lib.pipelines.readers.document_json import tasks_to_json
from lib.pipelines.readers.errors import none_started, overloaded, shutting_down, timed_out
from lib.pipelines.readers.process import ReaderDied, ReaderLate, ReaderProcess
from lib.processes.child import PoolStats

_LOAD_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0  # between attempts to start a reader that fails

# -P: the working directory is no place to import from. -m: the parent's main module stays out.
PROGRAM = (sys.executable, "-P", "-m", "lib.pipelines.readers.program")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """Sizes of a pool.

    `readers`: processes. `waiting`: documents that may wait for a free one. A reader is replaced
    after `documents_per_reader` or when its resident memory is above `reader_bytes` after one, and
    killed when a document takes longer than `document_seconds`, however late the deadline is.
    """

    readers: int
    waiting: int
    documents_per_reader: int = 5000
    reader_bytes: int = 1 << 30
    document_seconds: float = 60.0


class ReaderPool:
    """Lends readers to threads, one document each. Safe to share; a context manager.

    The readers start one after the other in the background, once `begin` returns: until the first
    is up, documents are read elsewhere.
    """

    def __init__(
        self,
        limits: ReaderLimits,
        tasks: Iterable[Task],
        begin: Callable[[], object] = lambda: None,
        command: Sequence[str] = PROGRAM,
    ) -> None:
        """`command` starts a reader that speaks as `lib.pipelines.readers.program.serve` does.
        `begin` may block until a start disturbs nobody.
        """
        self._command = tuple(command)
        self._tasks = tasks_to_json(tasks)
        self._begin = begin
        self.limits = limits
        self._changed = threading.Condition()
        self._idle: list[ReaderProcess] = []
        self._processes: set[ReaderProcess] = set()
        self._loaded = self._waiting = self._recycled = self._restarts = 0
        self._was_ready = self._fails = self._closed = False
        self._keeper = threading.Thread(target=self._keep, name="field-readers", daemon=True)
        self._keeper.start()

    @property
    def ready(self) -> bool:
        """Whether there has been a reader: from then on, documents are read by readers only, since
        one that has killed its reader must not come to hang this process.
        """
        return self._was_ready

    @property
    def stats(self) -> PoolStats:
        """The pool's present state."""
        with self._changed:
            return PoolStats(
                workers=self.limits.readers,
                loaded=self._loaded,
                busy=self._loaded - len(self._idle),
                waiting=self._waiting,
                recycled=self._recycled,
                restarts=self._restarts,
                resident=tuple(process.resident for process in self._processes),
            )

    def wait_ready(self, deadline: Deadline) -> bool:
        """Wait until a reader is up; False when the deadline passes or none can be started."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._was_ready or self._fails or self._closed, deadline.remaining()
            )
            return self._was_ready

    def take(self, deadline: Deadline, given_up: Callable[[], bool]) -> ReaderProcess:
        """A reader of one's own, until `give_back` or `discard`.

        Raises `inference_unavailable` when too many wait or no reader can be started,
        `inference_timeout`, `shutting_down` after `close`; `Canceled` when it is given up, which
        `wake` has to tell.
        """
        with self._changed:
            if not self._idle and self._waiting >= self.limits.waiting:
                raise overloaded(self._waiting)
            self._waiting += 1
            try:
                while True:
                    self._changed.wait_for(
                        lambda: self._idle or self._closed or self._none_left or given_up(),
                        deadline.remaining(),
                    )
                    if given_up():
                        raise Canceled
                    if self._closed:
                        raise shutting_down()
                    if not self._idle:
                        raise none_started() if self._none_left else timed_out()
                    process = self._idle.pop()
                    if process.alive:
                        return process
                    self._lost(process)
                    process.close()
            finally:
                self._waiting -= 1

    def wake(self) -> None:
        """Have those who wait look again whether they were given up."""
        with self._changed:
            self._changed.notify_all()

    def give_back(self, process: ReaderProcess) -> None:
        """After a document that it has read."""
        process.documents += 1
        limits = self.limits
        used_up = process.documents >= limits.documents_per_reader
        with self._changed:
            if not used_up and process.resident <= limits.reader_bytes and not self._closed:
                self._idle.append(process)
                self._changed.notify_all()
                return
            self._recycled += not self._closed
            self._forget(process)
        process.close()

    def discard(self, process: ReaderProcess, why: str) -> None:
        """After a document that it has not finished: it is killed, and another one started."""
        process.kill()
        with self._changed:
            self._lost(process)
        status = process.close()
        if not self._closed:
            _log.warning("a field reader is replaced: %s; exit status %s", why, status)

    def close(self) -> None:
        """End all readers; documents under way or waiting fail with `shutting_down`.

        Waits some seconds at most: a process that the kernel does not end is left to it.
        """
        with self._changed:
            self._closed = True
            processes, idle = list(self._processes), list(self._idle)
            self._idle.clear()
            self._changed.notify_all()
        for process in processes:
            process.kill()
        for process in idle:
            process.close()
        self._keeper.join(_CLOSE_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def _none_left(self) -> bool:
        return self._fails and not self._processes

    def _lost(self, process: ReaderProcess) -> None:
        self._restarts += not self._closed
        self._forget(process)

    def _forget(self, process: ReaderProcess) -> None:
        self._processes.discard(process)
        self._loaded -= 1
        self._changed.notify_all()

    def _keep(self) -> None:
        """Start a reader whenever one is missing, until closed."""
        self._begin()
        pause = _FIRST_PAUSE_S
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or len(self._processes) < self.limits.readers
                )
            if self._closed:
                return
            if self._start():
                pause = _FIRST_PAUSE_S
                continue
            with self._changed:
                self._changed.wait_for(lambda: self._closed, pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _start(self) -> bool:
        """Whether one more reader is up."""
        try:
            process = ReaderProcess(self._command)
        except OSError:
            return self._start_failed(None, "no process")
        with self._changed:
            self._processes.add(process)
            closed = self._closed
        if closed:
            process.kill()
        try:
            process.wait_ready(self._tasks, _LOAD_TIMEOUT_S)
        except (ReaderDied, ReaderLate):
            return self._start_failed(process, "it ended or took too long")
        with self._changed:
            self._loaded += 1
            self._was_ready, self._fails = True, False
            if not self._closed:
                self._idle.append(process)
                self._changed.notify_all()
                return True
        process.close()
        return False

    def _start_failed(self, process: ReaderProcess | None, why: str) -> bool:
        status = process.close() if process is not None else None
        with self._changed:
            if process is not None:
                self._processes.discard(process)
            self._restarts += not self._closed
            self._fails = True
            self._changed.notify_all()
        if not self._closed:
            _log.warning("a field reader did not start: %s; exit status %s", why, status)
        return False
