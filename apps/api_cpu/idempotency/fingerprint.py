"""What a body says, as a hash that is the same whenever the same thing is sent again."""

from __future__ import annotations

import hashlib
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import Message, Receive

# Of one part; longer ones are no request that an endpoint takes.
_LONGEST_HEADERS = 16 * 1024
_TELLING_HEADERS = (b"content-disposition", b"content-type")


class Fingerprint(Protocol):
    """Grows with the body's bytes."""

    def add(self, data: bytes) -> None:
        """The next bytes."""
        ...

    def hexdigest(self) -> str | None:
        """SHA-256 in hex of what was added; None when it is not what its type promises."""
        ...


def fingerprint_for(content_type: str) -> Fingerprint:
    """The hash for bodies of that `Content-Type`.

    A multipart body is hashed by its parts: the boundary between them is another one each time.
    """
    media_type, options = parse_options_header(content_type)
    if media_type == b"multipart/form-data" and options.get(b"boundary"):
        return _PartsFingerprint(options[b"boundary"])
    return _BytesFingerprint(media_type)


class FingerprintingReceive:
    """An ASGI `receive` that hashes what passes through it."""

    def __init__(self, receive: Receive, fingerprint: Fingerprint) -> None:
        self._receive = receive
        self._fingerprint = fingerprint
        self.is_complete = False

    async def __call__(self) -> Message:
        """The next message; bytes of the body are hashed on their way."""
        message = await self._receive()
        if message["type"] == "http.request" and not self.is_complete:
            self._fingerprint.add(message.get("body", b""))
            self.is_complete = not message.get("more_body", False)
        return message

    def hexdigest(self) -> str | None:
        """Of the whole body; None before it has arrived, and for one that is broken."""
        return self._fingerprint.hexdigest() if self.is_complete else None


class _BytesFingerprint:
    def __init__(self, media_type: bytes) -> None:
        self._hash = hashlib.sha256(media_type + b"\n")

    def add(self, data: bytes) -> None:
        self._hash.update(data)

    def hexdigest(self) -> str | None:
        return self._hash.hexdigest()


class _PartsFingerprint:
    """Of each part its telling headers and the hash of its content, in the order sent."""

    def __init__(self, boundary: bytes) -> None:
        self._hash = hashlib.sha256(b"multipart/form-data\n")
        self._content = hashlib.sha256()
        self._name, self._value = bytearray(), bytearray()
        self._header_bytes = 0
        self._is_whole = self._is_broken = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_to_name,
                "on_header_value": self._add_to_value,
                "on_header_end": self._end_header,
                "on_part_data": self._add_content,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def add(self, data: bytes) -> None:
        if self._is_broken or not data:
            return
        try:
            self._parser.write(data)
        except FormParserError:
            self._is_broken = True

    def hexdigest(self) -> str | None:
        return self._hash.hexdigest() if self._is_whole and not self._is_broken else None

    def _begin_part(self) -> None:
        self._content = hashlib.sha256()
        self._header_bytes = 0

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._count(end - start)

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._count(end - start)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _LONGEST_HEADERS:
            raise FormParserError

    def _end_header(self) -> None:
        name = bytes(self._name).lower()
        if name in _TELLING_HEADERS:
            self._hash.update(b"%s %d:" % (name, len(self._value)))
            self._hash.update(self._value)
        self._name.clear()
        self._value.clear()

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._content.update(memoryview(data)[start:end])

    def _end_part(self) -> None:
        self._hash.update(self._content.digest())

    def _end(self) -> None:
        self._is_whole = True
