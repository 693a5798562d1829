"""Messages between the server and a decoder process: a JSON head and raw bytes, over a socket.

No pickle: a decoder that a hostile document has taken over can send wrong data, but no code, and
everything that it sends is checked for type and size before it becomes a domain object.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from lib.domain.deadline import Deadline
from lib.domain.document import Line, PageImage, Word
from lib.domain.extraction import Candidate, RawExtraction, Source, Value
from lib.domain.geometry import Polygon
from lib.domain.page_images import EncodedImage, ImageLimits, PagePart
from lib.domain.source import EInvoice, SourcePage, TextLayer
from lib.domain.task import DocumentType
from lib.errors import Error, Kind
from lib.processes.sockets import Stream

_PREFIX = struct.Struct("!II")
MAX_HEAD_BYTES = 32_000_000
_SHORT = 1 << 16  # of a body that is sent in one piece with its head
# ITU-T T.81: a file begins with SOI and the next marker, and a side is a number of 16 bits.
_JPEG_BEGIN = b"\xff\xd8\xff"
_JPEG_SIDE_PX = 65_535

# What taking apart a message of the wrong shape raises.
_FORGED = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)


class Closed(Exception):
    """The other side has ended."""


class Malformed(Exception):
    """The other side sent something that is no message."""


class Channel:
    """One end of the conversation. Not safe to share between threads."""

    def __init__(self, connection: socket.socket) -> None:
        """`connection` does not block from now on."""
        self._stream = Stream(connection)

    def send(
        self,
        head: Mapping[str, Any],
        body: bytes | bytearray = b"",
        *,
        until: Deadline | None,
    ) -> None:
        """Send one message; TimeoutError past the deadline, `Closed` when nobody listens."""
        text = json.dumps(head, ensure_ascii=False).encode()
        begin = _PREFIX.pack(len(text), len(body)) + text
        try:
            if len(body) <= _SHORT:
                self._stream.send(begin + body, until)
            else:
                self._stream.send(begin, until)
                self._stream.send(body, until)
        except (BrokenPipeError, ConnectionError):
            raise Closed from None

    def receive(
        self, *, until: Deadline | None, max_body: int
    ) -> tuple[dict[str, Any], bytes | bytearray]:
        """The next message. Raises TimeoutError past the deadline, `Closed`, or `Malformed`."""
        try:
            prefix = self._stream.receive(_PREFIX.size, until)
            head_size, body_size = _PREFIX.unpack(prefix)
            if head_size > MAX_HEAD_BYTES or body_size > max_body:
                raise Malformed
            text = self._stream.receive(head_size, until)
            body = self._stream.receive(body_size, until)
        except (EOFError, ConnectionError):
            raise Closed from None
        try:
            head = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise Malformed from None
        if not isinstance(head, dict):
            raise Malformed
        return head, body

    @property
    def has_news(self) -> bool:
        """Whether there is something to receive, or the other side has ended; does not wait."""
        return self._stream.has_news

    def close(self) -> None:
        """End the conversation; the other side sees `Closed`."""
        self._stream.close()


def error_to_json(error: Error) -> dict[str, Any]:
    """An error as a message head."""
    return {
        "error": {
            "code": error.code,
            "kind": error.kind.value,
            "message": error.message,
            "details": error.details,
        }
    }


def error_from_json(found: Any) -> Error:
    """The error in a message head."""
    try:
        return Error(
            str(found["code"]), Kind(found["kind"]), str(found["message"]), dict(found["details"])
        )
    except _FORGED:
        raise Malformed from None


def page_to_json(page: SourcePage) -> dict[str, Any]:
    """A page's size and text layer; words as `[text, x0, y0, x1, y1]`."""
    head: dict[str, Any] = {"width": page.width, "height": page.height, "text_layer": None}
    if page.text_layer is not None:
        layer = page.text_layer
        head["text_layer"] = {
            "hidden_share": layer.hidden_share,
            "unmapped_share": layer.unmapped_share,
            "image_share": layer.image_share,
            "lines": [[_word_to_json(word) for word in line.words] for line in layer.lines],
        }
    return head


def page_from_json(number: int, head: Mapping[str, Any]) -> SourcePage:
    """The page that a decoder described."""
    try:
        found = head["text_layer"]
        layer = None
        if found is not None:
            layer = TextLayer(
                lines=tuple(
                    Line(tuple(_word_from_json(word) for word in line)) for line in found["lines"]
                ),
                hidden_share=float(found["hidden_share"]),
                unmapped_share=float(found["unmapped_share"]),
                image_share=float(found["image_share"]),
            )
        return SourcePage(number, _side(head["width"]), _side(head["height"]), layer)
    except _FORGED:
        raise Malformed from None


def image_from_message(head: Mapping[str, Any], body: bytes | bytearray) -> PageImage:
    """The page image whose size stands in the head and whose RGB pixels are the body."""
    try:
        return PageImage(_side(head["width"]), _side(head["height"]), body)
    except _FORGED:
        raise Malformed from None


def part_to_json(part: PagePart, limits: ImageLimits) -> dict[str, Any]:
    """A part of a page that is asked for as an image, and how it is to be sent."""
    return {"part": asdict(part), "limits": asdict(limits)}


def part_from_json(head: Mapping[str, Any]) -> tuple[PagePart, ImageLimits]:
    """What `part_to_json` was given. For a decoder: what the server says is not checked."""
    part = head["part"]
    width, height = part["size"]
    x0, y0, x1, y1 = part["box"]
    wanted = PagePart(part["number"], (width, height), part["rotation"], (x0, y0, x1, y1))
    return wanted, ImageLimits(**head["limits"])


def encoded_from_message(head: Mapping[str, Any], body: bytes | bytearray) -> EncodedImage:
    """The JPEG that is the body and whose size the head says; the body is not decoded.

    So a decoder that was taken over may send any bytes behind those that a JPEG begins with.
    """
    try:
        width, height = _side(head["width"]), _side(head["height"])
    except _FORGED:
        raise Malformed from None
    if max(width, height) > _JPEG_SIDE_PX or not body.startswith(_JPEG_BEGIN):
        raise Malformed
    return EncodedImage("image/jpeg", width, height, bytes(body))


def einvoice_to_json(found: EInvoice) -> dict[str, Any]:
    """An e-invoice; candidates as `[raw, value, is a number]`, all of them exact XML values."""
    raw = found.raw
    return {
        "syntax": found.syntax,
        "profile": found.profile,
        "document_type": raw.document_type.value,
        "fields": {
            name: [_candidate_to_json(candidate) for candidate in candidates]
            for name, candidates in raw.fields.items()
        },
        "tables": {
            name: [
                {column: _candidate_to_json(cell) for column, cell in row.items()} for row in rows
            ]
            for name, rows in raw.tables.items()
        },
    }


def einvoice_from_json(found: Any) -> EInvoice:
    """The e-invoice that a decoder described."""
    try:
        raw = RawExtraction(
            document_type=DocumentType(found["document_type"]),
            document_type_score=1.0,
            fields={
                str(name): tuple(_candidate_from_json(each) for each in candidates)
                for name, candidates in found["fields"].items()
            },
            tables={
                str(name): tuple(
                    {str(column): _candidate_from_json(cell) for column, cell in row.items()}
                    for row in rows
                )
                for name, rows in found["tables"].items()
            },
        )
        return EInvoice(syntax=str(found["syntax"]), profile=str(found["profile"]), raw=raw)
    except _FORGED:
        raise Malformed from None


def _side(found: Any) -> int:
    """A number of pixels."""
    side = int(found)
    if side < 1:
        raise ValueError("not a side of an image")
    return side


def _refuse(constant: str) -> None:
    """JSON has no NaN and no infinity, though Python's parser takes them."""
    raise ValueError(constant)


def _word_to_json(word: Word) -> list[Any]:
    box = word.polygon
    return [word.text, box.x0, box.y0, box.x1, box.y1]


def _word_from_json(found: Any) -> Word:
    text, x0, y0, x1, y1 = found
    return Word(str(text), Polygon.from_box(float(x0), float(y0), float(x1), float(y1)))


def _candidate_to_json(candidate: Candidate) -> list[Any]:
    return [candidate.raw, str(candidate.value), isinstance(candidate.value, Decimal)]


def _candidate_from_json(found: Any) -> Candidate:
    raw, text, is_number = found
    value: Value = Decimal(text) if is_number else str(text)
    if isinstance(value, Decimal) and not (value.is_finite() and abs(value.adjusted()) < 60):
        raise ValueError("not an amount")
    return Candidate(raw=str(raw), score=1.0, source=Source.XML, value=value)
