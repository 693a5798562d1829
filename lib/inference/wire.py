"""What passes between the orchestrator and an inference server: OpenAI chat, `ocr_document`, TILT.

The server side (`apps/api_gpu`, the mock) validates requests with these types, the client side
builds them; answers the other way round. Fields that we do not use are ignored in both directions,
as vLLM ignores top-level fields that it does not know.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

CHAT_ROUTE = "/v1/chat/completions"
ANSWERS_ROUTE = "/v1/tilt/answers"
MODELS_ROUTE = "/v1/models"
HEALTH_ROUTE = "/health"

VALUE_SEPARATOR = " | "
"""Between the values of one answer of Arctic-TILT."""

FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "abort", "error"]


class Wire(BaseModel):
    """A JSON object on the wire: immutable, unknown members ignored, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    def to_json(self) -> bytes:
        """The object as UTF-8 JSON, members that are None left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


# --- a chat request ---------------------------------------------------------------------------


class TextPart(Wire):
    """Text in a message."""

    type: Literal["text"] = "text"
    text: str


class ImageUrl(Wire):
    """Where an image is. The orchestrator sends data URIs only: a server would fetch the rest."""

    url: str = Field(repr=False)


class ImagePart(Wire):
    """A page image in a message."""

    type: Literal["image_url"] = "image_url"
    image_url: ImageUrl


Box = tuple[float, float, float, float]
"""`x0, y0, x1, y1` in pixels of the page, origin at the top left, `x0 <= x1` and `y0 <= y1`."""


class DocumentPage(Wire):
    """One page for a model that reads words, boxes and pixels together.

    `width` and `height` in pixels give the frame of `bboxes`, one box a word; `image` shows the
    same page at any resolution. Words are in reading order and are never empty strings.
    """

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    words: tuple[Annotated[str, StringConstraints(min_length=1)], ...]
    bboxes: tuple[Box, ...]
    image: ImageUrl

    @model_validator(mode="after")
    def _a_box_a_word(self) -> Self:
        if len(self.words) != len(self.bboxes):
            raise ValueError(f"{len(self.words)} words, but {len(self.bboxes)} boxes")
        return self

    @field_validator("bboxes")
    @classmethod
    def _upright(cls, boxes: tuple[Box, ...]) -> tuple[Box, ...]:
        for number, (left, top, right, bottom) in enumerate(boxes):
            if left > right or top > bottom:
                raise ValueError(f"box {number} ends before it begins")
        return boxes


class OcrDocument(Wire):
    """A document as read by OCR: its pages in order."""

    pages: tuple[DocumentPage, ...] = Field(min_length=1)


class DocumentPart(Wire):
    """A document in a message; stock vLLM refuses this part with 400."""

    type: Literal["ocr_document"] = "ocr_document"
    ocr_document: OcrDocument


Part = Annotated[TextPart | ImagePart | DocumentPart, Field(discriminator="type")]


class Message(Wire):
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: str | tuple[Part, ...]


class JsonSchemaFormat(Wire):
    """The schema that the answer has to fit."""

    name: str
    json_schema: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None

    model_config = ConfigDict(populate_by_name=True)


class ResponseFormat(Wire):
    """How the answer is constrained; vLLM honours `json_schema` and ignores `guided_json`."""

    type: Literal["json_schema", "json_object", "text"]
    json_schema: JsonSchemaFormat | None = None


class ChatRequest(Wire):
    """`POST /v1/chat/completions`.

    Without `max_tokens` a server writes up to the end of its context. A `model` left out is the
    server's default one.
    """

    model: str | None = None
    messages: tuple[Message, ...] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0)
    seed: int | None = None
    stop: str | tuple[str, ...] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    mm_processor_kwargs: dict[str, Any] | None = None
    stream: bool | None = None


# --- a chat answer ----------------------------------------------------------------------------


class TokenLogprob(Wire):
    """A token that the model wrote and its natural log-probability."""

    token: str
    logprob: float


class ChoiceLogprobs(Wire):
    """The tokens of a choice, in order."""

    content: tuple[TokenLogprob, ...] | None = None


class AnswerMessage(Wire):
    """What the model wrote."""

    role: Literal["assistant"] = "assistant"
    content: str | None = None


class Choice(Wire):
    """One of the answers asked for; we ask for one."""

    index: int = 0
    message: AnswerMessage
    logprobs: ChoiceLogprobs | None = None
    finish_reason: FinishReason | None = None


class Usage(Wire):
    """Tokens that a request took."""

    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)
    total_tokens: int = Field(default=0, ge=0)


class ChatResponse(Wire):
    """The answer of `POST /v1/chat/completions`."""

    id: str = ""
    object: Literal["chat.completion"] = "chat.completion"
    created: int = 0
    model: str = ""
    choices: tuple[Choice, ...] = Field(min_length=1)
    usage: Usage | None = None


# --- TILT: one document, many questions -------------------------------------------------------


class Question(Wire):
    """What is asked about a document; `name` comes back with the answer."""

    name: str = Field(min_length=1, max_length=128)
    text: str = Field(min_length=1, max_length=4096)


class AnswersRequest(Wire):
    """`POST /v1/tilt/answers`: a document once, its questions together."""

    model: str | None = None
    document: OcrDocument
    questions: tuple[Question, ...] = Field(min_length=1, max_length=256)

    @field_validator("questions")
    @classmethod
    def _names_differ(cls, questions: tuple[Question, ...]) -> tuple[Question, ...]:
        if len({question.name for question in questions}) != len(questions):
            raise ValueError("two questions have the same name")
        return questions


class QuestionAnswer(Wire):
    """The answer to one question.

    `text` as the model wrote it: empty when it found nothing, several values joined by
    `VALUE_SEPARATOR`. `score` is exp(least log-probability of its tokens), in 0..1.
    `finish_reason` is `length` when the answer was cut or the document did not fit.
    """

    name: str
    text: str
    score: float = Field(ge=0, le=1)
    finish_reason: FinishReason


class AnswersResponse(Wire):
    """The answer of `POST /v1/tilt/answers`: one for each question, in the questions' order."""

    id: str = ""
    object: Literal["tilt.answers"] = "tilt.answers"
    created: int = 0
    model: str = ""
    answers: tuple[QuestionAnswer, ...]
    usage: Usage | None = None


# --- the rest ---------------------------------------------------------------------------------


class ModelEntry(Wire):
    """A model that a server has."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = ""
    max_model_len: int | None = None


class ModelList(Wire):
    """The answer of `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: tuple[ModelEntry, ...]


def score(logprobs: tuple[float, ...]) -> float | None:
    """exp(the least log-probability), Arctic-TILT's own measure; None without tokens."""
    return min(1.0, math.exp(min(logprobs))) if logprobs else None
