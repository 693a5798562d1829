"""The rows of what an inference server may do wrong: how, how often it is asked, what is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bad_upstream import (
    GOOD_BODY,
    Step,
    answer,
    drip,
    endless,
    gzip_bomb,
    hang,
    raw,
    then_close,
    then_reset,
)

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b" " * 65536 + b"\r\n"
SERVER_ERROR = b'{"error": {"message": "EngineCore", "type": "InternalServerError", "code": 500}}'
ATTEMPTS = 3
"""Of a call whose failure may pass."""

_STATUS = {"inference_unavailable": 503, "inference_timeout": 504, "inference_bad_output": 502}


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail: what is done on the wire, and what a caller is told of it."""

    step: Step
    reason: str
    code: str
    attempts: int

    @property
    def status(self) -> int:
        """Of the service's answer."""
        return _STATUS[self.code]


def _unavailable(step: Step, reason: str, attempts: int = ATTEMPTS) -> Fault:
    return Fault(step, reason, "inference_unavailable", attempts)


def _nonsense(step: Step) -> Fault:
    return Fault(step, "not_the_protocol", "inference_bad_output", ATTEMPTS)


def _late(step: Step) -> Fault:
    return Fault(step, "timeout", "inference_timeout", 1)


def _refused(step: Step, reason: str) -> Fault:
    return Fault(step, reason, "inference_bad_output", 1)


def _good_with(old: bytes, new: bytes) -> Step:
    changed = GOOD_BODY.replace(old, new)
    assert changed != GOOD_BODY
    return answer(changed)


def _says(message: str, status: str, param: str | None = None) -> Step:
    """vLLM's error of today; in 0.8 the same lies flat."""
    code = int(status[:3])
    error = {"message": message, "type": "BadRequestError", "param": param, "code": code}
    return answer(json.dumps({"error": error}).encode(), status)


_FLAT = (
    b'{"object": "error", "message": "maximum context length is 4096 tokens", '
    b'"type": "BadRequestError", "param": null, "code": 400}'
)

FAULTS: Mapping[str, Fault] = {
    "reset before the answer": _unavailable(then_reset(), "reset"),
    "closed without an answer": _unavailable(then_close(), "reset"),
    "reset in the headers": _unavailable(then_reset(raw(OK_HEAD)), "reset"),
    "reset in the body": _unavailable(then_reset(answer(GOOD_BODY, length=9999)), "reset"),
    "closed in the body": _unavailable(then_close(answer(GOOD_BODY, length=9999)), "reset"),
    "cut chunk": _unavailable(then_close(raw(OK_HEAD + CHUNKED + b"ffff\r\n{")), "reset"),
    "garbage": _unavailable(then_close(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")), "reset"),
    "300 kB header": _unavailable(
        then_close(raw(OK_HEAD + b"X: " + b"a" * 300_000 + b"\r\n\r\n")), "reset"
    ),
    "hang": _late(hang),
    "headers dripped": _late(drip(b"HTTP/1.1 200 OK\r\nX:")),
    "body dripped": _late(drip(OK_HEAD + b"Content-Length: 99999\r\n\r\n")),
    "429, Retry-After as a date": _unavailable(
        answer(b"", "429 Too Many Requests", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT"), "busy"
    ),
    "503": _unavailable(answer(b"", "503 Service Unavailable"), "busy"),
    "503, Retry-After in seconds": _unavailable(
        answer(b"", "503 Service Unavailable", "Retry-After: 86400"), "busy"
    ),
    "503, Retry-After is nonsense": _unavailable(
        answer(b"", "503 Service Unavailable", "Retry-After: -soon"), "busy"
    ),
    "500": _unavailable(answer(SERVER_ERROR, "500 Internal Server Error"), "server_error"),
    "500 in HTML": _unavailable(answer(b"<html>", "500 Internal Server Error"), "server_error"),
    "502 of a proxy": _unavailable(answer(b"<html>", "502 Bad Gateway"), "server_error"),
    "504 of a proxy": _late(answer(b"", "504 Gateway Timeout")),
    "200 in HTML": _nonsense(answer(b"<html>please wait</html>")),
    "200, empty": _nonsense(answer(b"")),
    "204": _nonsense(raw(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "cut JSON": _nonsense(answer(GOOD_BODY[:-20])),
    "invalid UTF-8": _nonsense(_good_with(b"fine", b"\xff\xfe")),
    "NaN": _nonsense(_good_with(b'"index": 0', b'"index": NaN')),
    "200,000 `[`": _nonsense(answer(b"[" * 200_000)),
    "5,000-digit integer": _nonsense(_good_with(b'"index": 0', b'"index": ' + b"9" * 5000)),
    "`choices: []`": _nonsense(answer(b'{"choices": []}')),
    "gzip bomb": _nonsense(gzip_bomb()),
    "endless answer": _refused(endless(OK_HEAD + CHUNKED, CHUNK), "answer_too_large"),
    "endless error": _refused(
        endless(b"HTTP/1.1 400 Bad Request\r\n" + CHUNKED, CHUNK), "request_refused"
    ),
    "redirect to the metadata address": _unavailable(
        answer(b"", "307 Temporary Redirect", "Location: http://169.254.169.254/latest/"),
        "redirect",
        attempts=1,
    ),
    "401, the error a string": _unavailable(
        answer(b'{"error": "Unauthorized"}', "401 Unauthorized"), "key_refused", attempts=1
    ),
    "403": _unavailable(answer(b"<html>", "403 Forbidden"), "key_refused", attempts=1),
    "404, model unknown": _unavailable(
        _says("The model `x` does not exist.", "404 Not Found", "model"),
        "model_unknown",
        attempts=1,
    ),
    "404, route unknown": _unavailable(
        answer(b'{"detail": "Not Found"}', "404 Not Found"), "route_unknown", attempts=1
    ),
    "400, too many tokens": _refused(
        _says("too long", "400 Bad Request", "input_tokens"), "too_many_tokens"
    ),
    "400, flat as in vLLM 0.8": _refused(answer(_FLAT, "400 Bad Request"), "too_many_tokens"),
    "400, the grammar does not compile": _refused(
        _says("The provided JSON schema contains features not supported", "400 Bad Request"),
        "schema_refused",
    ),
    "400, anything else": _refused(_says("bad image", "400 Bad Request"), "request_refused"),
}

ENDLESS = {"hang", "headers dripped", "body dripped"}
"""Those that only a time-out ends."""


def documented() -> str:
    """The rows as docs/inference.md has them."""
    lines = ["| what it does | attempts | answer | `details.reason` |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {fault.attempts} | {fault.status} `{fault.code}` | `{fault.reason}` |"
        for name, fault in FAULTS.items()
    ]
    return "\n".join(lines)
