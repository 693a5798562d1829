"""The model's text as tokens, an answer or a stream."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from lib.inference.wire import (
    AnswerMessage,
    ChatRequest,
    ChatResponse,
    Choice,
    ChoiceLogprobs,
    FinishReason,
    TokenLogprob,
    Usage,
)
from mock_inference import faults

_LOGPROB = -0.02
_END = "<|im_end|>"  # it is among the log-probabilities, but not in the text
_PIECES = re.compile(r"\w{1,4}|\W")


@dataclass(frozen=True)
class Written:
    """What the model wrote: pieces that joined are the text."""

    pieces: tuple[str, ...]
    finish_reason: FinishReason
    prompt_tokens: int
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def usage(self) -> Usage:
        """Tokens in and out."""
        out = len(self.pieces)
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=out,
            total_tokens=self.prompt_tokens + out,
        )


def write(text: str, finish_reason: FinishReason, max_tokens: int, prompt_tokens: int) -> Written:
    """The text, cut at `max_tokens`."""
    pieces = tuple(_PIECES.findall(text))
    if len(pieces) > max_tokens:
        return Written(pieces[:max_tokens], "length", prompt_tokens)
    return Written(pieces, finish_reason, prompt_tokens)


def chat_response(written: Written, request: ChatRequest, answer_id: str, model: str) -> bytes:
    """The whole answer as JSON."""
    logprobs = None
    if request.logprobs:
        end = (_END,) if written.finish_reason == "stop" else ()
        pieces = (*written.pieces, *end)
        tokens = tuple(TokenLogprob(token=piece, logprob=_LOGPROB) for piece in pieces)
        logprobs = ChoiceLogprobs(content=tokens)
    choice = Choice(
        message=AnswerMessage(content="".join(written.pieces)),
        logprobs=logprobs,
        finish_reason=written.finish_reason,
    )
    return ChatResponse(
        id=answer_id,
        created=written.created,
        model=model,
        choices=(choice,),
        usage=written.usage,
    ).to_json()


async def streamed(
    written: Written, answer_id: str, model: str, *, usage: bool, fails: bool
) -> AsyncIterator[str]:
    """Server-sent events; with `fails` an error comes instead of the second half."""
    head: dict[str, Any] = {
        "id": answer_id,
        "object": "chat.completion.chunk",
        "created": written.created,
        "model": model,
    }
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in written.pieces]
    for delta in deltas[: len(deltas) // 2] if fails else deltas:
        yield _event(head, [{"index": 0, "delta": delta, "finish_reason": None}])
    if fails:
        error = {
            "message": faults.ENGINE_ISSUE,
            "type": "InternalServerError",
            "param": None,
            "code": 500,
        }
        yield f"data: {json.dumps({'error': error})}\n\n"
    else:
        last = {"index": 0, "delta": {}, "finish_reason": written.finish_reason}
        yield _event(head, [last])
        if usage:
            yield _event({**head, "usage": written.usage.model_dump()}, [])
    yield "data: [DONE]\n\n"


def _event(head: dict[str, Any], choices: list[dict[str, Any]]) -> str:
    return f"data: {json.dumps({**head, 'choices': choices})}\n\n"
