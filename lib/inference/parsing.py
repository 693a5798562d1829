"""Bodies of good answers to what the client hands out; anything else is not the protocol."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from lib.inference.client import Call, ChatAnswer, TiltAnswers, Token
from lib.inference.failures import Cause, Failure
from lib.inference.strict_json import parse
from lib.inference.wire import (
    AnswersRequest,
    AnswersResponse,
    ChatResponse,
    ModelList,
    Usage,
    Wire,
)

_Body = TypeVar("_Body", bound=Wire)


def chat_answer(body: bytes, attempts: tuple[str, ...], seconds: float) -> ChatAnswer:
    """The first choice. Raises `Failure` for a body that is no chat completion with a text."""
    response = _parsed(body, ChatResponse)
    choice = response.choices[0]
    if choice.message.content is None or choice.finish_reason is None:
        raise Failure(Cause.NOT_THE_PROTOCOL)
    if choice.finish_reason in ("abort", "error"):
        raise Failure(Cause.SERVER_ERROR)
    logged = choice.logprobs.content if choice.logprobs else None
    return ChatAnswer(
        text=choice.message.content,
        finish_reason=choice.finish_reason,
        model=response.model,
        call=_call(response.usage, attempts, seconds),
        tokens=tuple(Token(token.token, token.logprob) for token in logged or ()),
    )


def tilt_answers(
    request: AnswersRequest, body: bytes, attempts: tuple[str, ...], seconds: float
) -> TiltAnswers:
    """One answer for each question, in order. Raises `Failure` for anything else."""
    response = _parsed(body, AnswersResponse)
    answered = [answer.name for answer in response.answers]
    if answered != [question.name for question in request.questions]:
        raise Failure(Cause.NOT_THE_PROTOCOL)
    return TiltAnswers(
        answers=response.answers,
        model=response.model,
        call=_call(response.usage, attempts, seconds),
    )


def model_names(body: bytes) -> tuple[str, ...]:
    """The models of a `GET /v1/models`. Raises `Failure`."""
    return tuple(entry.id for entry in _parsed(body, ModelList).data)


def _parsed(body: bytes, shape: type[_Body]) -> _Body:
    try:
        return shape.model_validate(parse(body))
    except (ValueError, ValidationError):
        raise Failure(Cause.NOT_THE_PROTOCOL) from None


def _call(usage: Usage | None, attempts: tuple[str, ...], seconds: float) -> Call:
    used = usage or Usage()
    return Call(attempts, seconds, used.prompt_tokens, used.completion_tokens or 0)
