"""A page on its way through the pool: who waits for it, and which worker has it."""

from __future__ import annotations

import threading

from lib.domain.deadline import Deadline
from lib.domain.document import PageImage
from lib.errors import Error
from lib.ocr.engine import OrientedReading
from lib.ocr.page_errors import timed_out
from lib.ocr.worker_process import WorkerProcess


class Ticket:
    """A page handed to the pool: take its result or cancel it. The rest is the pool's to call.

    `losses`: workers that ended before they had it.
    """

    def __init__(self, image: PageImage, deadline: Deadline) -> None:
        self._image: PageImage | None = image
        self._deadline = deadline
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._process: WorkerProcess | None = None
        self._outcome: OrientedReading | Error | None = None
        self.losses = 0

    def result(self) -> OrientedReading:
        """Wait for the reading, at most until the deadline; raises `Error`.

        `inference_timeout`: the deadline passed, and the worker that was reading the page has been
        killed. `unreadable_document`, reason `crashed`: the page killed its worker; `timeout`: it
        took longer than a page may.
        """
        if not self._done.wait(self._deadline.remaining()):
            self.cancel()
        outcome = self._outcome
        if isinstance(outcome, OrientedReading):
            return outcome
        raise outcome or timed_out()

    def cancel(self) -> None:
        """Give the page up: it leaves the queue, or its worker is killed; nothing if it is done."""
        with self._lock:
            if self._done.is_set():
                return
            if self._process is not None:
                self._process.kill()
            self._settle(None)

    def begin(self, process: WorkerProcess) -> PageImage | None:
        """The image, now that `process` will read it; None when nobody wants it any more."""
        with self._lock:
            if self._done.is_set():
                return None
            if self._deadline.passed:
                self._settle(timed_out())
                return None
            self._process = process
            return self._image

    def begin_again(self) -> bool:
        """Whether another worker is to read it, since the one that was to never had it."""
        with self._lock:
            self._process = None
            self.losses += 1
            return not self._done.is_set()

    def finish(self, outcome: OrientedReading | Error) -> None:
        """Settle it, unless it was given up."""
        with self._lock:
            if not self._done.is_set():
                self._settle(outcome)

    def _settle(self, outcome: OrientedReading | Error | None) -> None:
        # From here on `cancel` no longer kills: the worker may already read another page.
        self._outcome, self._process, self._image = outcome, None, None
        self._done.set()
