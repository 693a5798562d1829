"""How asking an inference server can fail, and what that means for a retry and the caller."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from math import ceil
from typing import Any

from lib.errors import Error, Kind


class Again(StrEnum):
    """Whether the same request may succeed when it is sent again."""

    NEVER = "never"
    ELSEWHERE = "elsewhere"
    ANYWHERE = "anywhere"


class Cause(StrEnum):
    """Why an attempt failed; the words of `details["reason"]` and of the metrics.

    `STALE_CONNECTION` is none: the request was sent again on a new connection at once.
    """

    CONNECT = "connect"
    RESET = "reset"
    STALE_CONNECTION = "stale_connection"
    TIMEOUT = "timeout"
    NO_CONNECTION_FREE = "no_connection_free"
    BUSY = "busy"
    SERVER_ERROR = "server_error"
    REDIRECT = "redirect"
    KEY_REFUSED = "key_refused"
    MODEL_UNKNOWN = "model_unknown"
    ROUTE_UNKNOWN = "route_unknown"
    NOT_THE_PROTOCOL = "not_the_protocol"
    ANSWER_TOO_LARGE = "answer_too_large"
    TOO_MANY_TOKENS = "too_many_tokens"
    SCHEMA_REFUSED = "schema_refused"
    REQUEST_REFUSED = "request_refused"
    ALL_DOWN = "all_down"

    @property
    def needs_mending(self) -> bool:
        """Whether no waiting helps: key, model or address are wrong."""
        return not _MEANINGS[self].retryable and _MEANINGS[self].again is Again.ELSEWHERE


@dataclass(frozen=True, slots=True)
class _Meaning:
    message: str
    again: Again
    code: str
    blames_server: bool = True
    retryable: bool = True


_LONGEST_ADVICE_S = 300.0
"""What a caller is told to wait at most, whatever a server says."""

_UNAVAILABLE, _TIMEOUT, _BAD = "inference_unavailable", "inference_timeout", "inference_bad_output"
_KINDS = {_UNAVAILABLE: Kind.UNAVAILABLE, _TIMEOUT: Kind.TIMEOUT, _BAD: Kind.BAD_UPSTREAM}

# A time-out is not repeated where it happened: the server may still be at work on the request.
# What a pod refuses (key, model, route) the next may accept; a refused request none will.
_MEANINGS: Mapping[Cause, _Meaning] = {
    Cause.CONNECT: _Meaning(
        "The inference server cannot be reached.", Again.ANYWHERE, _UNAVAILABLE
    ),
    Cause.RESET: _Meaning(
        "The inference server broke the connection off.", Again.ANYWHERE, _UNAVAILABLE
    ),
    Cause.TIMEOUT: _Meaning(
        "The inference server did not answer in time.", Again.ELSEWHERE, _TIMEOUT
    ),
    Cause.NO_CONNECTION_FREE: _Meaning(
        "Too many requests are under way.", Again.ELSEWHERE, _UNAVAILABLE, blames_server=False
    ),
    Cause.BUSY: _Meaning(
        "The inference server is busy.", Again.ANYWHERE, _UNAVAILABLE, blames_server=False
    ),
    Cause.SERVER_ERROR: _Meaning("The inference server failed.", Again.ANYWHERE, _UNAVAILABLE),
    Cause.REDIRECT: _Meaning(
        "The inference server's address leads elsewhere.",
        Again.ELSEWHERE,
        _UNAVAILABLE,
        retryable=False,
    ),
    Cause.KEY_REFUSED: _Meaning(
        "The inference server refuses our key.", Again.ELSEWHERE, _UNAVAILABLE, retryable=False
    ),
    Cause.MODEL_UNKNOWN: _Meaning(
        "The inference server does not have the model.",
        Again.ELSEWHERE,
        _UNAVAILABLE,
        retryable=False,
    ),
    Cause.ROUTE_UNKNOWN: _Meaning(
        "The inference server does not have the route.",
        Again.ELSEWHERE,
        _UNAVAILABLE,
        retryable=False,
    ),
    Cause.NOT_THE_PROTOCOL: _Meaning(
        "The inference server's answer is not one of the protocol.", Again.ANYWHERE, _BAD
    ),
    Cause.ANSWER_TOO_LARGE: _Meaning(
        "The inference server's answer is too large.", Again.NEVER, _BAD, retryable=False
    ),
    Cause.TOO_MANY_TOKENS: _Meaning(
        "The document and its answer do not fit the model.",
        Again.NEVER,
        _BAD,
        blames_server=False,
        retryable=False,
    ),
    Cause.SCHEMA_REFUSED: _Meaning(
        "The inference server cannot hold the model to the schema.",
        Again.NEVER,
        _BAD,
        blames_server=False,
        retryable=False,
    ),
    Cause.REQUEST_REFUSED: _Meaning(
        "The inference server refuses the request.",
        Again.NEVER,
        _BAD,
        blames_server=False,
        retryable=False,
    ),
    Cause.ALL_DOWN: _Meaning("No inference server is available.", Again.NEVER, _UNAVAILABLE),
}


class Failure(Exception):
    """An attempt that failed. Stays inside this package; `error` is what leaves it."""

    def __init__(
        self,
        cause: Cause,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(cause.value)
        self.cause = cause
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def again(self) -> Again:
        """Whether the same request may succeed when it is sent again."""
        return _MEANINGS[self.cause].again

    @property
    def blames_server(self) -> bool:
        """Whether the server is failing, rather than busy or right."""
        return _MEANINGS[self.cause].blames_server

    def error(self, attempts: tuple[str, ...]) -> Error:
        """What the caller is told; `attempts` are the causes of all that failed, in order."""
        meaning = _MEANINGS[self.cause]
        details: dict[str, Any] = {"reason": self.cause.value, "attempts": list(attempts)}
        if self.status is not None:
            details["upstream_status"] = self.status
        if meaning.code == _UNAVAILABLE:
            asked_for_s = min(self.retry_after_s or 0.0, _LONGEST_ADVICE_S)
            details["retry_after_s"] = max(1, ceil(asked_for_s))
        return Error(
            meaning.code,
            _KINDS[meaning.code],
            meaning.message,
            details,
            retryable=meaning.retryable,
        )


def out_of_time(attempts: tuple[str, ...]) -> Error:
    """The deadline passed: `inference_timeout`, whatever was tried until then."""
    return Failure(Cause.TIMEOUT).error(attempts)


_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_KEY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_LATE = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT, 522, 524}  # 52x: Cloudflare
_ROUTE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}
_TOO_LONG = re.compile(r"maximum (context|model) length|context length|too long|longer than", re.I)
_TOKEN_PARAMS = {"input_tokens", "max_tokens"}
_TOKEN_REASONS = {"too_many_pages", "too_many_words"}
_GRAMMAR = re.compile(r"schema|grammar|xgrammar|guidance|structured", re.I)


def failure_of(status: int, retry_after_s: float | None, body: bytes) -> Failure:
    """What an answer other than 200 means; seconds as its `Retry-After` asks for."""
    told = _told(body)
    if status in _BUSY:
        cause = Cause.BUSY
    elif status in _KEY:
        cause = Cause.KEY_REFUSED
    elif status in _LATE:
        cause = Cause.TIMEOUT
    elif status in _ROUTE:
        cause = Cause.MODEL_UNKNOWN if told.names_model else Cause.ROUTE_UNKNOWN
    elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        cause = Cause.TOO_MANY_TOKENS
    elif 300 <= status < 400:
        cause = Cause.REDIRECT
    elif 400 <= status < 500:
        cause = told.refusal
    elif status >= 500:
        cause = Cause.SERVER_ERROR
    else:
        cause = Cause.NOT_THE_PROTOCOL
    return Failure(cause, status=status, retry_after_s=retry_after_s)


@dataclass(frozen=True, slots=True)
class _Told:
    """What an error body says: its words are used to judge and go no further."""

    message: str = ""
    type: str = ""
    param: str = ""
    reason: str = ""  # our own TILT server's stable word

    @property
    def names_model(self) -> bool:
        return self.param == "model" or (self.type == "NotFoundError" and "model" in self.message)

    @property
    def refusal(self) -> Cause:
        too_long = self.param in _TOKEN_PARAMS or self.reason in _TOKEN_REASONS
        if too_long or _TOO_LONG.search(self.message):
            return Cause.TOO_MANY_TOKENS
        if not self.param and _GRAMMAR.search(self.message):
            return Cause.SCHEMA_REFUSED
        return Cause.REQUEST_REFUSED


def _told(body: bytes) -> _Told:
    """Any of the four shapes: nested, flat (vLLM 0.8), a string (its 401), FastAPI's `detail`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _Told()
    if not isinstance(found, dict):
        return _Told()
    error = found.get("error", found)
    if not isinstance(error, dict):
        return _Told(message=str(error))

    def text(name: str) -> str:
        return str(error.get(name) or "")

    return _Told(text("message") or text("detail"), text("type"), text("param"), text("reason"))
