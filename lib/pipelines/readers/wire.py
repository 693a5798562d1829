"""What passes between a server and its field readers: a length, then JSON of a fixed shape."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from lib.errors import Error, Kind

# JSON rather than pickle: a reader that a hostile document has taken over must not reach further.

LENGTH = struct.Struct("<I")
LONGEST = 256 << 20
"""Bytes of a message. Of a document at most 30,000 words are interpreted, which is 4 MB."""

RECEIVED = b"\x06"  # ASCII's acknowledge
"""What a reader says at once when it has a whole message, before it looks into it."""

_LONGEST_FAULT = 500


class Step(StrEnum):
    """What a reader is asked to do. FOUND and FINISH are about the document that EXTRACT brought,
    FINISH_OVER brings one with what has been found in it.
    """

    EXTRACT = "extract"
    FOUND = "found"
    FINISH = "finish"
    FINISH_OVER = "finish_over"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reader's word: that it is ready (no answer), an answer, or a failure.

    `fault` is the type and place of an exception that nobody expected, without its text. `resident`
    is the reader's resident memory in bytes when it spoke.
    """

    resident: int
    answer: Any = None
    error: Error | None = None
    fault: str = ""


def framed(message: Any) -> bytes:
    """A message with its length before it. Raises TypeError for text that is not Unicode."""
    body = orjson.dumps(message)
    return LENGTH.pack(len(body)) + body


def unframed(body: bytes | bytearray) -> Any:
    """The message in a body. Raises ValueError."""
    return orjson.loads(body)


def reply_to_json(reply: Reply) -> dict[str, Any]:
    """A reply as a message."""
    error = reply.error
    return {
        "resident": reply.resident,
        "answer": reply.answer,
        "error": None
        if error is None
        else [error.code, error.kind.value, error.message, error.details, error.retryable],
        "fault": reply.fault,
    }


def reply_from_json(message: Any) -> Reply:
    """A message as a reply. Raises ValueError where it is none."""
    try:
        return Reply(
            resident=int(message["resident"]),
            answer=message["answer"],
            error=_error(*message["error"]) if message["error"] else None,
            fault=str(message["fault"])[:_LONGEST_FAULT],
        )
    except (KeyError, TypeError) as misshapen:
        raise ValueError("not a reply") from misshapen


def _error(code: Any, kind: Any, message: Any, details: Any, retryable: Any) -> Error:
    return Error(str(code), Kind(kind), str(message), dict(details), retryable=bool(retryable))
