"""Rules in field readers: a document that hangs or ends its reader fails, and nothing else does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.extraction import Hints, RawExtraction, Reading
from lib.domain.task import Task
from lib.errors import Error
from lib.kie.models.asked import Asked
from lib.kie.models.sight import Sight
from lib.pipelines.readers.document_json import hints_to_json, pages_to_json
from lib.pipelines.readers.errors import (
    crashed,
    failed,
    lost,
    shutting_down,
    timed_out,
    too_long,
)
from lib.pipelines.readers.pool import ReaderPool
from lib.pipelines.readers.process import (
    ReaderDied,
    ReaderLate,
    ReaderLost,
    ReaderProcess,
)
from lib.pipelines.readers.reading_json import (
    asked_to_json,
    found_from_json,
    found_to_json,
    reading_from_json,
)
from lib.pipelines.readers.wire import Step
from lib.pipelines.rules import Rules, RulesAtWork

_log = logging.getLogger(__name__)

_ABOUT_THE_LAST = (Step.FOUND, Step.FINISH)
_MISSHAPEN = (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError)


class RulesInReaders:
    """`Rules` in readers; in this process until the first of them is up, and for what they cannot
    be told: a task that they were not given, a page without words.
    """

    def __init__(self, here: Rules, pool: ReaderPool, tasks: Mapping[str, Task]) -> None:
        self._here = here
        self._pool = pool
        self._tasks = dict(_with_choices(tasks.values()))

    @property
    def name(self) -> str:
        """See `Rules.name`."""
        return self._here.name

    @contextmanager
    def on(
        self, pages: Sequence[Page], task: Task, hints: Hints, sight: Sight
    ) -> Iterator[RulesAtWork]:
        """See `Rules.on`."""
        if not self._pool.ready or self._tasks.get(task.id) != task or not _has_words(pages):
            with self._here.on(pages, task, hints, sight) as work:
                yield work
            return
        work = OnReader(self._pool, self._tasks, pages, task, hints, sight)
        try:
            with (sight.asking.cancellation or Cancellation()).calling(work.give_up):
                yield work
        finally:
            work.leave()


class OnReader:
    """`RulesAtWork` in a reader: another one where the first dies, once.

    Those lost before they had the document do not count, up to as many as there are.
    """

    def __init__(
        self,
        pool: ReaderPool,
        tasks: Mapping[str, Task],
        pages: Sequence[Page],
        task: Task,
        hints: Hints,
        sight: Sight,
    ) -> None:
        self._pool = pool
        self._tasks = tasks
        self._pages = pages
        self._hints = hints
        self._deadline = sight.deadline
        self._meanwhile = sight.asking.meanwhile
        self._document: dict[str, Any] = {
            "task": task.id,
            "pages": pages_to_json(pages),
            "hints": hints_to_json(hints),
        }
        self._task = task
        self._lock = threading.Lock()
        self._process: ReaderProcess | None = None
        self._given_up = self._second = self._owes_answer = False
        self._losses = 0
        self._left_s = pool.limits.document_seconds

    def extract(self) -> Task:
        """See `RulesAtWork.extract`."""
        answer = self._answer(Step.EXTRACT)
        chosen = self._tasks.get(answer) if isinstance(answer, str) else None
        if chosen is None:
            raise self._nonsense()
        self._task = chosen
        return chosen

    def found(self) -> RawExtraction:
        """See `RulesAtWork.found`."""
        answer = self._answer(Step.FOUND)
        try:
            return found_from_json(answer, self._pages, self._task)
        except _MISSHAPEN:
            raise self._nonsense() from None

    def finish(self) -> Reading:
        """See `RulesAtWork.finish`."""
        return self._read(self._answer(Step.FINISH))

    def finish_over(self, found: RawExtraction, asked: Asked | None) -> Reading:
        """See `RulesAtWork.finish_over`."""
        self._document["found"] = found_to_json(found, self._pages)
        self._document["asked"] = None if asked is None else asked_to_json(asked)
        return self._read(self._answer(Step.FINISH_OVER))

    def give_up(self) -> None:
        """End it, from another thread: its reader is killed, or not waited for."""
        with self._lock:
            self._given_up = True
            if self._process is not None:
                self._process.kill()
        self._pool.wake()

    def leave(self) -> None:
        """Let the reader go."""
        if self._owes_answer:
            self._discard("it was not waited for")
        elif (process := self._released()) is not None:
            self._pool.give_back(process)

    def _answer(self, step: Step) -> Any:
        while True:
            try:
                if self._process is None and step in _ABOUT_THE_LAST:
                    self._ask(Step.EXTRACT)
                return self._ask(step)
            except ReaderLost:
                self._discard("it had died")
                self._require_wanted()
                self._losses += 1
                if self._losses > self._pool.limits.readers:
                    raise (timed_out() if self._deadline.passed else lost()) from None
            except ReaderDied:
                self._discard("it died")
                self._require_wanted()
                if self._second:
                    raise crashed() from None
                self._second = True
            except ReaderLate:
                self._discard("it took too long")
                self._require_wanted()
                raise (timed_out() if self._deadline.passed else too_long()) from None

    def _ask(self, step: Step) -> Any:
        if self._deadline.passed:
            raise timed_out()
        if self._left_s <= 0:
            raise too_long()
        process = self._process or self._taken()
        message: dict[str, Any] = {"step": step}
        if step not in _ABOUT_THE_LAST:
            message |= {**self._document, "book": process.book(self._hints.vendors)}
        self._owes_answer = True
        with self._counted():
            process.tell(message, self._until())
        if step is Step.EXTRACT and self._meanwhile is not None:
            self._meanwhile()
        with self._counted():
            reply = process.hear(self._until())
        self._owes_answer = False
        if reply.fault:
            _log.error("the rules failed on a document: %s", reply.fault)
        if reply.error is not None:
            raise reply.error
        return reply.answer

    def _until(self) -> Deadline:
        return Deadline.after(min(self._deadline.remaining(), self._left_s))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """What the block takes is time that the document has had; with a reader that is lost or
        dies in it, it had none.
        """
        begun = time.monotonic()
        yield
        self._left_s -= time.monotonic() - begun

    def _taken(self) -> ReaderProcess:
        process = self._pool.take(self._deadline, lambda: self._given_up)
        with self._lock:
            self._process = process
            if self._given_up:
                process.kill()
        return process

    def _released(self) -> ReaderProcess | None:
        """The reader, which `give_up` does not kill from here on: it may read another document."""
        with self._lock:
            process, self._process = self._process, None
        return process

    def _discard(self, why: str) -> None:
        self._owes_answer = False
        if (process := self._released()) is not None:
            self._pool.discard(process, why)

    def _require_wanted(self) -> None:
        if self._given_up:
            raise Canceled
        if self._pool.closed:
            raise shutting_down()

    def _read(self, answer: Any) -> Reading:
        try:
            return reading_from_json(answer)
        except _MISSHAPEN:
            raise self._nonsense() from None

    def _nonsense(self) -> Error:
        self._discard("what it said made no sense")
        return failed()


def _with_choices(tasks: Iterable[Task]) -> Iterator[tuple[str, Task]]:
    for task in tasks:
        yield task.id, task
        yield from _with_choices(task.choices)


def _has_words(pages: Sequence[Page]) -> bool:
    return any(page.lines for page in pages)
