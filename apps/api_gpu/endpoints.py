"""The routes: vLLM's addresses and bodies, with a document where it would want a prompt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from apps.api_gpu import errors, metrics
from apps.api_gpu.answering import Answering
from apps.api_gpu.documents import Question
from apps.api_gpu.engine import EngineAnswer
from apps.api_gpu.tracing import span_of
from apps.api_gpu.vitals import Vitals
from lib.errors import Error, Kind
from lib.inference.wire import (
    AnswerMessage,
    AnswersRequest,
    AnswersResponse,
    ChatRequest,
    ChatResponse,
    Choice,
    ChoiceLogprobs,
    DocumentPart,
    ModelEntry,
    ModelList,
    OcrDocument,
    QuestionAnswer,
    TextPart,
    TokenLogprob,
    Usage,
    Wire,
    score,
)

A = TypeVar("A", ChatRequest, AnswersRequest)
T = TypeVar("T")
# As nginx writes it down: nobody reads it.
_CANCELED_STATUS = 499
_REFUSALS = {Kind.UNPROCESSABLE, Kind.NOT_FOUND, Kind.TOO_LARGE}


class Desk:
    """The handlers, with what they need."""

    def __init__(
        self,
        answering: Answering,
        vitals: Vitals,
        counts: metrics.Metrics,
        *,
        model: str,
        max_tokens: int,
        max_body_bytes: int,
        body_timeout_s: float,
        request_timeout_s: float,
    ) -> None:
        self._answering = answering
        self._vitals = vitals
        self._counts = counts
        self._model = model
        self._max_tokens = max_tokens
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._request_timeout_s = request_timeout_s
        self._created = int(time.time())

    def router(self) -> APIRouter:
        """Every address that this server has."""
        router = APIRouter()
        router.add_api_route("/health", self.health, methods=["GET"])
        router.add_api_route("/metrics", self.metrics, methods=["GET"])
        router.add_api_route("/v1/models", self.models, methods=["GET"])
        router.add_api_route("/v1/chat/completions", self.chat, methods=["POST"])
        router.add_api_route("/v1/tilt/answers", self.tilt_answers, methods=["POST"])
        return router

    async def health(self) -> Response:
        """200 while the engine answers; never asks it in the request."""
        if not self._vitals.well:
            return errors.error_response(errors.unwell())
        return Response(status_code=200)

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(self._counts.text(), media_type=metrics.CONTENT_TYPE)

    async def models(self) -> Response:
        """The one model."""
        entry = ModelEntry(
            id=self._model,
            created=self._created,
            owned_by="vllm",
            max_model_len=self._max_tokens,
        )
        return _json(ModelList(data=(entry,)))

    async def chat(self, request: Request) -> Response:
        """One document and one question, as a chat."""

        async def work(raw: bytes) -> Response:
            body = await self._understood(raw, ChatRequest)
            document, question = _only_question(body)
            answers, prompt_tokens = await self._answering.answers(
                request.state.request_id,
                document,
                [question],
                param="messages.ocr_document",
                span=span_of(request),
                max_tokens=body.max_tokens,
            )
            return _json(self._chat_response(request, body, answers[0], prompt_tokens))

        return await self._served(request, work)

    async def tilt_answers(self, request: Request) -> Response:
        """One document and many questions."""

        async def work(raw: bytes) -> Response:
            body = await self._understood(raw, AnswersRequest)
            questions = [
                Question(question.text, f"questions.{number}")
                for number, question in enumerate(body.questions)
            ]
            answers, prompt_tokens = await self._answering.answers(
                request.state.request_id,
                body.document,
                questions,
                param="document",
                span=span_of(request),
            )
            return _json(self._answers_response(request, body, answers, prompt_tokens))

        return await self._served(request, work)

    async def _served(
        self, request: Request, work: Callable[[bytes], Coroutine[Any, Any, Response]]
    ) -> Response:
        """`work`'s answer to the body, unless there is no room, no time or nobody there."""
        try:
            if not self._vitals.well:
                raise errors.unwell()
            with self._answering.admitted():
                outcome = "failed"
                try:
                    async with asyncio.timeout(self._request_timeout_s):
                        response = await _unless_gone(request, work(await self._body(request)))
                    outcome = "answered"
                except ClientDisconnect:
                    outcome = "canceled"
                    return Response(status_code=_CANCELED_STATUS)
                except TimeoutError:
                    raise errors.timed_out(self._request_timeout_s) from None
                except Error as error:
                    outcome = "refused" if error.kind in _REFUSALS else "failed"
                    raise
                finally:
                    self._counts.documents.labels(outcome).inc()
        except Error as error:
            return errors.error_response(error)
        return response

    async def _body(self, request: Request) -> bytes:
        """The request's body, within its limits. The document's place is held meanwhile."""
        limit = self._max_body_bytes
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced[:20]) > limit:
            raise errors.too_large(limit)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_timeout_s):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit:
                        raise errors.too_large(limit)
                    chunks.append(chunk)
        except TimeoutError:
            raise errors.timed_out(self._body_timeout_s) from None
        return b"".join(chunks)

    async def _understood(self, raw: bytes, shape: type[A]) -> A:
        """The body as `shape`, for our model; megabytes of words are parsed off the event loop."""
        body = await self._answering.in_thread(lambda: _parsed(raw, shape))
        if body.model is not None and body.model != self._model:
            raise errors.not_found("The model does not exist.", "model")
        return body

    def _answers_response(
        self,
        request: Request,
        body: AnswersRequest,
        answers: tuple[EngineAnswer, ...],
        prompt_tokens: int,
    ) -> AnswersResponse:
        return AnswersResponse(
            id=f"answers-{request.state.request_id}",
            created=int(time.time()),
            model=self._model,
            answers=tuple(
                _question_answer(question.name, answer)
                for question, answer in zip(body.questions, answers, strict=True)
            ),
            usage=_usage(prompt_tokens, answers),
        )

    def _chat_response(
        self, request: Request, body: ChatRequest, answer: EngineAnswer, prompt_tokens: int
    ) -> ChatResponse:
        logprobs = None
        if body.logprobs:
            logprobs = ChoiceLogprobs(
                content=tuple(
                    TokenLogprob(token=token.text, logprob=token.logprob) for token in answer.tokens
                )
            )
        return ChatResponse(
            id=f"chatcmpl-{request.state.request_id}",
            created=int(time.time()),
            model=self._model,
            choices=(
                Choice(
                    message=AnswerMessage(content=answer.text),
                    logprobs=logprobs,
                    finish_reason=answer.finish_reason,
                ),
            ),
            usage=_usage(prompt_tokens, (answer,)),
        )


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; `ClientDisconnect` when the client went, once `work` has given up."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    """Return when the client has gone. Its body has been read, so nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _parsed(raw: bytes, shape: type[A]) -> A:
    try:
        return shape.model_validate_json(raw)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        param = ".".join(str(part) for part in problem["loc"])[:200]
        raise errors.refused(str(problem["msg"])[:200], param) from None


def _only_question(body: ChatRequest) -> tuple[OcrDocument, Question]:
    """The document and the question of a chat, or `Error` for what this model cannot do."""
    _refuse_unsupported(body)
    if len(body.messages) != 1 or body.messages[0].role != "user":
        raise errors.refused("Exactly one message, of the user, is expected.", "messages")
    content = body.messages[0].content
    parts = () if isinstance(content, str) else content
    documents = [part.ocr_document for part in parts if isinstance(part, DocumentPart)]
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    if (len(parts), len(documents), len(texts)) != (2, 1, 1):
        raise errors.refused(
            "Exactly one `ocr_document` part and one `text` part are expected.", "messages"
        )
    return documents[0], Question(texts[0], "messages")


def _refuse_unsupported(body: ChatRequest) -> None:
    """What would be ignored is refused: the caller would believe that it was honoured."""
    unsupported = {
        "stream": bool(body.stream),
        "temperature": bool(body.temperature),
        "response_format": body.response_format is not None and body.response_format.type != "text",
        "top_logprobs": bool(body.top_logprobs),
        "stop": bool(body.stop),
    }
    for name, is_asked in unsupported.items():
        if is_asked:
            raise errors.refused(f"`{name}` is not supported by this model.", name)


def _question_answer(name: str, answer: EngineAnswer) -> QuestionAnswer:
    found = score(tuple(token.logprob for token in answer.tokens))
    return QuestionAnswer(
        name=name, text=answer.text, score=found or 0.0, finish_reason=answer.finish_reason
    )


def _usage(prompt_tokens: int, answers: tuple[EngineAnswer, ...]) -> Usage:
    written = sum(len(answer.tokens) for answer in answers)
    return Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=written,
        total_tokens=prompt_tokens + written,
    )


def _json(body: Wire) -> Response:
    return Response(body.to_json(), media_type="application/json")
