"""The pool of OCR worker processes: bounded waiting, deadlines that kill, recycling."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

from lib.domain.deadline import Deadline
from lib.domain.document import PageImage
from lib.errors import Error, Kind
from lib.ocr.engine import OrientedReading
from lib.ocr.page_errors import crashed, lost, shutting_down, too_long
from lib.ocr.ticket import Ticket
from lib.ocr.wire import Reply
from lib.ocr.worker_process import WorkerDied, WorkerLost, WorkerProcess
from lib.processes.child import PoolStats

_LOAD_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0  # between attempts to start a worker that fails

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Sizes of a pool.

    `workers`: processes, one for each core that may be used. `waiting`: pages that may wait for a
    free worker, each with its image in memory. `threads`: those of a worker that may work on a page
    while others have nothing to do. A worker is replaced after `pages_per_worker` pages or when its
    resident memory is above `worker_bytes` after a page, and killed when a page takes longer than
    `page_seconds`, however late the deadline is.
    """

    workers: int
    waiting: int
    pages_per_worker: int
    worker_bytes: int
    page_seconds: float = 60.0
    threads: int = 1


class OcrPool:
    """Reads page images in worker processes. Safe to share between threads; a context manager.

    Loading begins in the background at construction; pages that come earlier wait for it. Each
    worker process has a thread here that owns it: hands it pages, replaces it.
    """

    def __init__(self, command: Sequence[str], limits: PoolLimits) -> None:
        """`command` starts one worker that speaks as `lib.ocr.worker.serve` does."""
        self._command = tuple(command)
        self._limits = limits
        self._changed = threading.Condition()
        self._queue: deque[Ticket] = deque()
        self._processes: set[WorkerProcess] = set()
        self._resident: dict[WorkerProcess, int] = {}
        self._loaded = self._busy = self._recycled = self._restarts = 0
        self._engine_name = ""
        self._failure: Error | None = None
        self._closed = False
        self._keepers = [
            threading.Thread(
                target=self._keep_worker, args=(index,), name=f"ocr-worker-{index}", daemon=True
            )
            for index in range(limits.workers)
        ]
        for keeper in self._keepers:
            keeper.start()

    @property
    def engine_name(self) -> str:
        """As the engine names itself; empty until the first worker has loaded."""
        return self._engine_name

    @property
    def ready(self) -> bool:
        """Whether a worker is loaded, so that a page would be read now."""
        return self._loaded > 0

    @property
    def workers(self) -> int:
        """Number of worker processes."""
        return self._limits.workers

    @property
    def stats(self) -> PoolStats:
        """The pool's present state."""
        with self._changed:
            return PoolStats(
                workers=self._limits.workers,
                loaded=self._loaded,
                busy=self._busy,
                waiting=len(self._queue),
                recycled=self._recycled,
                restarts=self._restarts,
                resident=tuple(self._resident.values()),
            )

    def wait_ready(self, deadline: Deadline) -> bool:
        """Wait until a worker is loaded; False when the deadline passes or no worker can start."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._loaded or self._failure or self._closed, deadline.remaining()
            )
            return self._loaded > 0

    def wait_at_rest(self, deadline: Deadline) -> bool:
        """Wait until all workers are loaded, or one has failed to start, and none has a page.

        False when the deadline passes, or the pool is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._at_rest or self._closed, deadline.remaining())
            return self._at_rest and not self._closed

    def submit(self, image: PageImage, deadline: Deadline) -> Ticket:
        """Queue a page without waiting for it.

        Raises `inference_unavailable` when too many pages wait or no worker can be started, and
        `shutting_down` after `close`.
        """
        ticket = Ticket(image, deadline)
        with self._changed:
            if self._closed:
                raise shutting_down()
            if self._failure is not None and not self._loaded:
                raise copy(self._failure)
            idle = self._loaded - self._busy
            if len(self._queue) >= self._limits.waiting + idle:
                raise Error(
                    "inference_unavailable",
                    Kind.UNAVAILABLE,
                    "Too many pages are waiting to be read.",
                    {"waiting": len(self._queue)},
                    retryable=True,
                )
            self._queue.append(ticket)
            self._changed.notify_all()
        return ticket

    def read(self, image: PageImage, deadline: Deadline) -> OrientedReading:
        """Read one page; raises as `submit` and `Ticket.result` do."""
        ticket = self.submit(image, deadline)
        try:
            return ticket.result()
        finally:
            self.cancel(ticket)

    def cancel(self, ticket: Ticket) -> None:
        """Give a page up and free its place in the queue; nothing if it is done."""
        ticket.cancel()
        with self._changed:
            if ticket in self._queue:
                self._queue.remove(ticket)

    def close(self) -> None:
        """End all workers; pages under way or waiting fail with `shutting_down`.

        Waits some seconds at most: a process that the kernel does not end is left to it.
        """
        with self._changed:
            self._closed = True
            waiting, processes = list(self._queue), list(self._processes)
            self._queue.clear()
            self._changed.notify_all()
        for ticket in waiting:
            ticket.finish(shutting_down())
        for process in processes:
            process.kill()
        end = time.monotonic() + _CLOSE_TIMEOUT_S
        for keeper in self._keepers:
            keeper.join(max(0.0, end - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def _at_rest(self) -> bool:
        settled = self._loaded == self.workers or self._failure is not None
        return settled and not self._busy and not self._queue

    def _keep_worker(self, index: int) -> None:
        """The life of one worker's thread: start a process, feed it, replace it, until closed.

        The first worker loads alone: a page can be read as soon as one has loaded, and those that
        load at once take turns on the cores with each other and with the program around them.
        """
        pause = _FIRST_PAUSE_S
        if index:
            with self._changed:
                self._changed.wait_for(lambda: self._loaded or self._failure or self._closed)
        while not self._closed:
            process = self._start()
            if process is None:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
                continue
            pause = _FIRST_PAUSE_S
            died = True
            try:
                died = not self._feed(process)
            finally:
                self._retire(process, "it died" if died else "")

    def _start(self) -> WorkerProcess | None:
        """A loaded worker, or None when it failed or the pool was closed meanwhile."""
        try:
            process = WorkerProcess(self._command)
        except OSError:
            self._start_failed(None)
            return None
        with self._changed:
            self._processes.add(process)
            closed = self._closed
        if closed:
            process.kill()
        try:
            hello = process.wait_loaded(_LOAD_TIMEOUT_S)
        except WorkerDied:
            hello = None
        if hello is None or hello.engine is None:
            self._discard(process, hello.fault if hello else "it ended or took too long")
            self._start_failed(hello.error if hello else None)
            return None
        with self._changed:
            self._loaded += 1
            self._resident[process] = hello.resident
            self._failure = None
            self._engine_name = hello.engine
            self._changed.notify_all()
        return process

    def _start_failed(self, error: Error | None) -> None:
        """Fail what is queued when there is no other worker that it could wait for."""
        with self._changed:
            self._restarts += not self._closed
            self._failure = error or Error(
                "inference_unavailable",
                Kind.UNAVAILABLE,
                "No OCR worker could be started.",
                retryable=True,
            )
            stranded = [] if self._loaded else list(self._queue)
            if stranded:
                self._queue.clear()
            self._changed.notify_all()
        for ticket in stranded:
            ticket.finish(copy(self._failure))

    def _feed(self, process: WorkerProcess) -> bool:
        """Hand pages to a worker until it must be replaced or the pool closes; False if it died."""
        for _ in range(self._limits.pages_per_worker):
            begun = self._next(process)
            if begun is None:
                return True
            try:
                reply = self._read(process, *begun)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
            if reply is None:
                with self._changed:
                    self._restarts += not self._closed
                return False
            if reply.resident:
                with self._changed:
                    self._resident[process] = reply.resident
            if reply.resident > self._limits.worker_bytes:
                break
        with self._changed:
            self._recycled += 1
        return True

    def _next(self, process: WorkerProcess) -> tuple[Ticket, PageImage | None, int] | None:
        """The next page, once there is one: counted as busy, and begun, so that to cancel it kills
        the worker from then on. With the threads that may read it: as many as there are workers for
        each page in hand. Without its image when nobody wants it any more; None when the pool
        closes.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if self._closed:
                return None
            self._busy += 1
            ticket = self._queue.popleft()
            share = self.workers // (self._busy + len(self._queue))
            return ticket, ticket.begin(process), min(self._limits.threads, max(1, share))

    def _read(
        self, process: WorkerProcess, ticket: Ticket, image: PageImage | None, threads: int
    ) -> Reply | None:
        """Settle the ticket; the worker's reply, or None when the worker is dead."""
        if image is None:
            return Reply(resident=0)
        try:
            reply = process.read(image, threads, self._limits.page_seconds)
        except WorkerLost:
            self._queue_again(ticket)
            return None
        except WorkerDied:
            ended = too_long() if process.overdue else crashed()
            ticket.finish(shutting_down() if self._closed else ended)
            return None
        if reply.fault:
            _log.error("the OCR engine failed on a page: %s", reply.fault)
        ticket.finish(reply.reading or reply.error or crashed())
        return reply

    def _queue_again(self, ticket: Ticket) -> None:
        """Put a page first in the queue, unless as many workers were lost on it as there are."""
        again = ticket.begin_again()
        with self._changed:
            closed = self._closed
            if again and not closed and ticket.losses <= self._limits.workers:
                self._queue.appendleft(ticket)
                self._changed.notify_all()
                return
        ticket.finish(shutting_down() if closed else lost())

    def _retire(self, process: WorkerProcess, fault: str) -> None:
        with self._changed:
            self._loaded -= 1
        self._discard(process, fault)

    def _discard(self, process: WorkerProcess, fault: str = "") -> None:
        status = process.close()
        if fault and not self._closed:
            _log.warning("an OCR worker is replaced: %s; exit status %s", fault, status)
        with self._changed:
            self._processes.discard(process)
            self._resident.pop(process, None)
