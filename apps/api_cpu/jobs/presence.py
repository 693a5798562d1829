"""This process as a worker: its lease, the items that it holds, and how they are told to stop."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.api_cpu import logs
from apps.api_cpu.jobs.leases import Worker, WorkerLeases
from apps.api_cpu.jobs.rows import Claim, JobItem
from apps.api_cpu.jobs.store import JobStore
from apps.api_cpu.request_context import new_request_id
from lib.domain.cancellation import Cancellation
from lib.errors import Error

try:
    import fcntl
except ImportError:  # Windows: a dead worker is noticed when its lease is over
    _HAS_LOCKS = False
else:
    _HAS_LOCKS = True

_TICK_S = 0.5
# How often what the table says we hold is compared with what we know of.
_STOCKTAKING_S = 5.0
# What was told to stop gets a moment to say so, before it is handed back for it.
_LAST_MOMENT_S = 2.0

_Key = tuple[str, int, int]


class Presence:
    """Registered from `start` to `stop`. Safe to share between threads.

    A file that is locked for as long as the process lives lets its neighbours on the same disk see
    at once that it is gone; others wait for the end of its lease. `leases_lost` counts its own.
    """

    def __init__(
        self,
        leases: WorkerLeases,
        store: JobStore,
        lease_s: float,
        folder: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`folder` holds the locked files, one a process."""
        self._leases = leases
        self._store = store
        self._lease_s = lease_s
        self._folder = folder
        self._clock = clock
        self._host = socket.gethostname()[:100]
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._held: dict[_Key, tuple[Claim, Cancellation]] = {}
        self._unknown: set[_Key] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="job-lease", daemon=True)
        self._locked: tuple[int, Path] | None = None
        self._worker_id = ""
        self.leases_lost = 0

    @property
    def worker_id(self) -> str:
        """Whose items are ours at this moment; another one after a lease was lost."""
        return self._worker_id

    @property
    def held(self) -> int:
        """How many items this process works on."""
        with self._lock:
            return len(self._held)

    def start(self) -> None:
        """Register, and take back what dead processes of this disk held."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.register()
        self.bury_the_dead()
        self._thread.start()

    def stop(self) -> None:
        """Give the lease back; nothing may be held any more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        with contextlib.suppress(Error):  # its lease ends by itself
            self._leases.end(self._worker_id)
        self._let_go()

    def register(self) -> None:
        """Become a worker; after a lease was lost, another one. Part of `start`."""
        worker_id = new_request_id()
        if _HAS_LOCKS:
            self._let_go()
            file = self._file_of(worker_id)
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            self._locked = handle, file
            fcntl.flock(handle, fcntl.LOCK_EX)
        now = self._clock()
        worker = Worker(worker_id, self._host, os.getpid(), now, now + self._lease_s)
        self._leases.register(worker)
        self._worker_id = worker_id

    def renew(self) -> None:
        """Hold on to the lease; one that is over is lost with all that was held under it."""
        now = self._clock()
        if self._leases.renew(self._worker_id, now, now + self._lease_s):
            return
        # Stopped for longer than the lease: what was held is somebody else's by now.
        self.leases_lost += 1
        logs.warning("this worker lost its lease", worker_id=self._worker_id)
        self.interrupt()
        self.register()

    def heed_cancels(self) -> None:
        """Stop what this process does for jobs that are to be canceled."""
        jobs = {claim.job.job_id for claim, _ in self._holdings()}
        if jobs:
            for job_id in self._store.to_cancel(jobs):
                self.cancel(job_id)

    def take_stock(self) -> None:
        """Give up items that are ours by the table but that nobody here works on.

        Their end could not be recorded, or their claim was not known to have succeeded. They are
        looked at twice, since an item is claimed a moment before it is held.
        """
        ours = {_key_of(item): item for item in self._leases.held_by(self._worker_id)}
        with self._lock:
            unknown = {key for key in ours if key not in self._held}
        lost = unknown & self._unknown
        self._unknown = unknown - lost
        if lost:
            self._leases.put_back([ours[key] for key in lost], self._clock())

    @contextmanager
    def holding(self, claim: Claim, cancellation: Cancellation) -> Iterator[None]:
        """`hold` for a block."""
        self.hold(claim, cancellation)
        try:
            yield
        finally:
            self.drop(claim)

    def hold(self, claim: Claim, cancellation: Cancellation) -> None:
        """Note an item that is being worked on; `cancellation` is set when it should stop."""
        with self._lock:
            self._held[_key_of(claim.item)] = (claim, cancellation)

    def drop(self, claim: Claim) -> None:
        """Nobody works on it any more."""
        with self._lock:
            self._held.pop(_key_of(claim.item), None)
            self._idle.notify_all()

    def wind_down(self, grace_s: float) -> None:
        """Let what is held end; stop it when the grace is over, and put back what does not stop."""
        if self._is_idle_within(grace_s):
            return
        self.interrupt()
        if not self._is_idle_within(_LAST_MOMENT_S):
            self.hand_back()

    def _is_idle_within(self, seconds: float) -> bool:
        with self._idle:
            return self._idle.wait_for(lambda: not self._held, seconds)

    def cancel(self, job_id: str) -> None:
        """Stop what this process does for a job."""
        for claim, cancellation in self._holdings():
            if claim.job.job_id == job_id:
                cancellation.set()

    def interrupt(self) -> None:
        """Stop everything that this process does."""
        for _, cancellation in self._holdings():
            cancellation.set()

    def hand_back(self) -> None:
        """Put everything back that is held still; what it may yet yield is thrown away."""
        for claim, _ in self._holdings():
            self._store.put_back(claim, self._clock())

    def bury_the_dead(self) -> None:
        """End the leases of processes of this host that are gone."""
        for worker in self._leases.of_host(self._host):
            if worker.worker_id != self._worker_id and self._is_gone(worker.worker_id):
                logs.warning("a worker is gone", worker_id=worker.worker_id, pid=worker.pid)
                self._leases.end(worker.worker_id)
                self._file_of(worker.worker_id).unlink(missing_ok=True)

    def _holdings(self) -> list[tuple[Claim, Cancellation]]:
        with self._lock:
            return list(self._held.values())

    def _let_go(self) -> None:
        if self._locked is not None:
            handle, file = self._locked
            file.unlink(missing_ok=True)
            os.close(handle)
            self._locked = None

    def _file_of(self, worker_id: str) -> Path:
        return self._folder / f"{worker_id}.lock"

    def _is_gone(self, worker_id: str) -> bool:
        """Whether its process has ended: then, and only then, its file can be locked."""
        if not _HAS_LOCKS:
            return False
        try:
            handle = os.open(self._file_of(worker_id), os.O_RDWR)
        except OSError:
            return False  # of another disk
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True

    def _beat(self) -> None:
        renewed = took_stock = time.monotonic()
        while not self._stopping.wait(_TICK_S):
            now = time.monotonic()
            try:
                if now - renewed >= self._lease_s / 4:
                    self.renew()
                    renewed = now
                if now - took_stock >= _STOCKTAKING_S:
                    self.take_stock()
                    took_stock = now
                self.heed_cancels()
            except Error as error:
                logs.warning("the lease of this worker was not renewed", code=error.code)
            except OSError as exc:  # the file of a new lease, on a disk that is full
                logs.warning("the lease of this worker was not renewed", reason=type(exc).__name__)


def _key_of(item: JobItem) -> _Key:
    return item.job_id, item.number, item.attempts
