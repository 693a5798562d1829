"""The one exception that the library raises: a stable code, a kind, a message safe to show."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What sort of failure it is; the application maps each kind to one HTTP status."""

    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    UNPROCESSABLE = "unprocessable"
    RATE_LIMITED = "rate_limited"
    INTERNAL = "internal"
    BAD_UPSTREAM = "bad_upstream"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"


class Error(Exception):
    """A failure with a stable code.

    `message` and `details` reach the caller: they never hold a path, a secret, document content
    or the text of a foreign exception. `retryable` says whether the same work may succeed later.
    """

    def __init__(
        self,
        code: str,
        kind: Kind,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        retryable: bool = False,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.kind = kind
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.retryable = retryable

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with every field: errors cross process borders (decoder and OCR workers)."""
        return _rebuild, (self.code, self.kind, self.message, self.details, self.retryable)


def _rebuild(
    code: str, kind: Kind, message: str, details: dict[str, Any], retryable: bool
) -> Error:
    return Error(code, kind, message, details, retryable=retryable)
