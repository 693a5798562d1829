"""The program of a field reader: loads the rules, then reads the documents sent to its stdin.

Started by the pool as `python -P -m lib.pipelines.readers.program`; the tasks come first.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from lib.domain.document import Page
from lib.domain.task import Task
from lib.domain.vendors import VendorBook
from lib.errors import Error
from lib.kie.extractor import Extractor
from lib.pipelines.readers.document_json import (
    book_from_json,
    hints_from_json,
    pages_from_json,
    tasks_from_json,
)
from lib.pipelines.readers.errors import failed
from lib.pipelines.readers.process import BOOKS
from lib.pipelines.readers.reading_json import (
    asked_from_json,
    found_from_json,
    found_to_json,
    reading_to_json,
)
from lib.pipelines.readers.wire import (
    LENGTH,
    RECEIVED,
    Reply,
    Step,
    framed,
    reply_to_json,
    unframed,
)
from lib.pipelines.rules import OnDocument
from lib.processes.inside import die_with_parent, place_of, resident_bytes


class Desk:
    """A reader's state: the document that it was given last, and the vendors that it knows."""

    def __init__(self, extractor: Extractor, tasks: tuple[Task, ...]) -> None:
        self._extractor = extractor
        self._tasks = {task.id: task for task in tasks}
        self._books: OrderedDict[int, VendorBook] = OrderedDict()
        self._pages: tuple[Page, ...] = ()
        self._work: OnDocument | None = None

    def answer(self, message: Any) -> Reply:
        """What comes of a message."""
        try:
            answer = self._done(message)
        except Error as error:
            return Reply(resident_bytes(), error=error)
        except Exception as exc:  # noqa: BLE001 (one document's failure must not end the reader)
            return Reply(resident_bytes(), error=failed(), fault=place_of(exc))
        return Reply(resident_bytes(), answer)

    def _done(self, message: Any) -> Any:
        step = Step(message["step"])
        if step is Step.EXTRACT:
            return self._extract(message)
        if step is Step.FINISH_OVER:
            return self._finish_over(message)
        if self._work is None:
            raise ValueError("there is no document")
        if step is Step.FOUND:
            return found_to_json(self._work.found(), self._pages)
        return reading_to_json(self._work.finish())

    def _extract(self, message: Any) -> str:
        work = self._begun(message)
        task = work.extract()
        self._work = work
        return task.id

    def _finish_over(self, message: Any) -> Any:
        work, task = self._begun(message), self._tasks[message["task"]]
        found = found_from_json(message["found"], self._pages, task)
        asked = message["asked"]
        over = None if asked is None else asked_from_json(asked)
        return reading_to_json(work.finish_over(found, over))

    def _begun(self, message: Any) -> OnDocument:
        """On the document that a message brings; the one before is no longer known."""
        self._work = None
        self._pages = pages_from_json(message["pages"])
        hints = hints_from_json(message["hints"], self._book(*message["book"]))
        return OnDocument(self._extractor, self._pages, self._tasks[message["task"]], hints)

    def _book(self, number: int, vendors: Any) -> VendorBook:
        """As the parent keeps count of them: the oldest of too many goes."""
        if not number:
            return VendorBook()
        if vendors is not None:
            self._books[number] = book_from_json(vendors)
            while len(self._books) > BOOKS:
                self._books.popitem(last=False)
        return self._books[number]


def serve(load: Callable[[], Extractor]) -> None:
    """Load the rules and answer until the parent closes the socket or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    die_with_parent()
    parent = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    with parent.makefile("rb") as messages:

        def receive() -> Any:
            """The next message; None when the parent is gone."""
            (length,) = LENGTH.unpack(messages.read(LENGTH.size).ljust(LENGTH.size, b"\0"))
            body = messages.read(length)
            if not length or len(body) < length:
                return None
            parent.sendall(RECEIVED)
            return unframed(body)

        tasks = receive()
        if tasks is None:
            return
        desk = Desk(load(), tasks_from_json(tasks))
        gc.freeze()  # what a start makes is kept, and is not looked through again and again
        parent.sendall(framed(reply_to_json(Reply(resident_bytes()))))
        while (message := receive()) is not None:
            parent.sendall(framed(reply_to_json(desk.answer(message))))


if __name__ == "__main__":
    # Here, since who serves other rules need not load these.
    from lib.kie.cpu_extractor import build_cpu_extractor

    serve(build_cpu_extractor)
