"""A `TiltEngine` that does as it is told, and dies of what the real one dies of."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from itertools import pairwise

from apps.api_gpu.engine import (
    EngineAnswer,
    EngineDiedError,
    EnginePage,
    Limits,
    Prompt,
    RefusedByEngineError,
    Token,
)

LIMITS = Limits(
    tokens=200,
    question_tokens=16,
    pages=3,
    answer_tokens=8,
    image_width=768,
    image_height=2048,
    at_once=3,
)
_SEPARATOR = " : "


class ScriptedEngine:
    """A word is a token for each four letters begun. A question is answered by the word after its
    last one.

    `holding` makes answers wait, `hanging` for ever and its own questions too; `dead` is the end.
    """

    def __init__(self) -> None:
        self.holding = False
        self.hanging = False
        self.dead = False
        self.running: set[str] = set()
        self.most_at_once = 0
        self.given_up: list[str] = []
        self.prepared: list[tuple[EnginePage, ...]] = []
        self.stopped = False

    @property
    def limits(self) -> Limits:
        return LIMITS

    async def start(self) -> None:
        self.given_up.clear()

    def count_tokens(self, words: Sequence[str]) -> int:
        return sum(math.ceil(len(word.strip("\u200b")) / 4) for word in words)

    def count_question_tokens(self, question: str) -> int:
        return self.count_tokens([*question.split(), _SEPARATOR])

    def prepare(self, pages: Sequence[EnginePage], questions: Sequence[str]) -> tuple[Prompt, ...]:
        tokens = sum(self.count_tokens(page.words) for page in pages)
        try:
            self._judge(pages, questions, tokens)
        except AssertionError:
            self.dead = True
            raise
        self.prepared.append(tuple(pages))
        words = [word for page in pages for word in page.words]
        return tuple(
            Prompt(tokens + self.count_question_tokens(question), (words, question))
            for question in questions
        )

    async def answer(self, request_id: str, prompt: Prompt, max_tokens: int) -> EngineAnswer:
        if request_id.startswith("probe"):
            return await self._probed(prompt)
        self.running.add(request_id)
        self.most_at_once = max(self.most_at_once, len(self.running))
        try:
            while self.hanging or self.holding:
                if self.dead:
                    raise EngineDiedError
                await asyncio.sleep(0.002)
            if self.dead:
                raise EngineDiedError
            return self._said(prompt, max_tokens)
        except asyncio.CancelledError:
            self.given_up.append(request_id)
            raise
        finally:
            self.running.discard(request_id)

    async def _probed(self, prompt: Prompt) -> EngineAnswer:
        while self.hanging:  # noqa: ASYNC110 the test's thread changes it
            await asyncio.sleep(0.002)
        if self.dead:
            raise EngineDiedError
        return self._said(prompt, 1)

    async def check(self) -> None:
        if self.dead:
            raise EngineDiedError

    async def stop(self) -> None:
        self.stopped = True

    def _said(self, prompt: Prompt, max_tokens: int) -> EngineAnswer:
        words, question = prompt.payload  # type: ignore[misc]
        if question == "poison":
            raise RefusedByEngineError
        if question == "no room":
            return EngineAnswer("", (), "length")
        last = question.split()[-1]
        found = [after for word, after in pairwise(words) if word == last]
        tokens = [Token(text, -0.1 * (n + 1)) for n, text in enumerate(" | ".join(found).split())]
        if len(tokens) > max_tokens:
            cut = tuple(tokens[:max_tokens])
            return EngineAnswer(" ".join(token.text for token in cut), cut, "length")
        return EngineAnswer(" | ".join(found), (*tokens, Token("", -0.01)), "stop")

    def _judge(self, pages: Sequence[EnginePage], questions: Sequence[str], tokens: int) -> None:
        """What the real engine takes without harm; see the facts in docs/gpu.md."""
        assert 0 < tokens < LIMITS.tokens
        assert len(pages) <= LIMITS.pages
        for page in pages:
            image = page.image
            assert len(page.words) == len(page.boxes) > 0
            assert page.width > 0
            assert page.height > 0
            assert image.width == LIMITS.image_width
            assert 0 < image.height <= LIMITS.image_height
            assert len(image.samples) == image.width * image.height * {"L": 1, "RGB": 3}[image.mode]
            for x0, y0, x1, y1 in page.boxes:
                assert 0 <= x0 <= x1 <= page.width
                assert 0 <= y0 <= y1 <= page.height
        for question in questions:
            assert self.count_question_tokens(question) <= LIMITS.question_tokens
