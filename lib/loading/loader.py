"""Opens documents: limits first, then in a decoder process, watched by the clock."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Self, TypeVar

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import PageImage, Size
from lib.domain.page_images import EncodedImage, ImageLimits, PagePart
from lib.domain.source import EInvoice, SourcePage
from lib.errors import Error
from lib.loading import failures, wire
from lib.loading.decoders import Decoder, Decoders
from lib.loading.limits import LoadingLimits
from lib.loading.media_type import MediaType, detect_media_type
from lib.loading.processes import ProcessStarter, build_starter

_T = TypeVar("_T")
_Request = dict[str, Any]
_Reader = Callable[[dict[str, Any], bytes | bytearray], _T]

# How long somebody who waits for a slot may go on after they were told to stop.
_LOOK_EVERY_S = 0.25


def build_loader(limits: LoadingLimits) -> ProcessLoader:
    """The loader; close it when no more documents will come. Safe to share between threads."""
    return ProcessLoader(limits, build_starter(limits))


class ProcessLoader:
    """A `DocumentLoader` that decodes in processes: one for each document that is open."""

    def __init__(self, limits: LoadingLimits, starter: ProcessStarter) -> None:
        """At most `limits.max_processes` documents are open at once."""
        self._limits = limits
        self._decoders = Decoders(starter, limits)
        self._slots = threading.BoundedSemaphore(limits.max_processes)

    def open(
        self,
        data: bytes,
        deadline: Deadline,
        cancellation: Cancellation | None = None,
        owner: str | None = None,
    ) -> ProcessDocument:
        """Judge the bytes by their magic and open them; waits for a free slot until the deadline.

        `cancellation` ends the wait and the decoder, also one that is busy. `owner`: see
        `DocumentLoader.open`.

        Raises `payload_too_large`, `empty_document`, `unsupported_media_type`,
        `encrypted_document`, `too_many_pages`, `page_too_large`, `unreadable_document`,
        `inference_timeout` or `inference_unavailable`;
        `Canceled`.
        """
        media_type = self._judge(data)
        wanted = cancellation or Cancellation()
        self._wait_for_slot(deadline, wanted)
        try:
            decoder = self._decoders.take(owner)
        except BaseException:
            self._slots.release()
            raise
        document = ProcessDocument(
            decoder, media_type, self._decoders, self._limits, self._slots, wanted
        )
        try:
            document.load(data, deadline)
        except BaseException:
            document.close()
            raise
        return document

    def close(self) -> None:
        """End every decoder process."""
        self._decoders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _wait_for_slot(self, deadline: Deadline, cancellation: Cancellation) -> None:
        while True:
            cancellation.check()
            if deadline.passed:
                raise failures.out_of_time()
            if self._slots.acquire(timeout=min(deadline.remaining(), _LOOK_EVERY_S)):
                return

    def _judge(self, data: bytes) -> MediaType:
        if not data:
            raise failures.empty()
        if len(data) > self._limits.max_bytes:
            raise failures.too_many_bytes(self._limits.max_bytes)
        media_type = detect_media_type(data)
        if media_type is None:
            raise failures.unsupported()
        return media_type


class ProcessDocument:
    """An `OpenDocument` whose bytes are held by a decoder process.

    What fails in a decoder that has read other documents is tried again in a fresh one, whose word
    counts: a document is not blamed for what one before it has left behind.
    """

    def __init__(
        self,
        decoder: Decoder,
        media_type: MediaType,
        decoders: Decoders,
        limits: LoadingLimits,
        slots: threading.BoundedSemaphore,
        cancellation: Cancellation,
    ) -> None:
        self._decoder: Decoder | None = decoder
        self._decoders = decoders
        self._media_type = media_type
        self._limits = limits
        self._slots = slots
        self._cancellation = cancellation
        self._lock = threading.Lock()
        self._closed = False
        self._has_failed = False
        # Held as long as it may have to be opened again.
        self._data = b""
        self._page_count = 0
        self._einvoice: EInvoice | None = None
        self._listening = ExitStack()
        self._listening.enter_context(cancellation.calling(self._hang_up))

    @property
    def mime_type(self) -> str:
        """The type found in the bytes."""
        return self._media_type.value

    @property
    def page_count(self) -> int:
        """Number of pages; 0 for a bare XML e-invoice."""
        return self._page_count

    @property
    def einvoice(self) -> EInvoice | None:
        """The e-invoice inside, when there is one."""
        return self._einvoice

    def load(self, data: bytes, deadline: Deadline) -> None:
        """Hand the bytes to the decoder and learn what they hold."""
        if self._decoder is not None and not self._decoder.is_fresh:
            self._data = data
        self._page_count, self._einvoice = self._ask(self._opening(), deadline, _opened, data)

    def page(self, number: int, deadline: Deadline) -> SourcePage:
        """Size and text layer of page `number` (from 1)."""
        request = {"request": "page", "number": self._known(number)}
        return self._ask(request, deadline, lambda head, _: wire.page_from_json(number, head))

    def image(self, number: int, deadline: Deadline, size: Size | None = None) -> PageImage:
        """See `OpenDocument.image`."""
        request = {"request": "image", "number": self._known(number), "size": size}
        return self._ask(request, deadline, wire.image_from_message)

    def encoded(self, part: PagePart, limits: ImageLimits, deadline: Deadline) -> EncodedImage:
        """See `OpenDocument.encoded`."""
        self._known(part.number)
        request = {"request": "encoded", **wire.part_to_json(part, limits)}
        return self._ask(request, deadline, wire.encoded_from_message)

    def close(self) -> None:
        """Let the decoder process go: it ends, or reads other documents of the same owner. Neither
        is waited for. Closing twice does nothing.
        """
        with self._lock:
            if self._closed:
                return
            self._closed, self._data = True, b""
            self._listening.close()
            try:
                self._let_go()
            finally:
                self._slots.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _known(self, number: int) -> int:
        if not 1 <= number <= self._page_count:
            raise ValueError(f"no page {number} in a document of {self._page_count}")
        return number

    def _opening(self) -> _Request:
        return {"request": "open", "media_type": self.mime_type}

    def _ask(
        self, request: _Request, deadline: Deadline, read: _Reader[_T], body: bytes = b""
    ) -> _T:
        """What `read` makes of the answer; that of a fresh decoder where one used before fails."""
        with self._lock:
            was_fresh = self._decoder is None or self._decoder.is_fresh
            try:
                return self._asked(request, deadline, read, body)
            except BaseException as exc:
                # Whatever it is: the conversation may have stopped anywhere.
                self._has_failed = True
                if not isinstance(exc, Error) or was_fresh or deadline.passed:
                    raise
            self._begin_again()
            if request["request"] != "open":
                page_count, _ = self._asked(self._opening(), deadline, _opened, self._data)
                if page_count != self._page_count:
                    raise failures.no_process()  # the other number has been told already
            return self._asked(request, deadline, read, body)

    def _asked(self, request: _Request, deadline: Deadline, read: _Reader[_T], body: bytes) -> _T:
        """What `read` makes of the answer; a decoder that fails to answer is ended."""
        self._cancellation.check()
        if self._decoder is None:
            raise failures.unreadable("closed")
        if deadline.passed:
            raise failures.out_of_time()
        wall = Deadline.after(self._limits.wall_seconds, deadline.clock)
        until = min(deadline, wall, key=lambda each: each.at)
        channel = self._decoder.channel
        try:
            channel.send(request, body, until=until)
            head, image = channel.receive(
                until=until, max_body=3 * self._limits.max_image_side_px**2
            )
        except TimeoutError:
            self._end()
            if deadline.passed:
                raise failures.out_of_time() from None
            raise failures.unreadable("timeout") from None
        except (wire.Closed, wire.Malformed):
            ended = self._why_ended()
            self._cancellation.check()
            raise ended from None
        try:
            if "error" in head:
                raise wire.error_from_json(head["error"])
            return read(head, image)
        except wire.Malformed:
            raise failures.unreadable("crashed") from None

    def _begin_again(self) -> None:
        """Go on with a fresh decoder."""
        if self._decoder is not None:
            self._decoder.process.drop()
        self._decoder = None
        self._decoder = self._decoders.fresh(None)

    def _hang_up(self) -> None:
        """Wake whoever waits for the decoder; called from the thread that cancels."""
        decoder = self._decoder
        if decoder is not None:
            with suppress(OSError):  # ended meanwhile
                decoder.process.connection.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        # In this order: whoever cancels has said so before it looks which decoder to hang up on, so
        # that it never hangs up on one that has been given to another document.
        decoder, self._decoder = self._decoder, None
        if decoder is None:
            return
        if self._has_failed or self._cancellation.is_set:
            decoder.process.drop()
        else:
            self._decoders.give_back(decoder)

    def _end(self) -> int | None:
        """Kill the process; the exit code that it had."""
        decoder, self._decoder = self._decoder, None
        return None if decoder is None else decoder.process.end()

    def _why_ended(self) -> Error:
        """What a dead decoder's exit code says. The kernel's memory killer uses SIGKILL.

        Without one, what forks decoders is gone and they with it: no document is to blame for that.
        """
        exit_code = self._end()
        if exit_code is None:
            return failures.no_process()
        if exit_code == -getattr(signal, "SIGXCPU", 0):
            return failures.unreadable("cpu_time")
        if exit_code == -getattr(signal, "SIGKILL", 0):
            return failures.unreadable("out_of_memory")
        return failures.unreadable("crashed")


def _opened(head: dict[str, Any], _: bytes | bytearray) -> tuple[int, EInvoice | None]:
    """The number of pages and the e-invoice inside. Raises `Malformed`."""
    found, pages = head.get("einvoice"), head.get("page_count")
    if not isinstance(pages, int):
        raise wire.Malformed
    return pages, None if found is None else wire.einvoice_from_json(found)
