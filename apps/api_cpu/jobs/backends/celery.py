"""Celery as the doorbell between hosts: a message says that there is something to do, and no more.

What is to be done, by whom, and what came of it is in the table. So a message may be lost, or come
twice: a background thread of every process sees to it that as many lie in the queue as items wait.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.utils.threads import bound_open_broker_sockets
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer
from kombu.entity import Exchange, Queue
from pydantic import SecretStr

from apps.api_cpu import logs
from apps.api_cpu.jobs.backends.local import ItemRunner
from lib.errors import Error

QUEUE = "ocr-items"
_TASK = "ocr.work_on_items"
# More awake workers than this are woken in several rounds.
_MOST_MESSAGES = 64
_LOOK_EVERY_S = 2.0
_AFTER_A_FAULT_S = 2.0
_ASK_EVERY_S = 1.0
# A worker that has been awake for so long lets the broker wake the next one, itself perhaps.
_LONGEST_TURN_S = 30.0
_CONNECT_S, _SOCKET_S, _HEARTBEAT_S = 4.0, 5.0, 10
# What is unacknowledged for longer comes again (Redis): thrice the longest that one may take.
_VISIBILITY_FACTOR, _BESIDE_READING_S = 3, 30.0
# What was told to stop gets a moment to say so, before it is handed back for it.
_LAST_MOMENT_S = 2.0
_LEAVING_S = 5.0
# Messages that lie for so long while a thread has nothing to do are not heard any more.
_DEAF_AFTER_S = 10.0
# Celery says to whoever listens that it should stop by a variable of the process.
_ONE_LISTENER = threading.Lock()


class CeleryBackend:
    """`JobsBackend` whose items are worked on wherever a process of ours hears the broker.

    Nothing here waits for the broker: a broker that is away is asked again in the background.
    """

    name = "celery"

    def __init__(
        self,
        broker_url: SecretStr,
        runner: ItemRunner,
        waiting: Callable[[], int],
        threads: int,
        deadline_s: float,
    ) -> None:
        """`waiting` counts the items that nobody works on; raises `Error` where it cannot.

        No `threads`: this process only rings, and others work. `deadline_s` is one document's.
        """
        self._runner = runner
        self._waiting = waiting
        self._rung = threading.Event()
        self._closing = False
        self._busy = 0
        self._turns = 0
        self._idle = threading.Condition()
        self._app = _app(broker_url, _VISIBILITY_FACTOR * (deadline_s + _BESIDE_READING_S))

        # Celery wraps no bound method.
        @self._app.task(name=_TASK, shared=False)  # type: ignore[untyped-decorator]
        def work_on_items() -> None:
            self._work()

        self._task = work_on_items
        self._ringer = threading.Thread(target=self._keep_ringing, name="job-bell", daemon=True)
        self._threads = threads
        self._listener = threading.Thread(target=self._listen, name="job-broker", daemon=True)

    def ring(self, count: int) -> None:
        """See `JobsBackend.ring`: the background thread counts what waits, and rings for it."""
        if count:
            self._rung.set()

    def start(self) -> None:
        """See `JobsBackend.start`."""
        _quiet()
        self._ringer.start()
        if self._threads:
            self._listener.start()

    def close(self) -> None:
        """See `JobsBackend.close`."""
        self._closing = True
        if self._listener.ident is not None:
            # Celery looks at this in every round of its loop: a warm shutdown.
            state.should_stop = 0
        self._rung.set()

    def stop(self, grace_s: float) -> None:
        """See `JobsBackend.stop`."""
        self.close()
        if not self._is_idle_within(grace_s):
            self._runner.interrupt()
            if not self._is_idle_within(_LAST_MOMENT_S):
                self._runner.hand_back()
        for thread in (self._listener, self._ringer):
            if thread.ident is not None:
                thread.join(_LEAVING_S)

    def _is_idle_within(self, seconds: float) -> bool:
        with self._idle:
            return self._idle.wait_for(lambda: not self._busy, seconds)

    # What a worker does

    def _listen(self) -> None:
        """Hear the broker until `close`; one that is away is waited for."""
        with _ONE_LISTENER:
            # The pool's threads look for the task in the process's default app.
            self._app.set_default()
            self._keep_listening()

    def _keep_listening(self) -> None:
        while True:
            # In this order: `close` does it the other way round.
            state.should_stop = None
            if self._closing:
                return
            try:
                worker = WorkController(
                    app=self._app,
                    pool_cls="threads",
                    consumer_cls=_Consumer,
                    concurrency=self._threads,
                    without_mingle=True,
                    without_gossip=True,
                    without_heartbeat=True,
                )
                worker.start()
            except Exception as exc:  # noqa: BLE001 - whatever ended it, the items still wait
                logs.unexpected(exc)
            if not self._closing:
                time.sleep(_AFTER_A_FAULT_S)

    def _work(self) -> None:
        """The task: work on items until there are none, or for a turn."""
        end = time.monotonic() + _LONGEST_TURN_S
        with self._idle:
            self._busy += 1
            self._turns += 1
        try:
            while not self._closing and self._runner.run_next():
                if time.monotonic() > end:
                    self._rung.set()
                    return
        except Error as error:
            logs.warning("no job could be taken", code=error.code)
        except Exception as exc:  # noqa: BLE001 - one item's fault must not end the worker
            logs.unexpected(exc)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    # The bell

    def _keep_ringing(self) -> None:
        bell = _Bell(self._app, self._task)
        is_away = False
        ear = _Ear()
        while not self._closing:
            lying = 0
            try:
                lying = bell.lie(min(self._waiting(), _MOST_MESSAGES))
            except Error as error:
                logs.warning("the waiting items were not counted", code=error.code)
            except Exception as exc:  # noqa: BLE001 - drivers have errors of their own: it goes on
                bell.drop()
                if not is_away:
                    logs.warning("the broker is away", failure=type(_first_cause(exc)).__name__)
                is_away = True
            else:
                if is_away:
                    logs.info("the broker is back")
                is_away = False
            if ear.is_deaf(lying, self._threads - self._busy, self._turns):
                logs.warning("the broker is not heard any more")
                state.should_stop = 0  # the listening thread begins anew
            # Of random length, so that the processes do not all look at once.
            self._rung.wait(_LOOK_EVERY_S * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            self._rung.clear()
        bell.drop()


class _Ear:
    """Notices that messages lie which nobody takes, though threads have nothing to do.

    So it is where the last acknowledgements failed when the broker went away: with as many messages
    as it may have, Celery asks for none, and so does not see that its connection is broken.
    """

    def __init__(self) -> None:
        self._turns = 0
        self._heard_at = time.monotonic()

    def is_deaf(self, lying: int, idle: int, turns: int) -> bool:
        """Whether nothing has been heard for too long; said once each time.

        `lying` messages before others were added, `idle` threads, and `turns` taken so far.
        """
        now = time.monotonic()
        deaf = bool(lying) and idle > 0 and turns == self._turns
        if deaf and now - self._heard_at < _DEAF_AFTER_S:
            return False
        self._turns, self._heard_at = turns, now
        return deaf


class _Consumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Asks a broker that is away every second, where Celery asks ever more seldom."""

    def ensure_connected(self, conn: Any) -> Any:
        """Wait until it answers, or until this process is to end."""
        return conn.ensure_connection(
            max_retries=None,
            interval_start=_ASK_EVERY_S,
            interval_step=0,
            callback=state.maybe_shutdown,
        )


class _Bell:
    """One connection to the broker for publishing; made when it is needed. For one thread."""

    def __init__(self, app: Celery, task: Any) -> None:
        self._app = app
        self._task = task
        self._connection: Any = None

    def lie(self, wanted: int) -> int:
        """See to it that so many messages lie in the queue; how many there were already.

        Raises whatever the driver raises.
        """
        if not wanted:
            return 0
        if self._connection is None:
            self._connection = self._app.connection_for_write()
        channel = self._connection.default_channel
        _, lying, _ = self._app.conf.task_queues[0].bind(channel).queue_declare()
        with self._app.amqp.Producer(channel, auto_declare=False) as producer:
            for _ in range(wanted - lying):
                self._task.apply_async(
                    producer=producer, retry=False, timeout=_SOCKET_S, confirm_timeout=_SOCKET_S
                )
        return int(lying)

    def drop(self) -> None:
        """Forget the connection; the next message makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # A broker that does not answer is waited for no longer than this. Not by the timeout of
            # `Connection.collect`, which is set for all of the process: when the listening thread
            # leaves the broker at the same time, either's could stay.
            bound_open_broker_sockets(connection, _AFTER_A_FAULT_S)
            with contextlib.suppress(Exception):
                connection.close()


def _first_cause(exc: BaseException) -> BaseException:
    """What a driver met, and not what it was wrapped in on its way here."""
    while exc.__cause__ is not None:
        exc = exc.__cause__
    return exc


def _app(broker_url: SecretStr, visibility_s: float) -> Celery:
    """The settings, each for a loss that was seen without it: docs/operations.md."""
    app = Celery("ocr", set_as_current=False, broker=broker_url.get_secret_value())
    is_redis = broker_url.get_secret_value().startswith("redis")
    app.conf.update(
        task_queues=[
            Queue(  # type: ignore[no-untyped-call]
                QUEUE,
                Exchange(QUEUE, type="topic"),  # type: ignore[no-untyped-call]
                routing_key=QUEUE,
                queue_arguments=None if is_redis else {"x-queue-type": "quorum"},
            )
        ],
        task_default_queue=QUEUE,
        task_default_exchange=QUEUE,
        task_default_routing_key=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=_CONNECT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=_HEARTBEAT_S,
        broker_transport_options=_redis_options(visibility_s) if is_redis else _AMQP_OPTIONS,
    )
    return app


_AMQP_OPTIONS: dict[str, Any] = {
    "confirm_publish": True,
    "read_timeout": _SOCKET_S,
    "write_timeout": _SOCKET_S,
}


def _redis_options(visibility_s: float) -> dict[str, Any]:
    return {
        "visibility_timeout": visibility_s,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": _SOCKET_S,
        "socket_connect_timeout": _CONNECT_S,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }


def _quiet() -> None:
    """Celery narrates its start and every message; what matters of that is said here."""
    for name in ("celery", "kombu", "amqp"):
        logging.getLogger(name).setLevel(logging.WARNING)
