"""Stands for Arctic-TILT's fork of vLLM 0.8.3 without a GPU: its names, signatures, failures.

`python -m apps.api_gpu` runs on it unchanged. The text of an answer is the word after the
question's; the question "kill" ends the engine's loop, "refuse" is refused, "no room" does not fit.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from vllm.engine.arg_utils import AsyncEngineArgs

END = 1


@dataclass
class SamplingParams:
    temperature: float = 1.0
    logprobs: int | None = None
    max_tokens: int = 16


@dataclass
class Logprob:
    logprob: float
    decoded_token: str | None


@dataclass
class CompletionOutput:
    text: str
    token_ids: list[int]
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str


@dataclass
class RequestOutput:
    outputs: list[CompletionOutput]
    finished: bool


class Tokenizer:
    """A token for each four letters begun."""

    truncation = False

    def encode(
        self, text: Any, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> Any:
        words = text if is_pretokenized else text.split()
        return SimpleNamespace(ids=[7 for word in words for _ in range(math.ceil(len(word) / 4))])

    def to_str(self) -> str:
        return "{}"

    @staticmethod
    def from_str(_text: str) -> Tokenizer:
        return Tokenizer()

    def no_truncation(self) -> None:
        self.truncation = False


@dataclass
class Config:
    max_seq_length: int = 125_000
    max_question_length: int = 256
    max_output_length: int = 512
    image_limit: int = 250
    image_width: int = 768
    max_image_height: int = 2048
    prefix_separator: str = " : "
    eos_token_id: int = END


class AsyncEngineDeadError(RuntimeError):
    pass


@dataclass
class AsyncLLMEngine:
    args: AsyncEngineArgs
    errored: bool = False
    aborted: list[str] = field(default_factory=list)
    started: bool = False
    hold: bool = False

    @classmethod
    def from_engine_args(cls, args: AsyncEngineArgs) -> AsyncLLMEngine:
        assert os.environ["VLLM_ATTENTION_BACKEND"] == "XFORMERS"
        assert os.environ["VLLM_USE_V1"] == "0"
        return cls(args)

    def start_background_loop(self) -> None:
        self.started = True

    def shutdown_background_loop(self) -> None:
        self.started = False

    async def get_tokenizer(self) -> Any:
        return SimpleNamespace(backend_tokenizer=Tokenizer())

    async def get_model_config(self) -> Any:
        return SimpleNamespace(hf_config=Config())

    async def check_health(self) -> None:
        if self.errored:
            raise AsyncEngineDeadError("Background loop is stopped.")

    async def abort(self, request_id: str) -> None:
        self.aborted.append(request_id)

    async def generate(
        self, prompt: Any, sampling_params: SamplingParams, request_id: str
    ) -> AsyncIterator[RequestOutput]:
        if self.errored:
            raise AsyncEngineDeadError("Background loop has errored already.")
        document, question = prompt["what"]
        if len(document.pages) > Config.image_limit or question.text == "kill":
            self.errored = True
            raise TypeError("to() on NoneType")
        if question.text == "refuse":
            raise ValueError("the prompt is too long")
        while self.hold:  # noqa: ASYNC110 the test changes it
            await asyncio.sleep(0.001)
        yield RequestOutput([CompletionOutput("", [], [], "")], finished=False)
        yield RequestOutput([self._completion(document, question, sampling_params)], finished=True)

    def _completion(
        self, document: Any, question: Any, sampling: SamplingParams
    ) -> CompletionOutput:
        assert sampling.temperature == 0
        assert sampling.logprobs == 0
        if question.text == "no room":
            return CompletionOutput("", [], None, "length")
        words = [word for page in document.pages for word in page.words]
        found = [b for a, b in pairwise(words) if a == question.text]
        text = " | ".join(found)
        ids = [100 + n for n, _ in enumerate(found)][: sampling.max_tokens]
        entries = [{token: Logprob(-0.5, word)} for token, word in zip(ids, found, strict=False)]
        entries.append({END: Logprob(-0.25, "</s>")})
        return CompletionOutput(text, [*ids, END], entries, "stop")
