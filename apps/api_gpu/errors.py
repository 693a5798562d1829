"""Failures in vLLM's words: one table kind -> status and type, one body."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse

from lib.errors import Error, Kind

# The spelling of vLLM's OpenAI server since 0.9; clients judge by status and `code`.
_BY_KIND: dict[Kind, tuple[HTTPStatus, str]] = {
    Kind.BAD_REQUEST: (HTTPStatus.BAD_REQUEST, "BadRequestError"),
    # vLLM answers a body of the wrong shape with 400 as well, never with 422.
    Kind.UNPROCESSABLE: (HTTPStatus.BAD_REQUEST, "BadRequestError"),
    Kind.UNSUPPORTED: (HTTPStatus.BAD_REQUEST, "BadRequestError"),
    Kind.NOT_FOUND: (HTTPStatus.NOT_FOUND, "NotFoundError"),
    Kind.METHOD_NOT_ALLOWED: (HTTPStatus.METHOD_NOT_ALLOWED, "BadRequestError"),
    Kind.TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BadRequestError"),
    Kind.INTERNAL: (HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError"),
    Kind.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailableError"),
    Kind.TIMEOUT: (HTTPStatus.GATEWAY_TIMEOUT, "TimeoutError"),
}
_RETRY_AFTER_S = 2.0


def error_response(error: Error) -> JSONResponse:
    """`{"error": {"message", "type", "param", "code"}}`, and our stable word in `reason`."""
    status, kind = _BY_KIND[error.kind]
    body: dict[str, Any] = {
        "message": error.message,
        "type": kind,
        "param": error.details.get("param"),
        "code": status.value,
        "reason": error.code,
    }
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        wait = float(error.details.get("retry_after_s", _RETRY_AFTER_S))
        headers["Retry-After"] = str(math.ceil(wait))
    return JSONResponse({"error": body}, status_code=status.value, headers=headers)


def unauthorized_response() -> JSONResponse:
    """401 with vLLM's body for it, which is a string."""
    return JSONResponse(
        {"error": "Unauthorized"}, status_code=401, headers={"WWW-Authenticate": "Bearer"}
    )


def refused(message: str, param: str, code: str = "validation_error") -> Error:
    """400 about one part of the request."""
    return Error(code, Kind.UNPROCESSABLE, message, {"param": param})


def not_found(message: str, param: str | None = None) -> Error:
    """404: an unknown address or model."""
    return Error("not_found", Kind.NOT_FOUND, message, {"param": param})


def too_large(limit_bytes: int) -> Error:
    """413: the body."""
    return Error(
        "payload_too_large", Kind.TOO_LARGE, f"The body has more than {limit_bytes} bytes."
    )


def busy(retry_after_s: float) -> Error:
    """503: as many documents as are allowed are here already."""
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "Too many documents are waiting.",
        {"retry_after_s": retry_after_s},
        retryable=True,
    )


def engine_died() -> Error:
    """500 to who was waiting when the engine died, as vLLM does; the process ends soon after."""
    return Error("inference_unavailable", Kind.INTERNAL, "The engine died.", retryable=True)


def unwell() -> Error:
    """503: the engine does not answer, or the server is stopping."""
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "The engine is not ready.",
        {"retry_after_s": 10},
        retryable=True,
    )


def timed_out(seconds: float) -> Error:
    """504: the whole request took too long."""
    return Error(
        "inference_timeout",
        Kind.TIMEOUT,
        f"Not answered within {seconds:g} seconds.",
        retryable=True,
    )


def internal() -> Error:
    """500 without a word of what happened; the log has it."""
    return Error("internal_error", Kind.INTERNAL, "The server failed; its log has the reason.")
