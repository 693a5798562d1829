"""Arctic-TILT on its authors' fork of vLLM 0.8.3; nothing of it is imported before `start`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from apps.api_gpu.engine import (
    EngineAnswer,
    EngineDiedError,
    EnginePage,
    FinishReason,
    Limits,
    Prompt,
    RefusedByEngineError,
    Token,
)
from apps.api_gpu.page_images import pillow_image

# The fork has one attention backend and the engine of vLLM's first generation only.
_ENVIRONMENT: Final = {"VLLM_ATTENTION_BACKEND": "XFORMERS", "VLLM_USE_V1": "0"}
_SCHEDULER: Final = "vllm.tilt.scheduler.Scheduler"


@dataclass(frozen=True, slots=True)
class TiltOptions:
    """What an operator decides. `max_tokens` and `max_pages` only lower the model's own limits."""

    model: str
    revision: str | None
    gpu_memory_utilization: float
    max_num_seqs: int
    max_tokens: int | None
    max_pages: int


class ForkEngine:
    """A `TiltEngine` over the fork's `AsyncLLMEngine`, on one GPU."""

    def __init__(self, options: TiltOptions) -> None:
        self._options = options
        self._limits: Limits | None = None
        self._engine: Any = None
        self._processor: Any = None
        self._parts: Any = None
        self._tokenizer: Any = None
        self._sampling: Any = None
        self._separator = ""
        self._end_token = -1

    @property
    def limits(self) -> Limits:
        """What the model's configuration and the operator allow."""
        if self._limits is None:
            raise RuntimeError("the engine has not started")
        return self._limits

    async def start(self) -> None:
        """Load the weights onto the GPU; half a minute from a warm disk."""
        os.environ.update(_ENVIRONMENT)
        # Imported here: they exist in the fork's own environment only, and read the variables.
        from vllm import AsyncLLMEngine, SamplingParams  # noqa: PLC0415
        from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: PLC0415
        from vllm.multimodal import tilt_processor  # noqa: PLC0415

        options = self._options
        self._engine = AsyncLLMEngine.from_engine_args(
            AsyncEngineArgs(
                model=options.model,
                revision=options.revision,
                tokenizer_revision=options.revision,
                task="tilt_generate",
                scheduler_cls=_SCHEDULER,
                dtype="bfloat16",
                max_model_len=options.max_tokens,
                max_num_seqs=options.max_num_seqs,
                gpu_memory_utilization=options.gpu_memory_utilization,
                # The fork has neither CUDA graphs nor asynchronous output processing.
                enforce_eager=True,
                disable_async_output_proc=True,
                disable_log_requests=True,
            )
        )
        self._engine.start_background_loop()
        config = (await self._engine.get_model_config()).hf_config
        shared = (await self._engine.get_tokenizer()).backend_tokenizer
        # The processor switches truncation on in its own copy; ours counts what there is.
        self._tokenizer = type(shared).from_str(shared.to_str())
        self._tokenizer.no_truncation()
        self._parts = tilt_processor
        self._processor = tilt_processor.TiltPreprocessor.from_config(
            model_config=config, tokenizer=shared
        )
        self._sampling = SamplingParams
        self._separator = config.prefix_separator
        self._end_token = config.eos_token_id
        self._limits = _limits(config, options)

    def count_tokens(self, words: Sequence[str]) -> int:
        """Counted as the fork's processor does: words already split, no special tokens."""
        encoding = self._tokenizer.encode(
            list(words), is_pretokenized=True, add_special_tokens=False
        )
        return len(encoding.ids)

    def count_question_tokens(self, question: str) -> int:
        """With the separator that the processor puts after a question."""
        encoding = self._tokenizer.encode(question + self._separator, add_special_tokens=False)
        return len(encoding.ids)

    def prepare(self, pages: Sequence[EnginePage], questions: Sequence[str]) -> tuple[Prompt, ...]:
        """The document is tensorised once; each prompt holds it together with one question."""
        document = self._parts.Document(
            ident="",
            pages=[
                self._parts.Page(
                    words=list(page.words),
                    bboxes=list(page.boxes),
                    width=page.width,
                    height=page.height,
                    image=pillow_image(page.image),
                )
                for page in pages
            ],
        )
        asked = [self._parts.Question(feature_name=text, text=text) for text in questions]
        return tuple(
            Prompt(_prompt_tokens(prompt), prompt)
            for prompt in self._processor.preprocess(document, asked)
        )

    async def answer(self, request_id: str, prompt: Prompt, max_tokens: int) -> EngineAnswer:
        """Greedy decoding, with the log-probability of each token written."""
        sampling = self._sampling(temperature=0, logprobs=0, max_tokens=max_tokens)
        last: Any = None
        try:
            stream = self._engine.generate(
                prompt=prompt.payload, sampling_params=sampling, request_id=request_id
            )
            async for output in stream:
                last = output
        except Exception as error:
            if self._engine.errored:
                raise EngineDiedError from error
            raise RefusedByEngineError from error
        finally:
            # Does nothing when the request has finished.
            await self._engine.abort(request_id)
        if last is None or not last.finished:
            raise RefusedByEngineError
        return self._as_answer(last.outputs[0])

    async def check(self) -> None:
        """Raise `EngineDiedError` when the fork's background loop has ended."""
        try:
            await self._engine.check_health()
        except Exception as error:
            raise EngineDiedError from error

    async def stop(self) -> None:
        """End the background loop; the GPU is free once the process has ended."""
        if self._engine is not None:
            self._engine.shutdown_background_loop()

    def _as_answer(self, completion: Any) -> EngineAnswer:
        tokens = []
        for token_id, found in zip(completion.token_ids, completion.logprobs or (), strict=False):
            entry = found[token_id]
            text = "" if token_id == self._end_token else entry.decoded_token or ""
            tokens.append(Token(text, float(entry.logprob)))
        reason = cast(FinishReason, completion.finish_reason or "abort")
        return EngineAnswer(completion.text, tuple(tokens), reason)


def _limits(config: Any, options: TiltOptions) -> Limits:
    return Limits(
        tokens=min(config.max_seq_length, options.max_tokens or config.max_seq_length),
        question_tokens=config.max_question_length,
        pages=min(config.image_limit, options.max_pages),
        answer_tokens=config.max_output_length,
        image_width=config.image_width,
        image_height=config.max_image_height,
        at_once=options.max_num_seqs,
    )


def _prompt_tokens(prompt: Any) -> int:
    parts = (prompt["encoder_prefix_prompt"], prompt["encoder_prompt"])
    return sum(len(part["prompt_token_ids"]) for part in parts)
