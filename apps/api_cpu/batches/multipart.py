"""A multipart body, piece by piece: its parts as they come, none of them held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lib.errors import Error, Kind


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself. `filename` is None for a form field."""

    name: str
    filename: str | None


class PartSink(Protocol):
    """Takes the parts. Whatever it raises ends the parsing."""

    def begin(self, head: PartHead) -> None:
        """A part begins."""
        ...

    def data(self, data: bytes) -> None:
        """Some bytes of it."""
        ...

    def end(self) -> None:
        """It is complete."""
        ...


class MultipartReader:
    """Feeds a sink. Not safe to share between threads."""

    def __init__(self, content_type: str, sink: PartSink) -> None:
        """`content_type`: the request's header.

        Raises `unsupported_media_type` for another type, `bad_request` for one without a boundary.
        """
        kind, parameters = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            raise Error("unsupported_media_type", Kind.UNSUPPORTED, "Send `multipart/form-data`.")
        self._sink = sink
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._complete = False
        try:
            self._parser = MultipartParser(
                parameters[b"boundary"],
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._begin,
                    "on_part_data": self._data,
                    "on_part_end": sink.end,
                    "on_end": self._end,
                },
            )
        except (KeyError, FormParserError):
            raise broken() from None

    def feed(self, data: bytes) -> None:
        """The next bytes of the body. Raises `bad_request`, and what the sink raises."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise broken() from None

    def finish(self) -> None:
        """The body has ended. Raises `bad_request` when its last boundary is missing."""
        if not self._complete:
            raise broken()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _begin(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise broken()
        filename = options.get(b"filename")
        self._sink.begin(PartHead(_text(name), None if filename is None else _text(filename)))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._sink.data(data[start:end])

    def _end(self) -> None:
        self._complete = True


def broken() -> Error:
    """400: the body is not what its type promises."""
    return Error("bad_request", Kind.BAD_REQUEST, "The multipart body is broken.")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
