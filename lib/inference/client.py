"""What an inference client is: what is asked of it, what comes back, what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.domain.tracing import NO_SPAN, Span
from lib.inference.wire import AnswersRequest, ChatRequest, FinishReason, QuestionAnswer, score


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the model's text and its natural log-probability.

    The pieces joined begin with the text; the model's end mark may follow. Of a character split
    over several, the last has it and the others are empty. With a grammar the probabilities are
    those of the allowed tokens only: optimistic, and not comparable with free text.
    """

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Call:
    """What a call took: the attempts that failed before the good one (why, in
    `lib.inference.failures.Cause`'s words), seconds with all of them, and the model's tokens.
    """

    failed_attempts: tuple[str, ...]
    seconds: float
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A model's answer to a chat request.

    `text` is untrusted: `stop` promises neither valid JSON nor the schema; `length` means that it
    was cut. `tokens` is empty unless log-probabilities were asked for. `model` as the server says.
    """

    text: str
    finish_reason: FinishReason
    model: str
    call: Call
    tokens: tuple[Token, ...] = ()

    @property
    def score(self) -> float | None:
        """exp(least log-probability) in 0..1; None without `tokens`."""
        return score(tuple(token.logprob for token in self.tokens))


@dataclass(frozen=True, slots=True)
class TiltAnswers:
    """A model's answers to questions about a document, in the questions' order."""

    answers: tuple[QuestionAnswer, ...]
    model: str
    call: Call


class Circuit(StrEnum):
    """Whether an upstream is asked: yes, no, or once to see whether it is back."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """One inference server as the client sees it. For operators: an address is not for callers.

    `ready` is None before the first probe. `models` are those that it named at the last probe.
    Counts are since the client knows the address. `is_back`: it was away, is in good health again,
    and was not asked since.
    """

    address: str
    circuit: Circuit
    ready: bool | None
    models: tuple[str, ...]
    outstanding: int
    requests: int
    failures: int
    is_back: bool = False

    @property
    def is_well(self) -> bool:
        """Whether an answer can be expected. One that is back is believed before it is asked, or
        who asks only those that are ready would never ask it.
        """
        return bool(self.ready) and (self.circuit is Circuit.CLOSED or self.is_back)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The client's state and counts since its start, for health and metrics.

    `errors` counts the calls that failed by error code, `retries` the attempts after the first by
    what made them necessary. `addresses_stale`: the list of addresses could not be read again.
    """

    upstreams: tuple[UpstreamState, ...]
    calls: int
    errors: dict[str, int]
    retries: dict[str, int]
    retries_refused: int
    canceled: int
    prompt_tokens: int
    completion_tokens: int
    addresses_stale: bool

    @property
    def ready(self) -> bool:
        """Whether some upstream can be expected to answer."""
        return any(up.is_well for up in self.upstreams)


class InferenceClient(Protocol):
    """Asks inference servers, from any thread, and waits for the answer.

    Every method raises `Error`: `inference_unavailable` (nobody could answer; `details` has
    `retry_after_s`), `inference_timeout` (past the deadline or a time-out),
    `inference_bad_output` (an answer, but not one of the protocol; or a request that the model
    refuses, then `details["reason"]` says why), and `Canceled` once `cancellation` is set: the
    connection is closed then, which makes vLLM give the request up. Retries, the choice between
    servers and the circuit breaker are the client's own; the caller asks once.
    """

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
        """The answer to a chat request. `request_id` goes along as `X-Request-Id`; each attempt is
        a part of `span`, and goes along as `traceparent`. `meanwhile` is called in this thread once
        the request is on its way, or could not be sent; what it raises gives the request up, and
        while it works a `cancellation` has to wait.
        """
        ...

    def answers(
        self,
        request: AnswersRequest,
        deadline: Deadline,
        *,
        cancellation: Cancellation | None = None,
        request_id: str | None = None,
        span: Span = NO_SPAN,
    ) -> TiltAnswers:
        """The answers of a TILT server to questions about one document."""
        ...

    def probe(self, deadline: Deadline) -> Snapshot:
        """Ask every server now whether it is ready, and with which models."""
        ...

    def snapshot(self) -> Snapshot:
        """The state as of the last background probe; never waits."""
        ...

    def close(self) -> None:
        """End calls that are under way and close every connection."""
        ...
