"""Calls to a remote store: at most so many at once, repeated with backoff, over at a deadline."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import store_unavailable

T = TypeVar("T")

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0


class MayPass(Exception):
    """A call failed in a way that the next one may not; the text is safe to log."""


class BoundedCalls:
    """Runs each call in a thread of its own and stops waiting at its deadline.

    The time-outs of socket libraries bound each read; a peer that drips bytes is never late. A
    call that is given up keeps its place until it ends, so that there are never more than `most`,
    and its thread is a daemon, so that it does not hold the program's exit.
    """

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)

    def repeated(self, what: str, call: Callable[[], T], within_s: float) -> T:
        """The result of `call()`, called again with full jitter while it raises `MayPass`.

        Raises `storage_unavailable` when no time is left; what else `call` raises.
        """
        ends = time.monotonic() + within_s
        pause, attempts = _FIRST_PAUSE_S, 0
        while True:
            attempts += 1
            try:
                return self.run(call, ends - time.monotonic())
            except MayPass as failure:
                reason = str(failure)
            except TimeoutError:
                reason = "no answer in time"
            wait = random.uniform(0, pause)  # noqa: S311  # not for a secret
            if time.monotonic() + wait >= ends:
                logs.warning("object store", call=what, reason=reason, attempts=attempts)
                raise store_unavailable()
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def run(self, call: Callable[[], T], within_s: float) -> T:
        """The result of `call()`, or what it raised; `TimeoutError` after `within_s` seconds."""
        ends = time.monotonic() + within_s
        if not self._places.acquire(timeout=max(0.0, within_s)):
            raise TimeoutError
        outcome: _Outcome[T] = _Outcome()

        def work() -> None:
            try:
                outcome.result = call()
            except BaseException as exc:  # noqa: BLE001  # raised again by who waits
                outcome.error = exc
            finally:
                self._places.release()
                outcome.done.set()

        try:
            threading.Thread(target=work, name="object-store", daemon=True).start()
        except RuntimeError:  # the system has no thread left
            self._places.release()
            raise MayPass("no thread") from None
        if not outcome.done.wait(max(0.0, ends - time.monotonic())):
            raise TimeoutError
        if outcome.error is not None:
            raise outcome.error
        return outcome.result


class _Outcome(Generic[T]):
    result: T
    error: BaseException | None = None

    def __init__(self) -> None:
        self.done = threading.Event()
