"""What a dialect is, and how every dialect's calls are noted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from lib.domain.cancellation import Canceled
from lib.domain.model_calls import ModelCall
from lib.domain.task import FieldSpec
from lib.errors import Error, Kind
from lib.inference.client import ChatAnswer, TiltAnswers
from lib.kie.models.card import ModelCard
from lib.kie.models.said import ModelAnswer
from lib.kie.models.sight import Sight, View

_Answer = TypeVar("_Answer", ChatAnswer, TiltAnswers)


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

    def put(self, call: Callable[[], _Answer], sight: Sight) -> tuple[_Answer, ModelCall]:
        """The answer of `call` and the record of it, which the caller adds to the journal.

        A call that raises is added here, with its error.
        """
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
