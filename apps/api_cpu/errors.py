"""Failures as callers see them: the table of codes, kind to HTTP status, exception to envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from apps.api_cpu.request_context import context_of
from apps.api_cpu.wire import WireResponse
from lib.errors import Error, Kind

STATUS: Mapping[Kind, HTTPStatus] = {
    Kind.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Kind.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Kind.UNPROCESSABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Kind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Kind.BAD_UPSTREAM: HTTPStatus.BAD_GATEWAY,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Kind.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One line of the error table."""

    code: str
    kind: Kind
    when: str

    @property
    def status(self) -> int:
        """Its HTTP status."""
        return STATUS[self.kind].value


ERROR_CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        "bad_request",
        Kind.BAD_REQUEST,
        "The body is not what its type promises: broken JSON, broken base64, broken multipart, "
        "or it never arrived in full.",
    ),
    ErrorCode(
        "unauthorized",
        Kind.UNAUTHORIZED,
        "No API key, or one that is unknown, expired or revoked; one message for all of them.",
    ),
    ErrorCode(
        "forbidden", Kind.FORBIDDEN, "The key lacks a scope; `details.required_scopes` names it."
    ),
    ErrorCode("not_found", Kind.NOT_FOUND, "No such address or id, or it is somebody else's."),
    ErrorCode(
        "method_not_allowed", Kind.METHOD_NOT_ALLOWED, "The address exists for other methods."
    ),
    ErrorCode(
        "conflict",
        Kind.CONFLICT,
        "The `request_id` or `run_id` has been used before; or the extraction has nothing to "
        "correct, or has been corrected too often.",
    ),
    ErrorCode(
        "idempotency_mismatch",
        Kind.CONFLICT,
        "The `Idempotency-Key` has been used for another address or another body.",
    ),
    ErrorCode(
        "idempotency_in_progress",
        Kind.CONFLICT,
        "The first request with this `Idempotency-Key` is still running; see `Retry-After`.",
    ),
    ErrorCode(
        "canceled",
        Kind.CONFLICT,
        "The extraction was canceled before it was read, with the job that it belonged to.",
    ),
    ErrorCode(
        "not_exportable",
        Kind.CONFLICT,
        "The extraction cannot be told as an e-invoice: `details.reason` is `not_an_invoice`, or "
        "`incomplete` with the business terms in `details.missing`; a correction can add them.",
    ),
    ErrorCode(
        "payload_too_large",
        Kind.TOO_LARGE,
        "The body or the document is too large; `details.limit` is the limit in bytes.",
    ),
    ErrorCode(
        "too_many_files",
        Kind.TOO_LARGE,
        "The upload has more files than allowed, counting the members of ZIPs; `details.limit` "
        "says how many.",
    ),
    ErrorCode(
        "unsupported_media_type",
        Kind.UNSUPPORTED,
        "Judged by its bytes, the content is no supported document; or the body is neither JSON "
        "nor multipart.",
    ),
    ErrorCode(
        "validation_error",
        Kind.UNPROCESSABLE,
        "A field is missing, unknown or out of range; `details.errors` lists each.",
    ),
    ErrorCode("unreadable_document", Kind.UNPROCESSABLE, "The document is damaged."),
    ErrorCode("encrypted_document", Kind.UNPROCESSABLE, "The document asks for a password."),
    ErrorCode(
        "too_many_pages",
        Kind.UNPROCESSABLE,
        "More pages than allowed; `details.limit` says how many.",
    ),
    ErrorCode("page_too_large", Kind.UNPROCESSABLE, "A page has too many pixels or is too long."),
    ErrorCode("empty_document", Kind.UNPROCESSABLE, "The document has no bytes or no pages."),
    ErrorCode(
        "input_not_persisted",
        Kind.CONFLICT,
        "The document was not kept, so that it cannot be read again or shown.",
    ),
    ErrorCode(
        "rate_limited",
        Kind.RATE_LIMITED,
        "Too many requests of this key, or too many wrong keys from this address; see "
        "`Retry-After`.",
    ),
    ErrorCode(
        "too_many_jobs",
        Kind.RATE_LIMITED,
        "Too many documents of this key wait in jobs; see `Retry-After`. `details.limit` is how "
        "many may.",
    ),
    ErrorCode(
        "internal_error", Kind.INTERNAL, "A fault of the server; the log has the request id."
    ),
    ErrorCode(
        "inference_bad_output",
        Kind.BAD_UPSTREAM,
        "The model answered, but not with what was asked, after the retries; "
        "`details.reason` says what was wrong with it.",
    ),
    ErrorCode(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "Too many extractions are waiting, the reader is not ready, or no inference server "
        "answers; see `Retry-After`.",
    ),
    ErrorCode(
        "storage_unavailable",
        Kind.UNAVAILABLE,
        "The artifact store or a database failed, or there is no room for artifacts "
        "(`details.reason` `no_room`: nothing was done, and the id is free); see `Retry-After`.",
    ),
    ErrorCode("shutting_down", Kind.UNAVAILABLE, "The server is stopping; see `Retry-After`."),
    ErrorCode(
        "inference_timeout",
        Kind.TIMEOUT,
        "Reading took longer than `SYNC_DEADLINE_S`, or the inference server than its time-outs.",
    ),
)

_RETRY_AFTER_S = 5
_RETRY_STATUSES = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


def internal_error() -> Error:
    """What a caller learns of an unexpected exception: nothing but that there was one."""
    return Error("internal_error", Kind.INTERNAL, "The server failed; its log has the reason.")


def not_found() -> Error:
    """For an unknown id and for somebody else's alike."""
    return Error("not_found", Kind.NOT_FOUND, "There is nothing here by that name.")


def invalid(field: str, message: str) -> Error:
    """`validation_error` about one field."""
    return _validation_error([{"field": field, "message": message}])


def from_validation(error: ValidationError | RequestValidationError) -> Error:
    """`validation_error` with each problem's field and message, and never the value sent."""
    problems = []
    for problem in error.errors()[:20]:
        place = [str(part) for part in problem["loc"]]
        if isinstance(error, RequestValidationError):
            place = place[1:]
        message = str(problem["msg"]).removeprefix("Value error, ")
        problems.append({"field": ".".join(place)[:200], "message": message})
    return _validation_error(problems)


def _validation_error(problems: Sequence[Mapping[str, str]]) -> Error:
    fields = ", ".join(f"`{problem['field']}`" for problem in problems[:5] if problem["field"])
    message = f"The request is not valid: {fields}." if fields else "The request is not valid."
    return Error("validation_error", Kind.UNPROCESSABLE, message, {"errors": list(problems)})


def status_of(error: Error) -> int:
    """The error's HTTP status."""
    return STATUS[error.kind].value


def error_of(body: Mapping[str, Any]) -> Error:
    """The error whose envelope's `error` was kept."""
    kinds = {entry.code: entry.kind for entry in ERROR_CODES}
    code = str(body["code"])
    kind = kinds.get(code, Kind.INTERNAL)
    return Error(code, kind, str(body["message"]), body.get("details"))


def envelope(error: Error, request_id: str) -> dict[str, Any]:
    """The body that every failure has."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "request_id": request_id,
            "details": error.details,
        }
    }


def error_response(error: Error, request_id: str) -> Response:
    """The envelope with its status and headers."""
    status = STATUS[error.kind]
    headers = {}
    if status in _RETRY_STATUSES or "retry_after_s" in error.details:
        headers["Retry-After"] = str(error.details.get("retry_after_s", _RETRY_AFTER_S))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return WireResponse(envelope(error, request_id), status_code=status.value, headers=headers)


def register(app: FastAPI) -> None:
    """Answer every exception that reaches the framework with the envelope.

    Unexpected ones are answered by the outermost middleware.
    """
    app.add_exception_handler(Error, _on_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)


def _respond(request: Request, error: Error) -> Response:
    return error_response(error, context_of(request).request_id)


def _on_error(request: Request, exc: Exception) -> Response:
    return _respond(request, exc if isinstance(exc, Error) else internal_error())


def _on_validation(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, RequestValidationError):
        return _respond(request, internal_error())
    return _respond(request, from_validation(exc))


def _on_http(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    if status == HTTPStatus.NOT_FOUND:
        return _respond(request, not_found())
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        response = _respond(
            request,
            Error(
                "method_not_allowed",
                Kind.METHOD_NOT_ALLOWED,
                "This address does not take that method.",
            ),
        )
        response.headers["Allow"] = ", ".join(_methods_of(request))
        return response
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _respond(
            request, Error("bad_request", Kind.BAD_REQUEST, "The request could not be understood.")
        )
    return _respond(request, internal_error())


def _methods_of(request: Request) -> list[str]:
    """What the address takes: the framework names the methods of its first route only."""
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
