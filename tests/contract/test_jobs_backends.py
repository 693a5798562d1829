"""What every backend of jobs does with what waits, whatever becomes of its rings; real brokers."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from peers import Peer
from pydantic import SecretStr

from apps.api_cpu.jobs.backends.base import JobsBackend
from apps.api_cpu.jobs.backends.celery import CeleryBackend
from apps.api_cpu.jobs.backends.local import LocalBackend
from lib.errors import Error, Kind

_PATIENCE_S = 100.0
Make = Callable[[int], JobsBackend]
_BROKERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("redis", "rabbitmq")]


class Items:
    """A table of items in memory, and the runner on it."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._queued = 0
        self._running = 0
        self._gate: threading.Event | None = None
        self.done = 0
        self.most_at_once = 0
        self.faults: list[Exception] = []
        self.interrupted = threading.Event()
        self.heeds_interrupts = True
        self.handed_back = 0
        self.asked: list[int] = []

    def submit(self, count: int) -> None:
        with self._lock:
            self._queued += count

    def waiting(self) -> int:
        return self._queued

    def hold(self) -> threading.Event:
        """From now on items take until the event is set, or until they are interrupted."""
        self._gate = threading.Event()
        return self._gate

    def run_next(self, taken: Callable[[], None] = lambda: None) -> bool:
        with self._lock:
            self.asked.append(threading.get_ident())
            self._lock.notify_all()
            if self.faults:
                raise self.faults.pop()
            if not self._queued:
                return False
            self._queued -= 1
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
            self._lock.notify_all()
        taken()
        gate = self._gate
        while gate is not None and not gate.wait(0.01):
            if self.interrupted.is_set() and self.heeds_interrupts:
                break
        with self._lock:
            self._running -= 1
            self.done += 1
            self._lock.notify_all()
        return True

    def interrupt(self) -> None:
        self.interrupted.set()

    def hand_back(self) -> None:
        self.handed_back = self._running

    def wait_asked(self, times: int) -> None:
        """Until it was asked so often whether there is something."""
        with self._lock:
            assert self._lock.wait_for(lambda: len(self.asked) >= times, _PATIENCE_S)

    def wait_asked_by(self, threads: int) -> None:
        """Until so many threads have asked."""
        with self._lock:
            assert self._lock.wait_for(lambda: len(set(self.asked)) >= threads, _PATIENCE_S)

    def wait(self, *, done: int = 0, running: int = 0) -> None:
        """Until so many are done, or run."""
        with self._lock:
            assert self._lock.wait_for(
                lambda: self.done >= done and self._running >= running, _PATIENCE_S
            ), f"{self.done} done, {self._running} running, {self._queued} queued"


@pytest.fixture
def items() -> Items:
    return Items()


@pytest.fixture(params=["local", *_BROKERS])
def broker(request: pytest.FixtureRequest) -> Peer | None:
    """None for the local backend."""
    return None if request.param == "local" else request.getfixturevalue(request.param)


@pytest.fixture
def make(broker: Peer | None, items: Items) -> Iterator[Make]:
    """Builds started backends with that many threads, and stops them."""
    made: list[JobsBackend] = []

    def making(threads: int) -> JobsBackend:
        backend: JobsBackend = (
            LocalBackend(items, threads)
            if broker is None
            else CeleryBackend(SecretStr(broker.url), items, items.waiting, threads, 60.0)
        )
        backend.start()
        made.append(backend)
        return backend

    yield making
    for backend in made:
        backend.stop(1.0)


def test_what_is_rung_for_is_worked_on(make: Make, items: Items) -> None:
    backend = make(2)
    for count in (1, 1, 300):
        items.submit(count)
        backend.ring(count)
    items.wait(done=302)
    assert items.waiting() == 0


def test_as_many_run_at_once_as_there_are_threads(make: Make, items: Items) -> None:
    gate = items.hold()
    backend = make(3)
    items.submit(7)
    backend.ring(7)
    items.wait(running=3)
    gate.set()
    items.wait(done=7)
    assert items.most_at_once == 3


def test_what_was_there_before_and_what_nobody_rang_for_is_found(make: Make, items: Items) -> None:
    items.submit(2)
    make(1)
    items.wait(done=2)
    items.submit(2)
    items.wait(done=4)


@pytest.mark.parametrize(
    "fault", [RuntimeError("a text"), Error("storage_unavailable", Kind.UNAVAILABLE, "Away.")]
)
def test_a_fault_ends_no_worker(make: Make, items: Items, fault: Exception) -> None:
    items.faults = [fault] * 2
    items.submit(3)
    make(1).ring(3)
    items.wait(done=3)


def test_nothing_is_taken_after_the_close_and_what_runs_is_finished(
    make: Make, items: Items
) -> None:
    gate = items.hold()
    backend = make(1)
    items.submit(5)
    backend.ring(5)
    items.wait(running=1)
    backend.close()
    threading.Timer(0.1, gate.set).start()
    backend.stop(_PATIENCE_S)
    assert (items.done, items.waiting()) == (1, 4)
    assert not items.interrupted.is_set()
    assert not items.handed_back


def test_what_takes_longer_than_the_grace_is_interrupted(make: Make, items: Items) -> None:
    items.hold()
    backend = make(1)
    items.submit(2)
    backend.ring(2)
    items.wait(running=1)
    backend.stop(0.1)
    assert items.interrupted.is_set()
    assert (items.done, items.waiting(), items.handed_back) == (1, 1, 0)


def test_what_does_not_heed_that_is_handed_back(make: Make, items: Items) -> None:
    gate = items.hold()
    items.heeds_interrupts = False
    backend = make(1)
    items.submit(1)
    backend.ring(1)
    items.wait(running=1)
    backend.stop(0.0)
    assert items.handed_back == 1
    gate.set()


def test_without_threads_it_only_rings(make: Make, items: Items) -> None:
    backend = make(0)
    items.submit(1)
    backend.ring(1)
    backend.stop(0.0)
    assert items.done == 0


def test_of_idle_threads_only_one_looks(items: Items) -> None:
    backend = LocalBackend(items, 8, look_every_s=0.001)
    backend.start()
    items.wait_asked_by(8)
    begun = len(items.asked)
    items.wait_asked(begun + 200)
    backend.stop(1.0)
    looks = items.asked[begun : begun + 200]
    # A thread that has just found nothing may yet take over; eight in turn would change each time.
    assert sum(one != other for one, other in pairwise(looks)) < 50


def test_what_nobody_rang_for_is_found_behind_long_items(items: Items) -> None:
    gate = items.hold()
    backend = LocalBackend(items, 3, look_every_s=0.01)
    backend.start()
    for running in (1, 2, 3):
        items.submit(1)
        items.wait(running=running)
    gate.set()
    items.wait(done=3)
    backend.stop(1.0)


def test_who_takes_one_of_many_that_nobody_rang_for_wakes_the_next(items: Items) -> None:
    gate = items.hold()
    backend = LocalBackend(items, 4, look_every_s=3600)
    backend.start()
    # All of them asleep, not only on their way: who takes the ring then is the one that looks out.
    end = time.monotonic() + _PATIENCE_S
    while backend.sleeping < 4:
        assert time.monotonic() < end
        time.sleep(0.001)
    items.submit(4)
    backend.ring(1)
    items.wait(running=4)
    gate.set()
    items.wait(done=4)
    backend.stop(1.0)


def _killed_and_started_again(broker: Peer) -> None:
    broker.kill()
    broker.start()


def _paused(broker: Peer) -> None:
    broker.signal(signal.SIGSTOP)
    # Longer than a publish may take, so that it fails and is made up for.
    threading.Event().wait(7.0)
    broker.signal(signal.SIGCONT)


@pytest.mark.parametrize("name", _BROKERS)
@pytest.mark.parametrize("what", [_killed_and_started_again, _paused, Peer.forget])
def test_a_ring_is_made_up_for_when_the_broker_failed(
    request: pytest.FixtureRequest, items: Items, name: str, what: Callable[[Peer], Any]
) -> None:
    broker: Peer = request.getfixturevalue(name)
    server = CeleryBackend(SecretStr(broker.url), items, items.waiting, 0, 60.0)
    worker = CeleryBackend(SecretStr(broker.url), items, items.waiting, 2, 60.0)
    server.start()
    worker.start()
    try:
        items.submit(1)
        server.ring(1)
        items.wait(done=1)
        thread = threading.Thread(target=what, args=(broker,))
        thread.start()
        items.submit(4)
        server.ring(4)
        thread.join()
        items.wait(done=5)
    finally:
        server.stop(1.0)
        worker.stop(1.0)


@pytest.mark.parametrize("name", _BROKERS)
def test_a_worker_whose_acknowledgements_got_lost_hears_the_broker_again(
    request: pytest.FixtureRequest, items: Items, name: str
) -> None:
    """It has as many messages as threads, so it asks for no more and does not see the broker go."""
    broker: Peer = request.getfixturevalue(name)
    gate = items.hold()
    worker = CeleryBackend(SecretStr(broker.url), items, items.waiting, 2, 60.0)
    worker.start()
    try:
        items.submit(1)
        items.wait(running=1)
        items.submit(1)
        items.wait(running=2)
        broker.kill()
        gate.set()
        items.wait(done=2)
        time.sleep(1.0)  # for the acknowledgements to fail
        broker.start()
        items.submit(4)
        items.wait(done=6)
    finally:
        worker.stop(1.0)


@pytest.mark.parametrize("name", _BROKERS)
def test_no_request_waits_for_a_broker(
    request: pytest.FixtureRequest, items: Items, name: str
) -> None:
    broker: Peer = request.getfixturevalue(name)
    server = CeleryBackend(SecretStr(broker.url), items, items.waiting, 0, 60.0)
    server.start()
    broker.signal(signal.SIGSTOP)
    try:
        # Each would wait for seconds.
        items.submit(100)
        ringing = threading.Thread(target=lambda: [server.ring(1) for _ in range(100)], daemon=True)
        ringing.start()
        ringing.join(_PATIENCE_S)
        assert not ringing.is_alive()
    finally:
        broker.signal(signal.SIGCONT)
        server.stop(1.0)


@pytest.mark.slow
def test_a_worker_that_starts_before_its_broker_waits_for_it(items: Items, redis: Peer) -> None:
    redis.kill()
    worker = CeleryBackend(SecretStr(redis.url), items, items.waiting, 1, 60.0)
    worker.start()
    items.submit(1)
    redis.start()
    items.wait(done=1)
    worker.stop(1.0)


@pytest.mark.slow
def test_a_bell_that_leaves_a_broker_keeps_its_hands_off_all_other_sockets(
    items: Items, redis: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads that set the process's timeout for new sockets and set it back as they found it
    can leave it set for ever.
    """
    setters: list[str] = []
    monkeypatch.setattr(
        socket, "setdefaulttimeout", lambda _: setters.append(threading.current_thread().name)
    )
    looks = threading.Semaphore(0)

    def waiting() -> int:
        looks.release()
        return 1

    def look_thrice() -> None:
        for _ in range(3):
            server.ring(1)
            assert looks.acquire(timeout=_PATIENCE_S)

    server = CeleryBackend(SecretStr(redis.url), items, waiting, 0, 60.0)
    server.start()
    look_thrice()
    redis.kill()
    look_thrice()
    redis.start()
    server.stop(1.0)
    assert "job-bell" not in setters
