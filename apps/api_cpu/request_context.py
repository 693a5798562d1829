"""What is known about a request while it runs, and how its id is formed."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import HTTPConnection
from starlette.types import Scope

from lib.domain.tracing import NO_SPAN, Span

REQUEST_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
_REQUEST_ID = re.compile(REQUEST_ID_PATTERN.removesuffix("$") + r"\Z")
_STATE_KEY = "request_context"


@dataclass(slots=True)
class RequestContext:
    """Filled in as the request is understood; the access log and the envelope read it.

    `headers` are sent with its answer, whatever that is. `job_id`: the job that it belongs to, or
    has become. `span` is what is done for it in a trace. `made_id`: the id that was made for it,
    which nobody else can have.
    """

    request_id: str
    key_id: str | None = None
    job_id: str | None = None
    span: Span = NO_SPAN
    made_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def is_request_id(text: str) -> bool:
    """Whether `text` has the form of the API contract."""
    return _REQUEST_ID.match(text) is not None


def new_request_id() -> str:
    """A UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds & ((1 << 48) - 1)) << 80
    number |= 0x7 << 76 | secrets.randbits(12) << 64
    number |= 0b10 << 62 | secrets.randbits(62)
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def attach(scope: Scope, context: RequestContext) -> None:
    """Put the context where `context_of` finds it."""
    scope.setdefault("state", {})[_STATE_KEY] = context


def context_of(connection: HTTPConnection) -> RequestContext:
    """The context of a request; the middleware has attached it."""
    return context_in(connection.scope)


def context_in(scope: Scope) -> RequestContext:
    """The same, for who has the scope only."""
    return cast(RequestContext, scope["state"][_STATE_KEY])


def has_context(scope: Scope) -> bool:
    """Whether the middleware has seen this request already."""
    return _STATE_KEY in scope.get("state", {})
