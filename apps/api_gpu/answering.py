"""Documents and their questions on the way through the engine: a bounded number, each given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from apps.api_gpu import documents, errors
from apps.api_gpu.documents import Question
from apps.api_gpu.engine import (
    EngineAnswer,
    EngineDiedError,
    EnginePage,
    Prompt,
    RefusedByEngineError,
    TiltEngine,
)
from apps.api_gpu.metrics import Metrics, counted_in
from lib.domain.tracing import Attributes, Span
from lib.inference.wire import OcrDocument

T = TypeVar("T")


class Answering:
    """Made on the event loop that serves the requests."""

    def __init__(
        self,
        engine: TiltEngine,
        metrics: Metrics,
        *,
        queue: int,
        decoders: int,
        on_death: Callable[[], None],
    ) -> None:
        """`queue`: documents held at once; `decoders`: threads that read bodies and images."""
        self._engine = engine
        self._metrics = metrics
        self._queue = queue
        self._on_death = on_death
        self._held = 0
        # One place in the engine is for who asks whether it is well.
        self._seats = asyncio.Semaphore(max(1, engine.limits.at_once - 1))
        self._decoders = ThreadPoolExecutor(decoders, "decode")
        # The engine's tokenizer has one state, so one thread has it.
        self._tokenizing = ThreadPoolExecutor(1, "tokenize")
        self.last_answer = time.monotonic()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Room for one document, before its body is read; raises `Error` (503) where is none."""
        if self._held >= self._queue:
            self._metrics.documents.labels("busy").inc()
            raise errors.busy(retry_after_s=2)
        self._held += 1
        try:
            with counted_in(self._metrics.held):
                yield
        finally:
            self._held -= 1

    async def in_thread(self, work: Callable[[], T]) -> T:
        """The result of blocking work that has nothing to do with the engine."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work)

    async def answers(
        self,
        request_id: str,
        document: OcrDocument,
        questions: Sequence[Question],
        *,
        param: str,
        span: Span,
        max_tokens: int | None = None,
    ) -> tuple[tuple[EngineAnswer, ...], int]:
        """The questions' answers in order, and the prompt tokens that they took.

        `span`: the document's. When the caller is cancelled, the engine gives up every question
        that is under way. Raises `Error`.
        """
        span.note({"ocr.pages": len(document.pages), "ocr.questions": len(questions)})
        with self._metrics.prepare_seconds.time(), span.child("prepare"):
            prompts = await self._prompts(document, questions, param)
        most = min(
            max_tokens or self._engine.limits.answer_tokens, self._engine.limits.answer_tokens
        )
        tasks = [
            asyncio.ensure_future(self._answer(f"{request_id}-{number}", prompt, most, span))
            for number, prompt in enumerate(prompts)
        ]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            # The engine is told before the caller's place is given to another.
            await asyncio.gather(*tasks, return_exceptions=True)
        self._metrics.pages.inc(len(document.pages))
        return tuple(answers), sum(prompt.tokens for prompt in prompts)

    async def probe(self, page: EnginePage, question: str) -> None:
        """One token that nobody waits for and no metric counts; raises what the engine does."""
        (prompt,) = await asyncio.get_running_loop().run_in_executor(
            self._tokenizing, self._engine.prepare, [page], [question]
        )
        await self._engine.answer(f"probe-{time.monotonic_ns()}", prompt, 1)
        self.last_answer = time.monotonic()

    async def close(self) -> None:
        """Let the threads go."""
        self._decoders.shutdown(wait=False, cancel_futures=True)
        self._tokenizing.shutdown(wait=False, cancel_futures=True)

    async def _prompts(
        self, document: OcrDocument, questions: Sequence[Question], param: str
    ) -> tuple[Prompt, ...]:
        engine, loop = self._engine, asyncio.get_running_loop()
        readable = await loop.run_in_executor(
            self._tokenizing, documents.check_text, engine, document, questions, param
        )
        pages = await loop.run_in_executor(
            self._decoders, documents.engine_pages, readable, engine.limits
        )
        texts = [question.text for question in questions]
        return await loop.run_in_executor(self._tokenizing, engine.prepare, pages, texts)

    async def _answer(
        self, request_id: str, prompt: Prompt, max_tokens: int, document: Span
    ) -> EngineAnswer:
        with document.child("answer", attributes=_attributes(request_id, prompt)) as span:
            answer = await self._seated(request_id, prompt, max_tokens)
            span.note(
                {
                    "gen_ai.usage.output_tokens": len(answer.tokens),
                    "gen_ai.response.finish_reasons": [answer.finish_reason],
                }
            )
        return answer

    async def _seated(self, request_id: str, prompt: Prompt, max_tokens: int) -> EngineAnswer:
        metrics = self._metrics
        with counted_in(metrics.waiting):
            await self._seats.acquire()
        try:
            with counted_in(metrics.running), metrics.question_seconds.time():
                answer = await self._engine.answer(request_id, prompt, max_tokens)
        except EngineDiedError:
            self._on_death()
            raise errors.engine_died() from None
        except RefusedByEngineError:
            raise errors.refused("The engine did not take the question.", "questions") from None
        finally:
            self._seats.release()
        self.last_answer = time.monotonic()
        metrics.questions.labels(answer.finish_reason).inc()
        metrics.prompt_tokens.inc(prompt.tokens)
        metrics.answer_tokens.inc(len(answer.tokens))
        return answer


def _attributes(request_id: str, prompt: Prompt) -> Attributes:
    # https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
    return {"ocr.question.id": request_id, "gen_ai.usage.input_tokens": prompt.tokens}
