"""The decoder process: holds one untrusted document and answers requests about it over a socket."""

from __future__ import annotations

import contextlib
import math
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from lib.domain.deadline import Deadline
from lib.domain.document import PageImage, Size
from lib.domain.source import EInvoice, SourcePage
from lib.einvoice.reader import read_einvoice
from lib.errors import Error
from lib.loading import failures, wire
from lib.loading.encoding import PageEncoder
from lib.loading.limits import LoadingLimits
from lib.loading.media_type import MediaType
from lib.loading.pdf import PdfFile
from lib.loading.raster import RasterFile

try:
    import resource
except ImportError:  # Windows has no resource limits; the wall clock still holds.
    _HAS_LIMITS = False
else:
    _HAS_LIMITS = True

# getrusage(2): kilobytes, but bytes on macOS.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
# Names that Factur-X, ZUGFeRD and XRechnung give to the XML inside a PDF. Order-X is no invoice.
_EINVOICE_NAMES = frozenset({"factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml"})


class DocumentFile(Protocol):
    """A decoded file format."""

    page_count: int

    def page(self, number: int) -> SourcePage:
        """Size and text layer."""
        ...

    def image(self, number: int, size: Size | None = None) -> PageImage:
        """Pixels; `size` as for `OpenDocument.image`."""
        ...


def serve(connection: socket.socket, limits: LoadingLimits) -> None:
    """Answer requests until the other side hangs up.

    `open` (media type in the head, document in the body) comes first, then `page` and `image`, each
    with a `number`, and `encoded` with a `part` and `limits`. Every answer is the result or an
    `error`. After `close`, which has no answer, another document may come; who has grown large, or
    waits for one too long, ends instead.
    """
    _limit_memory(limits)
    channel = wire.Channel(connection)
    decoder = _Decoder(limits)
    until = None
    with contextlib.suppress(wire.Closed, TimeoutError):
        while True:
            head, body = channel.receive(until=until, max_body=limits.max_bytes)
            until = None
            _limit_processor_time(limits)
            if head["request"] == "close":
                decoder = _Decoder(limits)
                if _has_had_more_than(limits.kept_bytes):
                    return
                until = Deadline.after(limits.kept_seconds)
                continue
            answer, image = _answer(decoder.handler(head["request"]), head, bytes(body))
            channel.send(answer, image, until=None)
            # They would stay until the next request.
            del body, answer, image


_Answer = tuple[dict[str, Any], bytes | bytearray]
_Handler = Callable[[dict[str, Any], bytes], _Answer]


class _Decoder:
    """The document that this process has now."""

    def __init__(self, limits: LoadingLimits) -> None:
        self._limits = limits
        self._file: DocumentFile | None = None
        self._encoder: PageEncoder | None = None

    def handler(self, request: str) -> _Handler:
        return {
            "open": self.open,
            "page": self.page,
            "image": self.image,
            "encoded": self.encoded,
        }[request]

    def open(self, head: dict[str, Any], body: bytes) -> _Answer:
        media_type = MediaType(head["media_type"])
        found: EInvoice | None
        if media_type is MediaType.XML:
            found = _bare_einvoice(body)
            pages = 0
        else:
            self._file = _open_file(body, media_type, self._limits)
            found = _embedded_einvoice(self._file)
            pages = self._file.page_count
        einvoice = None if found is None else wire.einvoice_to_json(found)
        return {"page_count": pages, "einvoice": einvoice}, b""

    def page(self, head: dict[str, Any], _: bytes) -> _Answer:
        return wire.page_to_json(self._opened().page(head["number"])), b""

    def image(self, head: dict[str, Any], _: bytes) -> _Answer:
        width_and_height = head["size"]
        size = (width_and_height[0], width_and_height[1]) if width_and_height else None
        found = self._opened().image(head["number"], size)
        return {"width": found.width, "height": found.height}, found.pixels

    def encoded(self, head: dict[str, Any], _: bytes) -> _Answer:
        if self._encoder is None:
            self._encoder = PageEncoder(self._opened().image)
        found = self._encoder.encoded(*wire.part_from_json(head))
        return {"width": found.width, "height": found.height}, found.data

    def _opened(self) -> DocumentFile:
        if self._file is None:
            raise failures.unreadable("no_pages")
        return self._file


def _answer(handler: _Handler, head: dict[str, Any], body: bytes) -> _Answer:
    try:
        return handler(head, body)
    except Error as error:
        return wire.error_to_json(error), b""
    except (MemoryError, RecursionError):
        return wire.error_to_json(failures.unreadable("out_of_memory")), b""


def _open_file(data: bytes, media_type: MediaType, limits: LoadingLimits) -> DocumentFile:
    if media_type is MediaType.PDF:
        return PdfFile(data, limits)
    return RasterFile(data, media_type, limits)


def _bare_einvoice(xml: bytes) -> EInvoice:
    """The invoice that an XML document is; anything else is not a supported document."""
    try:
        found = read_einvoice(xml)
    except Error:
        # Any text that begins with `<` comes here: only declared XML is a broken document.
        if b"<?xml" in xml[:64].replace(b"\0", b""):
            raise
        found = None
    if found is None:
        raise failures.unsupported()
    return found


def _embedded_einvoice(file: DocumentFile) -> EInvoice | None:
    """The invoice attached under a usual name, else the only attached XML that is an invoice."""
    if not isinstance(file, PdfFile):
        return None
    others: list[EInvoice] = []
    for name, content in file.attachments():
        try:
            found = read_einvoice(content)
        except Error:
            continue  # The page itself can still be read.
        if found is not None and name.lower() in _EINVOICE_NAMES:
            return found
        if found is not None:
            others.append(found)
    return others[0] if len(others) == 1 else None


def _limit_memory(limits: LoadingLimits) -> None:
    """Cap the address space; forbid core files, which would hold the document, and all others."""
    if not _HAS_LIMITS:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # macOS refuses an address space limit below what is mapped already.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))


def _has_had_more_than(resident_bytes: int) -> bool:
    """Whether so much of its memory was ever in use. Of a fork, that begins with its fork."""
    if not _HAS_LIMITS:
        return False
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * _MAXRSS_UNIT > resident_bytes


def _limit_processor_time(limits: LoadingLimits) -> None:
    """Give this request its processor time; the kernel ends the process when it is used up."""
    if not _HAS_LIMITS:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time()) + limits.cpu_seconds
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
