"""Threads of this process that take items one by one, and a condition as their doorbell.

Of the threads without work one is the lookout: it looks at the table again and again, since other
processes submit to it too, and items wait there for their time. The others sleep until they are
rung for. Who takes an item sees to it that somebody looks whether there is another one: so nobody
waits behind a long document, and threads cost nothing while there is nothing to do.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from apps.api_cpu import logs
from lib.errors import Error

_LOOK_EVERY_S = 1.0
_AFTER_A_FAULT_S = 2.0
# What was told to stop gets a moment to say so, before it is handed back for it.
_LAST_MOMENT_S = 2.0


class ItemRunner(Protocol):
    """Works on one item at a time in each thread that asks it to."""

    def run_next(self, taken: Callable[[], None] = lambda: None) -> bool:
        """Take an item and bring it to an end; False when there is none.

        `taken` is called in between.
        """
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

    def __init__(
        self, runner: ItemRunner, threads: int, look_every_s: float = _LOOK_EVERY_S
    ) -> None:
        """No `threads`: this process only accepts jobs, and others work on them."""
        self._runner = runner
        self._look_every_s = look_every_s
        self._rung = threading.Condition()
        self._rings = 0
        self._sleeping = 0
        self._has_lookout = False
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"job-{number}", daemon=True)
            for number in range(threads)
        ]

    @property
    def sleeping(self) -> int:
        """How many threads have nothing to do."""
        return self._sleeping

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
                found = self._runner.run_next(self._look_for_another)
            except Error as error:
                logs.warning("no job could be taken", code=error.code)
                self._wait(_AFTER_A_FAULT_S)
            except Exception as exc:  # noqa: BLE001 - one item's fault must not end the thread
                logs.unexpected(exc)
                self._wait(_AFTER_A_FAULT_S)
            else:
                if not found:
                    self._wait(self._look_every_s)

    def _look_for_another(self) -> None:
        """Wake a thread, unless the lookout will see what else there is."""
        with self._rung:
            if self._sleeping and not self._has_lookout:
                self._rings += 1
                self._rung.notify()

    def _wait(self, seconds: float) -> None:
        """Until a ring, or as the lookout for about so long."""
        with self._rung:
            patience: float | None = None
            if is_lookout := not self._has_lookout:
                # Of random length, so that the processes do not all look at once.
                patience = seconds * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
                self._has_lookout = True
            self._sleeping += 1
            self._rung.wait_for(lambda: self._rings or self._closing, patience)
            self._sleeping -= 1
            self._rings = max(0, self._rings - 1)
            if is_lookout:
                self._has_lookout = False
