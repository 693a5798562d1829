"""Threads of this process that take items one by one, and a condition as their doorbell."""

from __future__ import annotations

import random
import threading
import time
from typing import Protocol

from apps.api_cpu import logs
from lib.errors import Error

# Other processes submit to the same table, and items wait there for their time to come.
_LOOK_EVERY_S = 1.0
_AFTER_A_FAULT_S = 2.0
# What was told to stop gets a moment to say so, before it is handed back for it.
_LAST_MOMENT_S = 2.0


class ItemRunner(Protocol):
    """Works on one item at a time in each thread that asks it to."""

    def run_next(self) -> bool:
        """Take an item and bring it to an end; False when there is none."""
        ...

    def interrupt(self) -> None:
        """Stop what runs, so that it is handed back."""
        ...

    def hand_back(self) -> None:
        """Hand back what still runs, whether or not it has stopped."""
        ...


class LocalBackend:
    """`JobsBackend` within one process; several processes may do this on one table."""

    name = "local"

    def __init__(self, runner: ItemRunner, threads: int) -> None:
        """No `threads`: this process only accepts jobs, and others work on them."""
        self._runner = runner
        self._rung = threading.Condition()
        self._rings = 0
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"job-{number}", daemon=True)
            for number in range(threads)
        ]

    def ring(self, count: int) -> None:
        """See `JobsBackend.ring`."""
        with self._rung:
            self._rings = min(self._rings + count, len(self._threads))
            self._rung.notify(count)

    def start(self) -> None:
        """See `JobsBackend.start`."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """See `JobsBackend.close`; takes no lock, since a signal may have interrupted its owner."""
        self._closing = True

    def stop(self, grace_s: float) -> None:
        """See `JobsBackend.stop`."""
        self.close()
        with self._rung:
            self._rung.notify_all()
        if not self._join(grace_s):
            self._runner.interrupt()
            if not self._join(_LAST_MOMENT_S):
                self._runner.hand_back()

    def _join(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while not self._closing:
            try:
                found = self._runner.run_next()
            except Error as error:
                logs.warning("no job could be taken", code=error.code)
                self._wait(_AFTER_A_FAULT_S)
            except Exception as exc:  # noqa: BLE001 - one item's fault must not end the thread
                logs.unexpected(exc)
                self._wait(_AFTER_A_FAULT_S)
            else:
                if not found:
                    self._wait(_LOOK_EVERY_S)

    def _wait(self, seconds: float) -> None:
        # Of random length, so that processes and threads do not all look at once.
        patience = seconds * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        with self._rung:
            self._rung.wait_for(lambda: self._rings or self._closing, patience)
            self._rings = max(0, self._rings - 1)
