"""Sends what is due, on a thread of its own: several receivers at once, none of them for ever."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from apps.api_cpu import logs
from apps.api_cpu.webhooks.hosts import Hosts
from apps.api_cpu.webhooks.schedule import pause_s
from apps.api_cpu.webhooks.sender import TOTAL_S, Problem, Sender, Sent
from apps.api_cpu.webhooks.signing import SigningSecrets, signed_headers
from apps.api_cpu.webhooks.store import Delivery, DeliveryStore, Outcome, State, Waiting
from apps.api_cpu.wire import dump
from apps.tracing.tracer import NoTracer, Tracer
from lib.domain.tracing import Attributes, SpanKind
from lib.errors import Error, Kind

LARGEST_PAYLOAD = 64 * 1024
"""In bytes; a result that would make a webhook larger is left out and named by `result_rel`."""

_AT_ONCE = 32
_CLAIMED_AT_ONCE = 4
# Longer than an attempt and what is written before and after it.
_LEASE_S = TOTAL_S + 30.0
_LOOK_EVERY_S = 1.0
_COUNT_EVERY_S = 5.0
_GONE = 410

ShownJob = Callable[[str], Mapping[str, Any] | None]
"""A job as `GET /v1/jobs/{job_id}` shows it; None when there is none. Raises `Error`."""


class Deliverer:
    """A loop over the table of deliveries. Several, in several servers, share the work.

    `attempts` counts those of this process by `delivered` or their problem; `waiting` is what the
    table said lately.
    """

    def __init__(
        self,
        store: DeliveryStore,
        sender: Sender,
        secrets: SigningSecrets,
        shown_job: ShownJob,
        clock: Callable[[], float] = time.time,
        tracer: Tracer | None = None,
    ) -> None:
        self._store = store
        self._tracer = tracer or NoTracer()
        self._sender = sender
        self._secrets = secrets
        self._shown_job = shown_job
        self._clock = clock
        self.attempts: Counter[str] = Counter()
        self.waiting = Waiting()
        self._counted_at = float("-inf")
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()
        self._hosts = Hosts()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def ring(self) -> None:
        """Something may be due: look now. May be called from any thread."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it was closed: nothing is sent any more
                loop.call_soon_threadsafe(self._rung.set)

    def stop(self) -> None:
        """End it. An attempt under way is given up and made again when its lease is over."""
        self._stopping.set()
        self.ring()
        self._thread.join(timeout=5)

    async def send_due(self) -> int:
        """Send everything that is due now, and wait for all of it; how much that was."""
        running: set[asyncio.Task[None]] = set()
        sent = 0
        while begun := await self._begin(running):
            sent += begun
            await asyncio.gather(*running)
        return sent

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        running: set[asyncio.Task[None]] = set()
        while not self._stopping.is_set():
            self._rung.clear()
            try:
                begun = await self._begin(running)
                await self._count()
            except Error as error:
                logs.warning("webhooks could not be looked up", code=error.code)
                begun = 0
            except Exception as exc:  # noqa: BLE001 a loop: what fails now must not end it
                logs.unexpected(exc)
                begun = 0
            if not begun:
                try:
                    async with asyncio.timeout(_LOOK_EVERY_S * random.uniform(0.5, 1.5)):  # noqa: S311
                        await self._rung.wait()
                except TimeoutError:
                    continue
        for task in running:
            task.cancel()

    async def _begin(self, running: set[asyncio.Task[None]]) -> int:
        room = _AT_ONCE - len(running)
        if room <= 0:
            return 0
        now = self._clock()
        claimed = await asyncio.to_thread(
            self._store.claim, now, now + _LEASE_S, min(room, _CLAIMED_AT_ONCE), self._hosts.busy
        )
        for delivery in claimed:
            self._hosts.begun(delivery.host)
            task = asyncio.create_task(self._deliver(delivery))
            running.add(task)

            def ended(task: asyncio.Task[None], host: str = delivery.host) -> None:
                running.discard(task)
                self._hosts.ended(host)
                self._rung.set()

            task.add_done_callback(ended)
        return len(claimed)

    async def _count(self) -> None:
        now = time.monotonic()
        if now - self._counted_at >= _COUNT_EVERY_S:
            self._counted_at = now
            self.waiting = await asyncio.to_thread(self._store.waiting)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            sent = await self._traced(delivery)
        except Error as error:
            # Ours is the fault: the store or the database is away, and the webhook waits.
            logs.warning("a webhook was not sent", job_id=delivery.job_id, code=error.code)
            sent = Sent(Problem.INTERNAL)
        except Exception as exc:  # noqa: BLE001 a loop: one webhook must not end the others
            logs.unexpected(exc, job_id=delivery.job_id)
            sent = Sent(Problem.INTERNAL)
        self.attempts["delivered" if sent.problem is None else sent.problem.value] += 1
        self._hosts.told(delivery.host, sent.problem)
        outcome = self._judged(delivery, sent)
        try:
            await asyncio.to_thread(self._store.record, delivery, outcome)
        except Error as error:
            logs.warning("a webhook's attempt was not recorded", code=error.code)
        logs.info(
            "webhook",
            delivery_id=delivery.delivery_id,
            job_id=delivery.job_id,
            key_id=delivery.owner_key_id,
            host=delivery.host,
            state=outcome.state,
            attempt=delivery.attempts,
            status=sent.status,
            problem=sent.problem,
        )

    async def _traced(self, delivery: Delivery) -> Sent:
        carrier = delivery.trace or {}
        with self._tracer.span("POST", SpanKind.CLIENT, carrier, _attributes(delivery)) as span:
            sent = await self._attempt(delivery, span.carrier)
            span.note({"http.response.status_code": sent.status})
            if sent.problem is not None:
                span.fail(sent.problem.value)
        return sent

    async def _attempt(self, delivery: Delivery, trace: Mapping[str, str]) -> Sent:
        payload = await asyncio.to_thread(self._payload, delivery)
        if payload is None:
            return Sent(Problem.JOB_GONE)
        now = self._clock()
        version = await asyncio.to_thread(self._store.secret_version, delivery.owner_key_id)
        secrets = [
            self._secrets.secret(delivery.owner_key_id, number) for number in version.in_use(now)
        ]
        headers = signed_headers(secrets, delivery.delivery_id, now, payload)
        return await self._sender.send(delivery.url, {**trace, **headers}, payload)

    def _payload(self, delivery: Delivery) -> bytes | None:
        """The body: the same in each attempt, since a job that has ended changes no more.

        It is made anew each time, not stored: what is erased meanwhile is not told any more.
        """
        try:
            job = self._shown_job(delivery.job_id)
        except Error as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            job = None
        if job is None:
            return None
        payload = dump({"event": delivery.event, "job": job})
        if len(payload) > LARGEST_PAYLOAD:
            payload = dump({"event": delivery.event, "job": {**job, "result": None}})
        return payload

    def _judged(self, delivery: Delivery, sent: Sent) -> Outcome:
        now = self._clock()
        if sent.problem is None:
            return Outcome(State.DELIVERED, now, None, sent.status)
        pause = pause_s(delivery.failed + 1, random.random(), sent.retry_after_s)  # noqa: S311
        is_last = now + pause > delivery.expires_at
        if is_last or sent.status == _GONE or sent.problem is Problem.JOB_GONE:
            return Outcome(State.UNDELIVERED, now, sent.problem, sent.status)
        return Outcome(State.PENDING, now, sent.problem, sent.status, now + pause)


def _attributes(delivery: Delivery) -> Attributes:
    """What a trace says of an attempt: the host, since the rest of the URL may be a secret."""
    before = delivery.attempts - 1
    return {
        "http.request.method": "POST",
        "http.request.resend_count": before or None,
        "server.address": delivery.host,
        "ocr.webhook.id": delivery.delivery_id,
        "ocr.webhook.event": delivery.event,
        "ocr.job.id": delivery.job_id,
        "ocr.key.id": delivery.owner_key_id,
    }
