"""The inference client over HTTP: how often a call is tried, and what is counted."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from math import inf
from typing import TypeVar

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.domain.tracing import NO_SPAN, Span, SpanKind
from lib.errors import Error, Kind
from lib.inference.addresses import AddressBook
from lib.inference.breaker import BreakerPolicy
from lib.inference.client import ChatAnswer, Snapshot, TiltAnswers
from lib.inference.connection import Ended, Timeouts, Watch
from lib.inference.exchange import Exchange
from lib.inference.failures import Again, Cause, Failure, out_of_time
from lib.inference.parsing import chat_answer, tilt_answers
from lib.inference.retry import RetryBudget, RetryPolicy
from lib.inference.secret import Secret
from lib.inference.upstreams import NobodyToAsk, Upstream, Upstreams
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
    meanwhile: Callable[[], object] | None = None
    ended: Cancellation = field(default_factory=Cancellation)
    causes: tuple[str, ...] = ()
    failed: int = 0
    """Attempts that failed; a stale connection is a cause and no attempt."""
    tried: list[Upstream] = field(default_factory=list)

    def do_meanwhile(self) -> None:
        """What its caller does while others work: once, however often it is asked."""
        work, self.meanwhile = self.meanwhile, None
        if work is not None:
            work()


class HttpInferenceClient:
    """`InferenceClient` for any number of threads: each makes its own requests.

    Servers are probed in the background only within `with`, or from `start` on.
    """

    def __init__(
        self,
        addresses: AddressBook,
        key: Secret,
        settings: ClientSettings,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Opens no connection yet."""
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._addresses = addresses
        self._budget = RetryBudget(settings.retry, clock)
        self._counts = _Counts()
        self._lock = threading.Lock()
        self._under_way: set[Cancellation] = set()
        self._over = Cancellation()
        self._prober: threading.Thread | None = None

        def connect(address: str) -> Exchange:
            return Exchange(
                address,
                key,
                settings.timeouts,
                settings.max_connections,
                settings.max_body_bytes,
            )

        self._upstreams = Upstreams(addresses, connect, settings.breaker, clock)

    def __enter__(self) -> HttpInferenceClient:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def start(self) -> None:
        """Probe the servers from now on; a second time does nothing."""
        if self._prober is not None:
            return
        self._prober = threading.Thread(target=self._keep_probing, name="probes", daemon=True)
        self._prober.start()

    def complete(
        self,
        request: ChatRequest,
        deadline: Deadline,
        *,
        cancellation: Cancellation | None = None,
        request_id: str | None = None,
        span: Span = NO_SPAN,
        meanwhile: Callable[[], object] | None = None,
    ) -> ChatAnswer:
        """See `InferenceClient`. Raises ValueError for a request to stream."""
        if request.stream:
            raise ValueError("this client does not stream")
        call = _Call(CHAT_ROUTE, request.to_json(), deadline, request_id, span, meanwhile)
        return self._answered(call, chat_answer, cancellation or Cancellation())

    def answers(
        self,
        request: AnswersRequest,
        deadline: Deadline,
        *,
        cancellation: Cancellation | None = None,
        request_id: str | None = None,
        span: Span = NO_SPAN,
    ) -> TiltAnswers:
        """See `InferenceClient`."""
        call = _Call(ANSWERS_ROUTE, request.to_json(), deadline, request_id, span)
        return self._answered(call, partial(tilt_answers, request), cancellation or Cancellation())

    def probe(self, deadline: Deadline) -> Snapshot:
        """See `InferenceClient`."""
        try:
            self._probe(min(_PROBE_WITHIN_S, deadline.remaining()))
        except Ended:
            raise _closed() from None
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        """See `InferenceClient`."""
        with self._lock:
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

    def close(self) -> None:
        """See `InferenceClient`; a second time does nothing."""
        with self._lock:
            self._over.set()
            under_way = tuple(self._under_way)
        for ended in under_way:
            ended.set()
        if self._prober is not None:
            self._prober.join()
        self._upstreams.close()

    def _keep_probing(self) -> None:
        full_at = self._clock()
        while not self._over.is_set:
            full = self._clock() >= full_at
            if full:
                full_at = self._clock() + self._settings.probe_every_s
            # Ended: the client is closed. RuntimeError: no thread can be begun just now.
            with suppress(Ended, RuntimeError):
                self._probe(_PROBE_WITHIN_S, only_down=not full)
            self._over.wait(self._settings.probe_down_every_s)

    def _probe(self, within_s: float, *, only_down: bool = False) -> None:
        self._upstreams.probe(within_s, Watch(Deadline(inf), self._over), only_down=only_down)

    def _answered(self, call: _Call, read: _Reader[_Answer], cancellation: Cancellation) -> _Answer:
        """The whole of one call, within its deadline, counted."""
        cancellation.check()
        with self._lock:
            if self._over.is_set:
                raise _closed()
            self._under_way.add(call.ended)
            self._counts.calls += 1
            self._budget.note_call()
        try:
            with cancellation.calling(call.ended.set):
                answer = self._tried(call, read)
        except Failure as failure:
            raise self._counted(failure.error(call.causes)) from None
        except Ended:
            if not call.ended.is_set:
                raise self._counted(out_of_time(call.causes)) from None
            self._count_canceled()
            if cancellation.is_set:
                raise Canceled from None
            raise _closed() from None
        except BaseException:
            self._count_canceled()
            raise
        finally:
            with self._lock:
                self._under_way.discard(call.ended)
        with self._lock:
            self._counts.prompt_tokens += answer.call.prompt_tokens
            self._counts.completion_tokens += answer.call.completion_tokens
        return answer

    def _tried(self, call: _Call, read: _Reader[_Answer]) -> _Answer:
        """Attempts until one is good. Raises `Failure` when no other may be made, `Ended`."""
        started = self._clock()
        last: Failure | None = None
        while True:
            try:
                with self._upstreams.request(call.tried) as upstream:
                    call.tried.append(upstream)
                    answer = self._attempt(call, upstream, read, started)
            except NobodyToAsk as nobody:
                call.do_meanwhile()
                raise last or nobody from None
            except Failure as failure:
                last = failure
            else:
                call.do_meanwhile()  # the answer came before all was sent
                return answer
            call.failed += 1
            call.causes = (*call.causes, last.cause.value)
            call.do_meanwhile()
            pause_s = self._pause_s(call, last)
            self._count_retry(last.cause)
            if call.ended.wait(pause_s):
                raise Ended

    def _attempt(
        self, call: _Call, upstream: Upstream, read: _Reader[_Answer], started: float
    ) -> _Answer:
        """One attempt at one server. Raises `Failure`, `Ended`."""
        attributes = {
            **upstream.exchange.attributes(call.route),
            "http.request.resend_count": len(call.causes) or None,
        }
        with call.span.child("POST", SpanKind.CLIENT, attributes) as span:
            named = {} if call.request_id is None else {"X-Request-Id": call.request_id}
            watch = Watch(
                call.deadline, call.ended, call.do_meanwhile, partial(self._note_stale, call)
            )
            try:
                body = upstream.exchange.post(
                    call.route, call.body, {**named, **span.carrier}, watch
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

    def _pause_s(self, call: _Call, failure: Failure) -> float:
        """Seconds before the next attempt. Raises the failure when there is none."""
        retry = self._settings.retry
        elsewhere = self._upstreams.has_other(call.tried)
        if failure.cause is Cause.BUSY:
            call.tried[-1].busy_until = self._clock() + retry.clamped_s(failure.retry_after_s)
        if (
            failure.again is Again.NEVER
            or (failure.again is Again.ELSEWHERE and not elsewhere)
            or call.failed >= retry.max_attempts
        ):
            raise failure
        asked_for_s = None if elsewhere else failure.retry_after_s
        pause_s = retry.pause_s(call.failed, self._chance(), asked_for_s)
        if pause_s >= call.deadline.remaining():
            raise failure
        with self._lock:
            if not self._budget.take():
                self._counts.retries_refused += 1
                raise failure
        return pause_s

    def _note_stale(self, call: _Call) -> None:
        """The ordinary end of a connection that was kept: costs neither an attempt nor budget."""
        call.causes = (*call.causes, Cause.STALE_CONNECTION.value)
        self._count_retry(Cause.STALE_CONNECTION)

    def _count_retry(self, cause: Cause) -> None:
        with self._lock:
            self._counts.retries[cause.value] += 1

    def _count_canceled(self) -> None:
        with self._lock:
            self._counts.canceled += 1

    def _counted(self, error: Error) -> Error:
        with self._lock:
            self._counts.errors[error.code] += 1
        return error


def _closed() -> Error:
    return Error(
        "shutting_down", Kind.UNAVAILABLE, "The inference client is closed.", retryable=True
    )
