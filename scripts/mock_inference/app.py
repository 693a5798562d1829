"""The mock's routes: vLLM's chat completions and the TILT server's, as recorded from real ones."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lib.errors import Error
from lib.inference.wire import (
    ANSWERS_ROUTE,
    CHAT_ROUTE,
    HEALTH_ROUTE,
    MODELS_ROUTE,
    AnswersRequest,
    AnswersResponse,
    ChatRequest,
    DocumentPart,
    ImagePart,
    ModelEntry,
    ModelList,
    QuestionAnswer,
    TextPart,
    Usage,
)
from mock_inference import answers, faults
from mock_inference.checks import Refused, check_chat, check_image, understood
from mock_inference.faults import TEXT_FAULTS, Fault, Script
from mock_inference.reading import Reader
from mock_inference.writing import chat_response, streamed, write

_JSON = "application/json"


@dataclass(frozen=True)
class Behaviour:
    """How the mock behaves: the faults of the requests to come, seconds that each answer takes at
    least, answers written at once, and requests that may wait for that (None: any number).
    """

    faults: str = ""
    latency_s: float = 0.0
    max_running: int = 16
    max_queued: int | None = None


@dataclass(frozen=True)
class MockSettings:
    """`models` that are served, the first by default; `api_key` empty means none is asked for.

    `documents`: whether `ocr_document` and the TILT route are known, as stock vLLM knows neither.
    `die` ends the process.
    """

    models: tuple[str, ...]
    api_key: str
    max_model_len: int
    documents: bool
    die: Callable[[], None]


class Mock:
    """The handlers, with what they share."""

    def __init__(self, settings: MockSettings, reader: Reader, behaviour: Behaviour) -> None:
        self._settings = settings
        self._reader = reader
        self._room = asyncio.Condition()
        self._running = 0
        self._waiting = 0
        self._answered = 0
        self._spent_s = 0.0
        self._dying = False
        self._last = b""
        self.behave(behaviour)

    def behave(self, behaviour: Behaviour) -> None:
        """Behave like this from the next request on. Raises ValueError for an unknown fault."""
        self._script = Script(behaviour.faults)
        self._behaviour = behaviour

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route(HEALTH_ROUTE, self.health),
            Route("/metrics", self.metrics),
            Route("/control", self.control, methods=["GET", "PUT"]),
            Route("/last", self.last),
            Route(MODELS_ROUTE, self.models),
            Route(CHAT_ROUTE, self.chat, methods=["POST"]),
        ]
        if self._settings.documents:
            routes.append(Route(ANSWERS_ROUTE, self.tilt, methods=["POST"]))
        errors = {404: _detail("Not Found", 404), 405: _detail("Method Not Allowed", 405)}
        return Starlette(routes=routes, exception_handlers=errors)

    async def health(self, _: Request) -> Response:
        """200 with an empty body while the engine lives."""
        return Response(status_code=503 if self._dying else 200)

    async def metrics(self, _: Request) -> Response:
        """vLLM's gauges of its load, its count of good answers and the seconds they took."""
        label = f'{{model_name="{self._settings.models[0]}"}}'
        values = {
            "num_requests_running": self._running,
            "num_requests_waiting": self._waiting,
            "kv_cache_usage_perc": 0,
            "request_success_total": self._answered,
            "e2e_request_latency_seconds_sum": self._spent_s,
        }
        lines = [f"vllm:{name}{label} {float(value)}\n" for name, value in values.items()]
        return PlainTextResponse("".join(lines))

    async def control(self, request: Request) -> Response:
        """Show the behaviour, or replace it: what a PUT leaves out gets its default."""
        if request.method == "PUT":
            try:
                self.behave(Behaviour(**json.loads(await request.body())))
            except (ValueError, TypeError) as wrong:
                return JSONResponse({"detail": str(wrong)}, 400)
        return JSONResponse(asdict(self._behaviour))

    async def last(self, _: Request) -> Response:
        """The body of the last request, to be sent again as it came."""
        return Response(self._last, media_type=_JSON)

    async def models(self, request: Request) -> Response:
        """The models that are served."""
        if not self._knows(request):
            return faults.unauthorized()
        entries = tuple(
            ModelEntry(id=name, owned_by="mock", max_model_len=self._settings.max_model_len)
            for name in self._settings.models
        )
        return Response(ModelList(data=entries).to_json(), media_type=_JSON)

    async def chat(self, request: Request) -> Response:
        """`POST /v1/chat/completions`."""
        return await self._served(request, self._chat)

    async def tilt(self, request: Request) -> Response:
        """`POST /v1/tilt/answers`."""
        return await self._served(request, self._tilt)

    async def _served(
        self, request: Request, answer: Callable[[Request, bytes, Fault], Awaitable[Response]]
    ) -> Response:
        """Key, fault, place in the queue, then the answer; given up when the client goes."""
        started = time.perf_counter()
        if not self._knows(request):
            return faults.unauthorized()
        raw = self._last = await request.body()
        fault = self._script.next()
        if fault.name != "ok" and fault.name not in TEXT_FAULTS | {"stream-error"}:
            self._dying = self._dying or fault.name == "die"
            model = self._settings.models[0]
            return await faults.bad_answer(fault, request, model, self._settings.die)
        try:
            async with self._seat():
                response = await _while_connected(request, answer(request, raw, fault))
        except Refused as refused:
            return refused.response
        except Error as error:
            return faults.error(400, error.message, "BadRequestError")
        self._answered += 1
        self._spent_s += time.perf_counter() - started
        return response

    async def _chat(self, http: Request, raw: bytes, fault: Fault) -> Response:
        request = understood(raw, ChatRequest)
        model = self._model(request.model)
        documents = self._settings.documents
        prompt_tokens = check_chat(request, self._settings.max_model_len, documents=documents)
        await asyncio.sleep(self._behaviour.latency_s)
        text = await run_in_threadpool(self._text, request)
        if fault.name in TEXT_FAULTS:
            text = faults.spoiled(text, fault)
        left = self._settings.max_model_len - prompt_tokens
        written = write(
            text,
            "length" if fault.name == "length" else "stop",
            min(request.max_tokens or left, left),
            prompt_tokens,
        )
        answer_id = f"chatcmpl-{_request_id(http)}"
        if request.stream:
            wants_usage = bool(json.loads(raw).get("stream_options", {}).get("include_usage"))
            fails = fault.name == "stream-error"
            events = streamed(written, answer_id, model, usage=wants_usage, fails=fails)
            return StreamingResponse(events, media_type="text/event-stream")
        if fault.name == "stream-error":
            return faults.engine_failed()
        return _answer(http, chat_response(written, request, answer_id, model))

    def _text(self, request: ChatRequest) -> str:
        """What the model says about the images or the document in the messages; else nulls."""
        parts = [p for m in request.messages if not isinstance(m.content, str) for p in m.content]
        documents = [p.ocr_document for p in parts if isinstance(p, DocumentPart)]
        images = [p.image_url.url for p in parts if isinstance(p, ImagePart)]
        wanted = request.response_format and request.response_format.json_schema
        names = answers.property_names(wanted.json_schema) if wanted else frozenset()
        if documents:
            values = self._reader.words(documents[-1], names)
        else:
            values = self._reader.images(images, names)
        if wanted:
            return answers.filled(wanted.json_schema, values)
        if documents:
            question = " ".join(p.text for p in parts if isinstance(p, TextPart))
            return answers.answer_to("", question, values)[0]
        return answers.free_text(values)

    async def _tilt(self, http: Request, raw: bytes, fault: Fault) -> Response:
        request = understood(raw, AnswersRequest)
        model = self._model(request.model)
        for page in request.document.pages:
            check_image(page.image.url)
        await asyncio.sleep(self._behaviour.latency_s)
        names = frozenset(question.name for question in request.questions)
        values = await run_in_threadpool(self._reader.words, request.document, names)
        cut = fault.name == "length"
        found = []
        for question in request.questions:
            text, score = answers.answer_to(question.name, question.text, values)
            kept = text[: len(text) // 2] if cut else text
            if fault.name == "prose" and text:
                kept = faults.PROSE
            found.append(
                QuestionAnswer(
                    name=question.name,
                    text=kept,
                    score=score,
                    finish_reason="length" if cut else "stop",
                )
            )
        words = sum(len(page.words) for page in request.document.pages)
        body = AnswersResponse(
            id=f"tilt-{_request_id(http)}",
            model=model,
            answers=tuple(found),
            usage=Usage(prompt_tokens=words * len(found), total_tokens=words * len(found)),
        ).to_json()
        if fault.name == "nan":
            body = body.replace(b'"score":', b'"score":NaN,"was":')
        return _answer(http, body[:-1] if fault.name == "broken" else body)

    def _model(self, name: str | None) -> str:
        """The model asked for; left out it is the first. Raises `Refused`."""
        if name is None:
            return self._settings.models[0]
        if name not in self._settings.models:
            raise Refused(faults.unknown_model(name, ", ".join(self._settings.models)))
        return name

    def _knows(self, request: Request) -> bool:
        if not self._settings.api_key:
            return True
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(key.encode(), self._settings.api_key.encode())
        return scheme.lower() == "bearer" and known

    @asynccontextmanager
    async def _seat(self) -> AsyncIterator[None]:
        """One of the places to be answered. Raises `Refused` when as many as may wait do."""
        limit = self._behaviour
        full = self._running >= limit.max_running
        if full and limit.max_queued is not None and self._waiting >= limit.max_queued:
            raise Refused(faults.full())
        async with self._room:
            self._waiting += 1
            try:
                await self._room.wait_for(lambda: self._running < self._behaviour.max_running)
            finally:
                self._waiting -= 1
            self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            async with self._room:
                self._room.notify()


async def _while_connected(request: Request, answer: Awaitable[Response]) -> Response:
    """The answer, given up when the client goes: vLLM aborts a request whose client left."""
    working = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(faults.until_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else Response(status_code=499)
    finally:
        working.cancel()
        gone.cancel()


def _answer(request: Request, body: bytes) -> Response:
    return Response(body, media_type=_JSON, headers={"X-Request-Id": _request_id(request)})


def _request_id(request: Request) -> str:
    if not hasattr(request.state, "request_id"):
        request.state.request_id = request.headers.get("x-request-id") or uuid.uuid4().hex
    return str(request.state.request_id)


def _detail(text: str, status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(_: Request, __: Exception) -> Response:
        return JSONResponse({"detail": text}, status)

    return handler
