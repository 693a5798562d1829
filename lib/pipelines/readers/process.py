"""One field reader as its parent sees it: start it, ask it, kill it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

from lib.domain.deadline import Deadline
from lib.domain.vendors import VendorBook
from lib.pipelines.readers.document_json import book_to_json
from lib.pipelines.readers.wire import (
    LENGTH,
    LONGEST,
    RECEIVED,
    Reply,
    framed,
    reply_from_json,
    unframed,
)
from lib.processes.child import ChildProcess
from lib.processes.sockets import Stream, blocking_pair

BOOKS = 8
"""Vendor books that a reader keeps: those of the keys that came last."""


class ReaderDied(Exception):
    """The reader ended, or said what makes no sense, before it answered."""


class ReaderLost(ReaderDied):
    """The reader ended, or stood still, before it had the message: not the message's doing."""


class ReaderLate(Exception):
    """The reader did not answer in the time that it had."""


class ReaderProcess(ChildProcess):
    """A child that reads one document at a time.

    It ends by itself when the socket between them closes; on Linux the kernel ends it with the
    thread that started it, also while it is busy.
    """

    def __init__(self, command: Sequence[str]) -> None:
        ours, theirs = blocking_pair()
        self._stream = Stream(ours)
        try:
            with theirs:
                super().__init__(command, theirs.fileno(), subprocess.DEVNULL)
        except OSError:
            self._stream.close()
            raise
        self.resident = 0
        self.documents = 0
        self._books: dict[int, VendorBook] = {}
        self._next_book = 1

    def wait_ready(self, tasks: list[Any], timeout: float) -> Reply:
        """Tell it the tasks; its first word, in so many seconds. Raises as `tell` and `hear`."""
        until = Deadline.after(timeout)
        self.tell(tasks, until)
        return self.hear(until)

    def tell(self, message: Any, until: Deadline) -> None:
        """Send it a message. Raises `ReaderLost` when that does not take it: it is of no use then.

        Raises TypeError, having said nothing, for text that is not Unicode.
        """
        body = framed(message)
        try:
            self._stream.send(body, until)
        except OSError as gone:  # a TimeoutError is one
            raise ReaderLost from gone

    def hear(self, until: Deadline) -> Reply:
        """Its reply to what it was told last; one that is there already also past the deadline.

        Raises `ReaderDied` and, where it is late, `ReaderLate`; `ReaderLost` for either when the
        reader did not have the message. It is of no use then.
        """
        received = False
        try:
            received = self._stream.receive(len(RECEIVED), until) == RECEIVED
            reply = reply_from_json(unframed(self._received(until)))
        except TimeoutError as late:
            raise (ReaderLate if received else ReaderLost) from late
        except (EOFError, OSError, ValueError) as gone:
            raise (ReaderDied if received else ReaderLost) from gone
        self.resident = reply.resident
        return reply

    def book(self, book: VendorBook) -> list[Any]:
        """A message's part for these vendors: a number, and the book where it is not known yet."""
        if not book.vendors:
            return [0, None]
        for number, known in self._books.items():
            if known is book:
                return [number, None]
        number, self._next_book = self._next_book, self._next_book + 1
        self._books[number] = book
        if len(self._books) > BOOKS:
            del self._books[next(iter(self._books))]
        return [number, book_to_json(book)]

    def close(self) -> int | None:
        """Kill the child, collect it and close the socket; its exit status as `end` gives it."""
        status = self.end()
        self._stream.close()
        return status

    def _received(self, until: Deadline) -> bytearray:
        (length,) = LENGTH.unpack(self._stream.receive(LENGTH.size, until))
        if length > LONGEST:
            raise ValueError("reply too long")
        return self._stream.receive(length, until)
