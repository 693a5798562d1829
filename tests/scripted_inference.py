"""An inference client that answers by a script, and page images without a document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.geometry import Polygon
from lib.domain.page_images import EncodedImage, ImageLimits
from lib.domain.tracing import NO_SPAN, Span
from lib.errors import Error, Kind
from lib.inference.client import Call, ChatAnswer, Snapshot, TiltAnswers
from lib.inference.wire import AnswersRequest, ChatRequest, FinishReason, QuestionAnswer
from lib.kie.models.card_files import ModelCards, load_cards
from lib.kie.models.sight import Asking, Sight

CONFIGS = Path(__file__).parents[1] / "configs"
CALL = Call(failed_attempts=(), seconds=0.25, prompt_tokens=900, completion_tokens=40)
Reply = str | Exception | tuple[str, FinishReason] | Callable[[Any], Any]


def shipped_cards() -> ModelCards:
    """The cards and prompts of this repository."""
    return load_cards(CONFIGS / "models", CONFIGS / "prompts")


class ScriptedClient:
    """Gives one reply a call; the last one again when they run out."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.requests: list[Any] = []
        self.cancellations: list[Cancellation | None] = []
        self.deadlines: list[Deadline] = []

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
        self.deadlines.append(deadline)
        reply = self._next(request, cancellation, meanwhile)
        text, finish = reply if isinstance(reply, tuple) else (reply, "stop")
        return ChatAnswer(text, finish, request.model or "default", CALL)

    def answers(
        self,
        request: AnswersRequest,
        deadline: Deadline,
        *,
        cancellation: Cancellation | None = None,
        request_id: str | None = None,
        span: Span = NO_SPAN,
    ) -> TiltAnswers:
        self.deadlines.append(deadline)
        reply = self._next(request, cancellation)
        if isinstance(reply, TiltAnswers):
            return reply
        return tilt_answers(request, reply)

    def probe(self, deadline: Deadline) -> Snapshot:
        raise AssertionError("an extraction never probes")

    def snapshot(self) -> Snapshot:
        raise AssertionError("an extraction never looks at the client's state")

    def close(self) -> None:
        pass

    def _next(
        self,
        request: Any,
        cancellation: Cancellation | None,
        meanwhile: Callable[[], object] | None = None,
    ) -> Any:
        self.requests.append(request)
        self.cancellations.append(cancellation)
        if meanwhile is not None:
            meanwhile()
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply(request) if callable(reply) else reply


def tilt_answers(
    request: AnswersRequest, texts: Mapping[str, str], score: float = 0.9
) -> TiltAnswers:
    """One answer for each question, by its name; the others are empty."""
    answers = tuple(
        QuestionAnswer(name=q.name, text=texts.get(q.name, ""), score=score, finish_reason="stop")
        for q in request.questions
    )
    return TiltAnswers(answers, request.model or "default", CALL)


def fields_asked(request: ChatRequest) -> list[str]:
    """The fields that a chat request's schema wants."""
    assert request.response_format is not None
    assert request.response_format.json_schema is not None
    return list(request.response_format.json_schema.json_schema["properties"])


def as_json(values: Mapping[str, Any]) -> Callable[[ChatRequest], str]:
    """A reply with these values, and null or [] for whatever else is asked."""

    def reply(request: ChatRequest) -> str:
        assert request.response_format is not None
        assert request.response_format.json_schema is not None
        schema = request.response_format.json_schema.json_schema
        return json.dumps(
            {name: _filled(values.get(name), kind) for name, kind in schema["properties"].items()}
        )

    return reply


def _filled(value: Any, kind: Mapping[str, Any]) -> Any:
    if kind.get("type") != "array":
        return value
    columns: Iterable[str] = kind["items"]["properties"]
    return [{column: row.get(column) for column in columns} for row in value or []]


class BlankImages:
    """Page images that show nothing, which parts were asked for, and how often they were let go."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Polygon, ImageLimits]] = []
        self.released = 0

    def encoded(self, page: Page, part: Polygon, limits: ImageLimits) -> EncodedImage:
        self.asked.append((page.number, part, limits))
        height = max(1, round(1000 * (part.y1 - part.y0)))
        return EncodedImage("image/jpeg", 800, height, b"\xff\xd8")

    def release(self) -> None:
        self.released += 1


def sight(**asking: Any) -> Sight:
    """A minute's patience for a document that looks blank."""
    return Sight(BlankImages(), Deadline.after(60), Asking(**asking))


def unavailable() -> Error:
    """What the client raises when nobody could answer."""
    return Error("inference_unavailable", Kind.UNAVAILABLE, "Nobody answers.", retryable=True)
