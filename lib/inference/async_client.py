"""The inference client on an event loop: how often a call is tried, and what is counted."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import anyio

from lib.domain.deadline import Deadline
from lib.domain.tracing import NO_SPAN, Span, SpanKind
from lib.errors import Error
from lib.inference.addresses import AddressBook
from lib.inference.breaker import BreakerPolicy
from lib.inference.client import ChatAnswer, Snapshot, TiltAnswers
from lib.inference.exchange import Exchange, Timeouts
from lib.inference.failures import Again, Cause, Failure, out_of_time
from lib.inference.parsing import chat_answer, tilt_answers
from lib.inference.retry import RetryBudget, RetryPolicy
from lib.inference.secret import Secret
from lib.inference.upstreams import Upstream, Upstreams
from lib.inference.wire import ANSWERS_ROUTE, CHAT_ROUTE, AnswersRequest, ChatRequest

_Answer = TypeVar("_Answer", ChatAnswer, TiltAnswers)
_Reader = Callable[[bytes, tuple[str, ...], float], _Answer]

_PROBE_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a client asks.

    `max_connections` is for each server; an answer longer than `max_body_bytes` is refused. Servers
    are probed every `probe_every_s`, those that are not well every `probe_down_every_s`.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    max_connections: int = 64
    max_body_bytes: int = 16 << 20
    probe_every_s: float = 2.0
    probe_down_every_s: float = 0.5


@dataclass(slots=True)
class _Counts:
    calls: int = 0
    canceled: int = 0
    retries_refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Call:
    """One call on its way: what is sent, and the attempts that failed so far."""

    route: str
    body: bytes
    deadline: Deadline
    request_id: str | None
    span: Span
    causes: tuple[str, ...] = ()
    tried: list[Upstream] = field(default_factory=list)
    once_more: Upstream | None = None
    """The server whose connection was stale: it gets the request again, on a new one."""
    had_stale: bool = False


class AsyncInferenceClient:
    """`lib.inference.client.InferenceClient` as coroutines; to cancel one is to cancel the call.

    Belongs to one event loop, on which `keep_probing` has to run beside the calls.
    """

    def __init__(
        self,
        addresses: AddressBook,
        key: Secret,
        settings: ClientSettings,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._budget = RetryBudget(settings.retry, clock)
        self._addresses = addresses
        self._counts = _Counts()

        def connect(address: str) -> Exchange:
            return Exchange(
                address,
                key,
                settings.timeouts,
                settings.max_connections,
                settings.max_body_bytes,
            )

        self._upstreams = Upstreams(addresses, connect, settings.breaker, clock)

    async def complete(
        self,
        request: ChatRequest,
        deadline: Deadline,
        request_id: str | None = None,
        span: Span = NO_SPAN,
    ) -> ChatAnswer:
        """See `InferenceClient.complete`. Raises ValueError for a request to stream."""
        if request.stream:
            raise ValueError("this client does not stream")
        call = _Call(CHAT_ROUTE, request.to_json(), deadline, request_id, span)
        return await self._answered(call, chat_answer)

    async def answers(
        self,
        request: AnswersRequest,
        deadline: Deadline,
        request_id: str | None = None,
        span: Span = NO_SPAN,
    ) -> TiltAnswers:
        """See `InferenceClient.answers`."""
        call = _Call(ANSWERS_ROUTE, request.to_json(), deadline, request_id, span)
        return await self._answered(call, partial(tilt_answers, request))

    async def probe(self, deadline: Deadline) -> Snapshot:
        """See `InferenceClient.probe`."""
        await self._upstreams.probe(min(_PROBE_WITHIN_S, deadline.remaining()))
        return self.snapshot()

    async def keep_probing(self) -> None:
        """Probe the servers until cancelled."""
        full_at = self._clock()
        while True:
            full = self._clock() >= full_at
            if full:
                full_at = self._clock() + self._settings.probe_every_s
            await self._upstreams.probe(_PROBE_WITHIN_S, only_down=not full)
            await anyio.sleep(self._settings.probe_down_every_s)

    async def close(self) -> None:
        """Close every connection; calls under way fail."""
        await self._upstreams.close()

    def snapshot(self) -> Snapshot:
        """See `InferenceClient.snapshot`; may be called from any thread."""
        counts = self._counts
        return Snapshot(
            upstreams=self._upstreams.states(),
            calls=counts.calls,
            errors=dict(counts.errors),
            retries=dict(counts.retries),
            retries_refused=counts.retries_refused,
            canceled=counts.canceled,
            prompt_tokens=counts.prompt_tokens,
            completion_tokens=counts.completion_tokens,
            addresses_stale=self._addresses.stale,
        )

    async def _answered(self, call: _Call, read: _Reader[_Answer]) -> _Answer:
        """The whole of one call, within its deadline, counted."""
        self._counts.calls += 1
        self._budget.note_call()
        started = self._clock()
        try:
            with anyio.move_on_after(call.deadline.remaining()):
                answer = await self._tried(call, read, started)
                self._counts.prompt_tokens += answer.call.prompt_tokens
                self._counts.completion_tokens += answer.call.completion_tokens
                return answer
            raise out_of_time(call.causes)
        except Error as error:
            self._counts.errors[error.code] += 1
            raise
        except anyio.get_cancelled_exc_class():
            self._counts.canceled += 1
            raise

    async def _tried(self, call: _Call, read: _Reader[_Answer], started: float) -> _Answer:
        """Attempts until one is good. Raises `Error` when no other may be made."""
        last: Failure | None = None
        while True:
            fresh = call.once_more is not None
            try:
                upstream = call.once_more or self._upstreams.choose(call.tried)
            except Failure as failure:
                raise (last or failure).error(call.causes) from None
            call.tried.append(upstream)
            try:
                return await self._attempt(call, upstream, read, started, fresh=fresh)
            except Failure as failure:
                last = failure
            call.causes = (*call.causes, last.cause.value)
            pause_s = self._pause_s(call, upstream, last)
            self._counts.retries[last.cause.value] += 1
            await anyio.sleep(pause_s)

    async def _attempt(
        self,
        call: _Call,
        upstream: Upstream,
        read: _Reader[_Answer],
        started: float,
        *,
        fresh: bool,
    ) -> _Answer:
        """One attempt at one server. Raises `Failure`."""
        attributes = {
            **upstream.exchange.attributes(call.route),
            "http.request.resend_count": len(call.causes) or None,
        }
        with call.span.child("POST", SpanKind.CLIENT, attributes) as span:
            named = {} if call.request_id is None else {"X-Request-Id": call.request_id}
            try:
                with upstream.request():
                    body = await upstream.exchange.post(
                        call.route, call.body, {**named, **span.carrier}, fresh=fresh
                    )
                    answer = read(body, call.causes, self._clock() - started)
            except Failure as failure:
                span.note({"http.response.status_code": failure.status})
                span.fail(failure.cause.value)
                raise
            span.note(
                {
                    "http.response.status_code": HTTPStatus.OK.value,
                    "http.response.body.size": len(body),
                }
            )
            return answer

    def _pause_s(self, call: _Call, upstream: Upstream, failure: Failure) -> float:
        """Seconds before the next attempt. Raises `Error` when there is none."""
        retry = self._settings.retry
        call.once_more = None
        if failure.cause is Cause.STALE_CONNECTION and not call.had_stale:
            call.had_stale, call.once_more = True, upstream
            return 0.0
        elsewhere = self._upstreams.has_other(call.tried)
        if failure.cause is Cause.BUSY:
            upstream.busy_until = self._clock() + retry.clamped_s(failure.retry_after_s)
        failed = len(call.causes) - call.had_stale
        if (
            failure.again is Again.NEVER
            or (failure.again is Again.ELSEWHERE and not elsewhere)
            or failed >= retry.max_attempts
        ):
            raise failure.error(call.causes)
        asked_for_s = None if elsewhere else failure.retry_after_s
        pause_s = retry.pause_s(failed, self._chance(), asked_for_s)
        if pause_s >= call.deadline.remaining():
            raise failure.error(call.causes)
        if not self._budget.take():
            self._counts.retries_refused += 1
            raise failure.error(call.causes)
        return pause_s
