"""What a dialect is, and how every dialect's calls are noted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from lib.domain.cancellation import Canceled
from lib.domain.model_calls import ModelCall
from lib.domain.task import FieldSpec
from lib.domain.tracing import Attributes, Span, SpanKind
from lib.errors import Error, Kind
from lib.inference.client import ChatAnswer, TiltAnswers
from lib.kie.models.card import Dialect, ModelCard
from lib.kie.models.said import ModelAnswer
from lib.kie.models.sight import Sight, View

_Answer = TypeVar("_Answer", ChatAnswer, TiltAnswers)

# `gen_ai.operation.name`; of a question-answering model the conventions know nothing.
_OPERATIONS = {Dialect.CHAT: "chat", Dialect.TILT: "answer_questions"}


class Asker(Protocol):
    """Asks a model for fields in its dialect. Safe to share between threads."""

    def ask(
        self,
        fields: Sequence[FieldSpec],
        views: Sequence[View],
        language: str | None,
        model: str,
        sight: Sight,
    ) -> ModelAnswer:
        """What the served `model` says of these fields on these parts of the document.

        A table that the dialect does not ask for is missing from the answer's tables. Raises
        `inference_bad_output`, `inference_unavailable`, `inference_timeout`, `Canceled`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is noted of a call before it is made."""

    card: ModelCard
    model: str
    purpose: str
    prompt_sha256: str
    images: int

    def put(self, call: Callable[[Span], _Answer], sight: Sight) -> tuple[_Answer, ModelCall]:
        """The answer of `call` and the record of it, which the caller adds to the journal.

        `call` is given the span that its attempts are parts of. One that raises is added here, with
        its error.
        """
        operation = _OPERATIONS[self.card.dialect]
        # https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
        attributes: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "vllm",
            "gen_ai.request.model": self.model,
            "ocr.model.card": self.card.id,
            "ocr.model.purpose": self.purpose,
            "ocr.model.images": self.images,
        }
        name = f"{operation} {self.model}"
        with sight.asking.span.child(name, SpanKind.CLIENT, attributes) as span:
            answer, record = self._put(lambda: call(span), sight)
            reasons = [answer.finish_reason] if isinstance(answer, ChatAnswer) else None
            span.note(
                {
                    "gen_ai.response.model": record.model,
                    "gen_ai.response.finish_reasons": reasons,
                    "gen_ai.usage.input_tokens": record.prompt_tokens,
                    "gen_ai.usage.output_tokens": record.completion_tokens,
                }
            )
        return answer, record

    def _put(self, call: Callable[[], _Answer], sight: Sight) -> tuple[_Answer, ModelCall]:
        record = ModelCall(
            card=self.card.id,
            model=self.model,
            purpose=self.purpose,
            prompt_sha256=self.prompt_sha256,
            images=self.images,
            seconds=0.0,
        )
        started = time.monotonic()
        try:
            answer = call()
        except Canceled:
            spent = time.monotonic() - started
            sight.asking.journal.add(replace(record, seconds=spent, error="canceled"))
            raise
        except Error as error:
            spent = time.monotonic() - started
            failed = replace(
                record,
                seconds=spent,
                failed_attempts=tuple(error.details.get("attempts", ())),
                error=error.code,
                problem=str(error.details.get("reason", "")),
            )
            sight.asking.journal.add(failed)
            raise
        done = answer.call
        return answer, replace(
            record,
            seconds=time.monotonic() - started,
            failed_attempts=done.failed_attempts,
            prompt_tokens=done.prompt_tokens,
            completion_tokens=done.completion_tokens,
            model=answer.model or self.model,
        )


def bad_output(reason: str) -> Error:
    """502: the model answered, but not with what was asked, after the retries."""
    return Error(
        "inference_bad_output",
        Kind.BAD_UPSTREAM,
        "The model did not answer with what was asked.",
        {"reason": reason},
        retryable=True,
    )
