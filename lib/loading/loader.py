"""Opens documents: limits first, then a decoder process for each, watched by the clock."""

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
from lib.domain.source import EInvoice, SourcePage
from lib.errors import Error
from lib.loading import failures, wire
from lib.loading.limits import LoadingLimits
from lib.loading.media_type import MediaType, detect_media_type
from lib.loading.processes import DecoderProcess, ProcessStarter, build_starter

_T = TypeVar("_T")

# How long somebody who waits for a slot may go on after they were told to stop.
_LOOK_EVERY_S = 0.25


def build_loader(limits: LoadingLimits) -> ProcessLoader:
    """The loader; close it when no more documents will come. Safe to share between threads."""
    return ProcessLoader(limits, build_starter(limits))


class ProcessLoader:
    """A `DocumentLoader` that decodes each document in a process of its own."""

    def __init__(self, limits: LoadingLimits, starter: ProcessStarter) -> None:
        """At most `limits.max_processes` documents are open at once."""
        self._limits = limits
        self._starter = starter
        self._slots = threading.BoundedSemaphore(limits.max_processes)

    def open(
        self, data: bytes, deadline: Deadline, cancellation: Cancellation | None = None
    ) -> ProcessDocument:
        """Judge the bytes by their magic and open them; waits for a free slot until the deadline.

        `cancellation` ends the wait and the decoder, also one that is busy.

        Raises `payload_too_large`, `empty_document`, `unsupported_media_type`,
        `encrypted_document`, `too_many_pages`, `page_too_large`, `unreadable_document`,
        `inference_timeout` or `inference_unavailable`;
        `Canceled`.
        """
        media_type = self._judge(data)
        wanted = cancellation or Cancellation()
        self._wait_for_slot(deadline, wanted)
        try:
            process = self._starter.start()
        except BaseException:
            self._slots.release()
            raise
        document = ProcessDocument(process, media_type, self._limits, self._slots, wanted)
        try:
            document.load(data, deadline)
        except BaseException:
            document.close()
            raise
        return document

    def close(self) -> None:
        """End every decoder process."""
        self._starter.close()

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
    """An `OpenDocument` whose bytes are held by a decoder process."""

    def __init__(
        self,
        process: DecoderProcess,
        media_type: MediaType,
        limits: LoadingLimits,
        slots: threading.BoundedSemaphore,
        cancellation: Cancellation,
    ) -> None:
        self._cancellation = cancellation
        self._process = process
        self._channel = wire.Channel(process.connection)
        self._media_type = media_type
        self._limits = limits
        self._slots = slots
        self._lock = threading.Lock()
        self._closed = False
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
        head, _ = self._ask({"request": "open", "media_type": self.mime_type}, deadline, data)
        found, pages = head.get("einvoice"), head.get("page_count")
        try:
            if not isinstance(pages, int):
                raise wire.Malformed
            self._einvoice = None if found is None else wire.einvoice_from_json(found)
        except wire.Malformed:
            raise failures.unreadable("crashed") from None
        self._page_count = pages

    def page(self, number: int, deadline: Deadline) -> SourcePage:
        """Size and text layer of page `number` (from 1)."""
        head, _ = self._ask({"request": "page", "number": self._known(number)}, deadline)
        try:
            return wire.page_from_json(number, head)
        except wire.Malformed:
            raise failures.unreadable("crashed") from None

    def image(self, number: int, deadline: Deadline, size: Size | None = None) -> PageImage:
        """See `OpenDocument.image`."""
        request = {"request": "image", "number": self._known(number), "size": size}
        head, body = self._ask(request, deadline)
        try:
            return wire.image_from_message(head, body)
        except wire.Malformed:
            raise failures.unreadable("crashed") from None

    def close(self) -> None:
        """End the decoder process, without waiting for that. Closing twice does nothing."""
        with self._lock:
            self._ended(self._process.drop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _known(self, number: int) -> int:
        if not 1 <= number <= self._page_count:
            raise ValueError(f"no page {number} in a document of {self._page_count}")
        return number

    def _ask(
        self, request: dict[str, Any], deadline: Deadline, body: bytes = b""
    ) -> tuple[dict[str, Any], bytes | bytearray]:
        """One request and its answer; a decoder that fails to answer is ended."""
        with self._lock:
            self._cancellation.check()
            if self._closed:
                raise failures.unreadable("closed")
            if deadline.passed:
                raise failures.out_of_time()
            wall = Deadline.after(self._limits.wall_seconds, deadline.clock)
            until = min(deadline, wall, key=lambda each: each.at)
            try:
                self._channel.send(request, body, until=until)
                answer = self._channel.receive(
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
        if "error" not in answer[0]:
            return answer
        try:
            error = wire.error_from_json(answer[0]["error"])
        except wire.Malformed:
            error = failures.unreadable("crashed")
        raise error

    def _hang_up(self) -> None:
        """Wake whoever waits for the decoder; called from the thread that cancels."""
        with suppress(OSError):  # ended meanwhile
            self._process.connection.shutdown(socket.SHUT_RDWR)

    def _end(self) -> int | None:
        """End the process and give its slot back, once."""
        return self._ended(self._process.end)

    def _ended(self, how: Callable[[], _T]) -> _T | None:
        if self._closed:
            return None
        self._closed = True
        self._listening.close()
        try:
            return how()
        finally:
            self._slots.release()

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
