"""How the mock misbehaves: a script of faults, one a request, and the bytes of each."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

NAMES = {
    "ok": "a good answer",
    "401": "the key is refused",
    "404": "the model is unknown",
    "429": "too many requests; `429:7` with Retry-After: 7",
    "500": "the engine failed",
    "503": "the queue is full; `503:7` with Retry-After: 7",
    "html": "200 with a web page, as a proxy answers",
    "hang": "no answer until the client goes",
    "drip": "200 and a blank every tenth of a second",
    "reset": "the connection is reset instead of an answer",
    "500-reset": "500, and the kept-alive connection is reset after it",
    "length": "the answer is cut in half, with finish_reason `length`",
    "broken": "JSON that is none, with finish_reason `stop`",
    "nan": "numbers that are none, with finish_reason `stop`",
    "prose": "words instead of values, with finish_reason `stop`",
    "stream-error": "a stream that stays 200 and ends with an error, as vLLM's do",
    "die": "the engine dies: 500 for this request, then the process ends with status 0",
}
TEXT_FAULTS = frozenset({"length", "broken", "nan", "prose"})
"""Faults of the text that the model wrote, in an answer that is otherwise good."""

PROSE = "It is printed on the document."
"""What a model writes that talks about a value."""

_STEP = re.compile(r"(?P<name>[a-z0-9-]+)(:(?P<seconds>\d+))?(\*(?P<times>\d*))?")
_DRIP_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Fault:
    """One step of a script: a name of `NAMES`, and its Retry-After if any."""

    name: str
    seconds: str | None = None


class Script:
    """Faults for the requests to come, then good answers.

    Written `503:2*3,hang,reset*`: three times 503, a hang, then resets for good.
    """

    def __init__(self, text: str) -> None:
        """Raises ValueError for a fault that there is none of."""
        self._steps: list[tuple[Fault, int | None]] = []
        for item in filter(None, (part.strip() for part in text.split(","))):
            found = _STEP.fullmatch(item)
            if found is None or found["name"] not in NAMES:
                raise ValueError(f"no fault {item!r}; there are {', '.join(NAMES)}")
            times = found["times"]
            count = 1 if times is None else int(times) if times else None
            self._steps.append((Fault(found["name"], found["seconds"]), count))

    def next(self) -> Fault:
        """The fault of the next request."""
        while self._steps:
            fault, left = self._steps[0]
            if left == 0:
                self._steps.pop(0)
                continue
            if left is not None:
                self._steps[0] = (fault, left - 1)
            return fault
        return Fault("ok")


def error(
    status: int, message: str, kind: str, param: str | None = None, seconds: str | None = None
) -> JSONResponse:
    """An error as vLLM writes it."""
    body = {"message": message, "type": kind, "param": param, "code": status}
    headers = {"Retry-After": seconds} if seconds else None
    return JSONResponse({"error": body}, status, headers)


def unauthorized() -> JSONResponse:
    """vLLM's 401, whose error is a string."""
    return JSONResponse({"error": "Unauthorized"}, 401)


def unknown_model(name: str, served: str) -> JSONResponse:
    """vLLM's 404 for a model."""
    message = f"The model `{name}` does not exist. Valid aliases: {served}."
    return error(404, message, "NotFoundError", "model")


def full(seconds: str | None = None) -> JSONResponse:
    """vLLM's 503 over `--max-num-queued-reqs`, without Retry-After unless one is wanted."""
    message = (
        "The engine is currently busy and cannot accept new requests. "
        "Please try again later or on a different instance."
    )
    return error(503, message, "Service Unavailable", seconds=seconds)


def engine_failed() -> JSONResponse:
    """vLLM's 500 when the engine is gone."""
    return error(500, ENGINE_ISSUE, "InternalServerError")


ENGINE_ISSUE = "EngineCore encountered an issue. See stack trace (above) for the root cause."


async def bad_answer(
    fault: Fault, request: Request, model: str, die: Callable[[], None]
) -> Response:
    """The answer of a fault that is not about the model's text. May never return."""
    name = fault.name
    if name == "401":
        return unauthorized()
    if name == "404":
        return unknown_model(model, "another")
    if name == "429":
        return error(429, "Too many requests.", "RateLimitError", seconds=fault.seconds)
    if name == "503":
        return full(fault.seconds)
    if name == "html":
        return Response("<html><title>Just a moment...</title></html>", media_type="text/html")
    if name == "hang":
        await until_gone(request)
    if name in ("hang", "reset"):
        _transport(request).abort()
    if name == "drip":
        return StreamingResponse(_dripping(), media_type="application/json")
    if name == "die":
        asyncio.get_running_loop().call_later(0.2, die)
    if name == "500-reset":
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, _transport(request).abort)
    return engine_failed()


def spoiled(text: str, fault: Fault) -> str:
    """The model's text as a text fault leaves it."""
    if fault.name == "length":
        return text[: max(1, len(text) // 2)]
    if fault.name == "broken":
        return text.replace(":", " ", 1) + ","
    if fault.name == "prose":
        return PROSE
    return json.dumps({name: float("nan") for name in json.loads(text)})


async def until_gone(request: Request) -> None:
    """Until the client of a request whose body was read has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _dripping() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(_DRIP_EVERY_S)


def _transport(request: Request) -> asyncio.Transport:
    """The connection itself, which `MockProtocol` puts into the scope."""
    transport: asyncio.Transport = request.scope["state"]["transport"]
    return transport
