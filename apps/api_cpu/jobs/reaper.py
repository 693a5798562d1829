"""Looks after what was lost: items of dead workers, ends that nobody writes, rings not heard."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from apps.api_cpu import logs
from apps.api_cpu.jobs.backends.base import JobsBackend
from apps.api_cpu.jobs.finishing import Finishing
from apps.api_cpu.jobs.leases import WorkerLeases
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.store import Counts, JobStore
from lib.errors import Error

_EVERY_S = 1.0


class Reaper:
    """A background thread; every server and worker has one, and it does not matter whose acts.

    `workers` with a lease, about a second ago; `reaped`: items that this process put back.
    """

    def __init__(
        self,
        store: JobStore,
        leases: WorkerLeases,
        presence: Presence,
        finishing: Finishing,
        backend: JobsBackend,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._leases = leases
        self._presence = presence
        self._finishing = finishing
        self._backend = backend
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="job-reaper", daemon=True)
        self._counts = Counts(0, 0)
        self.workers = 0
        self.reaped = 0

    @property
    def counts(self) -> Counts:
        """Items waiting and running, about a second ago."""
        return self._counts

    def start(self) -> None:
        """Look once, then again and again in the background."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """End the background thread."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def look(self) -> None:
        """Put back, finish and count, once. Raises `storage_unavailable`."""
        self._presence.bury_the_dead()
        reaped = self._leases.reap(self._clock())
        self.reaped += reaped
        if reaped:
            logs.warning("items of dead workers are queued again", items=reaped)
            self._backend.ring(reaped)
        self._finishing.finish_what_is_read()
        self._counts = self._store.counts()
        self.workers = self._leases.alive(self._clock())

    def _watch(self) -> None:
        # Of random length, so that the processes do not all look at once.
        while not self._stopping.wait(_EVERY_S * random.uniform(0.75, 1.25)):  # noqa: S311
            try:
                self.look()
            except Error as error:
                logs.warning("the jobs were not looked after", code=error.code)
            except Exception as exc:  # noqa: BLE001 - the next look may do better
                logs.unexpected(exc)
