"""What a TILT engine is: what it is given, what it answers, and how it says that it is dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Box = tuple[float, float, float, float]
"""`x0, y0, x1, y1` in the unit of the page's width and height, origin at the top left."""

FinishReason = Literal["stop", "length", "abort"]


class EngineDiedError(Exception):
    """The engine has ended, or answers nobody any more; only a new process helps."""


class RefusedByEngineError(Exception):
    """The engine would not take this one question; it goes on with the others."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the model's configuration allows.

    `tokens` of a document, `question_tokens` of a question with its separator, `pages` of a
    document, `answer_tokens` of an answer; `image_width` in pixels, to which every page image is
    scaled, and `image_height`, at which it is cut. `at_once`: questions that run together.
    """

    tokens: int
    question_tokens: int
    pages: int
    answer_tokens: int
    image_width: int
    image_height: int
    at_once: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels, row-major, 8 bits a sample: grey (`L`, one sample a pixel) or `RGB` (three)."""

    width: int
    height: int
    mode: Literal["L", "RGB"]
    samples: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EnginePage:
    """One page: words in reading order with a box each, and what the page looks like.

    Boxes lie within `width` x `height`, in the same unit; `image` shows the whole page, or its
    upper part where it is too tall, and is `Limits.image_width` wide.
    """

    words: tuple[str, ...] = field(repr=False)
    boxes: tuple[Box, ...] = field(repr=False)
    width: float
    height: float
    image: Picture


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question with its document, as the engine wants it."""

    tokens: int
    payload: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an answer and its natural log-probability; the end mark is the empty piece."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """What the model wrote.

    Empty with `length`: the document did not fit the GPU's cache.
    """

    text: str
    tokens: tuple[Token, ...]
    finish_reason: FinishReason


class TiltEngine(Protocol):
    """Arctic-TILT, or what stands for it.

    An engine trusts its input: whatever would kill or corrupt it is refused before
    (`apps.api_gpu.documents`). `EngineDiedError` from any method is final.
    """

    @property
    def limits(self) -> Limits:
        """What the loaded model allows; known once it has started."""
        ...

    async def start(self) -> None:
        """Load the model. The event loop has nothing else to do yet."""
        ...

    def count_tokens(self, words: Sequence[str]) -> int:
        """Tokens that a page's words take. Called from a worker thread, one call at a time."""
        ...

    def count_question_tokens(self, question: str) -> int:
        """Tokens that a question takes, its separator included. Called like `count_tokens`."""
        ...

    def prepare(self, pages: Sequence[EnginePage], questions: Sequence[str]) -> tuple[Prompt, ...]:
        """A prompt for each question. Called like `count_tokens`."""
        ...

    async def answer(self, request_id: str, prompt: Prompt, max_tokens: int) -> EngineAnswer:
        """The model's answer; the engine gives the question up when the caller is cancelled.

        Raises `RefusedByEngineError` where only this question failed.
        """
        ...

    async def check(self) -> None:
        """Raise `EngineDiedError` when the engine's loop has ended."""
        ...

    async def stop(self) -> None:
        """Let go of the GPU."""
        ...
