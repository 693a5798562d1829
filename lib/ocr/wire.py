"""What passes between the pool and its worker processes: images one way, readings the other."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from lib.domain.document import Line, PageImage, Word
from lib.domain.geometry import Polygon
from lib.errors import Error, Kind
from lib.ocr.engine import OrientedReading

# JSON rather than pickle: a worker that a hostile page has taken over must not reach its parent.

_IMAGE = struct.Struct("<III")  # threads, width, height; then width * height * 3 bytes of pixels
_REPLY = struct.Struct("<I")  # length of the JSON that follows
_RECEIVED = b"\x06"  # ASCII's acknowledge
_LONGEST_FAULT = 500
_LONGEST_REPLY = 64 << 20  # a page of 100,000 words has 20 MB


@dataclass(frozen=True, slots=True)
class Reply:
    """A worker's word: that it has loaded (`engine`), a page's reading, or a failure.

    `fault` is the type and place of an exception that nobody expected, without its text. `resident`
    is the worker's resident memory in bytes when it spoke.
    """

    resident: int
    engine: str | None = None
    reading: OrientedReading | None = None
    error: Error | None = None
    fault: str = ""


def send_image(stream: BinaryIO, image: PageImage, threads: int) -> None:
    """Write a page image, and how many threads may work on it; BrokenPipeError when the reader is
    gone.
    """
    stream.write(_IMAGE.pack(threads, image.width, image.height))
    stream.write(image.pixels)
    stream.flush()


def receive_image(stream: BinaryIO) -> tuple[PageImage, int]:
    """Read a page image and its number of threads; EOFError when the writer is gone."""
    threads, width, height = _IMAGE.unpack(_exactly(stream, _IMAGE.size))
    return PageImage(width, height, _exactly(stream, width * height * 3)), threads


def send_received(stream: BinaryIO) -> None:
    """Say that the whole image has come, before a look at it."""
    stream.write(_RECEIVED)
    stream.flush()


def receive_received(stream: BinaryIO) -> None:
    """Wait for that; EOFError when the worker is gone, ValueError when it says something else."""
    if _exactly(stream, len(_RECEIVED)) != _RECEIVED:
        raise ValueError("not an acknowledgement")


def send_reply(stream: BinaryIO, reply: Reply) -> None:
    """Write a reply; BrokenPipeError when the reader is gone."""
    body = orjson.dumps(
        {
            "resident": reply.resident,
            "engine": reply.engine,
            "reading": _reading_to_json(reply.reading) if reply.reading else None,
            "error": _error_to_json(reply.error) if reply.error else None,
            "fault": reply.fault,
        }
    )
    stream.write(_REPLY.pack(len(body)))
    stream.write(body)
    stream.flush()


def receive_reply(stream: BinaryIO) -> Reply:
    """Read a reply; EOFError when the writer is gone, ValueError when it is no reply."""
    (length,) = _REPLY.unpack(_exactly(stream, _REPLY.size))
    if length > _LONGEST_REPLY:
        raise ValueError("reply too long")
    body = orjson.loads(_exactly(stream, length))
    try:
        return Reply(
            resident=int(body["resident"]),
            engine=str(body["engine"]) if body["engine"] else None,
            reading=_reading_from_json(body["reading"]) if body["reading"] else None,
            error=_error_from_json(body["error"]) if body["error"] else None,
            fault=str(body["fault"])[:_LONGEST_FAULT],
        )
    except (KeyError, TypeError) as misshapen:
        raise ValueError("not a reply") from misshapen


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _reading_to_json(reading: OrientedReading) -> dict[str, Any]:
    return {
        "rotation": reading.rotation,
        "width": reading.width,
        "height": reading.height,
        "lines": [
            [(word.text, word.confidence, word.polygon.corners) for word in line.words]
            for line in reading.lines
        ],
    }


def _reading_from_json(body: dict[str, Any]) -> OrientedReading:
    return OrientedReading(
        lines=tuple(
            Line(tuple(_word(text, confidence, corners) for text, confidence, corners in words))
            for words in body["lines"]
        ),
        rotation=int(body["rotation"]),
        width=int(body["width"]),
        height=int(body["height"]),
    )


def _word(text: Any, confidence: Any, corners: Any) -> Word:
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return Word(str(text), Polygon((a, b, c, d)), float(confidence))


def _error_to_json(error: Error) -> dict[str, Any]:
    return {
        "code": error.code,
        "kind": error.kind.value,
        "message": error.message,
        "details": error.details,
        "retryable": error.retryable,
    }


def _error_from_json(body: dict[str, Any]) -> Error:
    return Error(
        str(body["code"]),
        Kind(body["kind"]),
        str(body["message"]),
        dict(body["details"]),
        retryable=bool(body["retryable"]),
    )
