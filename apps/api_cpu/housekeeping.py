"""What a server does now and then in the background: sweeping, purging, mending."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping

from apps.api_cpu import logs
from lib.errors import Error

_INTERVAL_S = 60.0
_STOPS_WITHIN_S = 5.0
# So that several servers on one database do not all come at the same moment.
_JITTER = 0.5

Duty = Callable[[], int]
"""Does one bounded batch; returns how much that was. Safe to do in several processes at once."""


class Housekeeping:
    """A thread that does every duty about once in an interval, batch after batch while there is
    something to do. A duty that fails is tried again the next time."""

    def __init__(self, duties: Mapping[str, Duty], interval_s: float = _INTERVAL_S) -> None:
        """`duties` by the name that the log calls them."""
        self._duties = dict(duties)
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin, after a first interval."""
        self._thread.start()

    def stop(self) -> None:
        """End it, after the batch in hand."""
        self._stop.set()
        self._thread.join(timeout=_STOPS_WITHIN_S)

    def once(self) -> None:
        """Do every duty now."""
        for name, duty in self._duties.items():
            self._do(name, duty)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s * random.uniform(1 - _JITTER, 1 + _JITTER)):  # noqa: S311
            self.once()

    def _do(self, name: str, duty: Duty) -> None:
        done = 0
        try:
            while not self._stop.is_set() and (batch := duty()):
                done += batch
        except Error as error:
            logs.warning("housekeeping failed", duty=name, code=error.code)
        except Exception as exc:  # noqa: BLE001  # a loop: what fails now must not end it
            logs.unexpected(exc, duty=name)
        if done:
            logs.info("housekeeping", duty=name, done=done)
