"""What reads fields without a model: rules and checks, in this process or in another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from lib.domain.document import Page
from lib.domain.extraction import Hints, RawExtraction, Reading
from lib.domain.task import Task
from lib.kie.extractor import Extractor
from lib.kie.models.asked import Asked
from lib.kie.models.sight import Sight
from lib.post.finish import finish


class RulesAtWork(Protocol):
    """One document's fields, being read. For one thread; `extract` comes before the next two."""

    def extract(self) -> Task:
        """Find the candidates of every field (station `kie`); the task that fits the document.

        Raises `inference_timeout`, `unreadable_document`, `Canceled` where it can be ended.
        """
        ...

    def found(self) -> RawExtraction:
        """The candidates. Raises as `extract`."""
        ...

    def finish(self) -> Reading:
        """Choose among them and check (station `post`). Raises as `extract`."""
        ...

    def finish_over(self, found: RawExtraction, asked: Asked | None) -> Reading:
        """The same with what rules have found on these pages before, and with what a model has said
        of them where one was asked. Raises as `extract`.
        """
        ...


class Rules(Protocol):
    """Reads fields by rules. Safe to share between threads."""

    @property
    def name(self) -> str:
        """As `model` in responses and artifacts."""
        ...

    def on(
        self, pages: Sequence[Page], task: Task, hints: Hints, sight: Sight
    ) -> AbstractContextManager[RulesAtWork]:
        """The rules at work on these pages, within the deadline and the cancellation of `sight`.

        Raises `inference_timeout`, `inference_unavailable`, `shutting_down`, `Canceled` where they
        have to wait for their turn.
        """
        ...


class RulesHere:
    """Rules in this process: nothing ends them before they are done."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor

    @property
    def name(self) -> str:
        """See `Rules.name`."""
        return self._extractor.name

    @contextmanager
    def on(
        self, pages: Sequence[Page], task: Task, hints: Hints, sight: Sight
    ) -> Iterator[RulesAtWork]:
        """See `Rules.on`."""
        yield OnDocument(self._extractor, pages, task, hints)


class OnDocument:
    """`RulesAtWork` in this process."""

    def __init__(
        self, extractor: Extractor, pages: Sequence[Page], task: Task, hints: Hints
    ) -> None:
        self._extractor = extractor
        self._pages = pages
        self._task = task
        self._hints = hints
        self._found: RawExtraction | None = None

    def extract(self) -> Task:
        """See `RulesAtWork.extract`."""
        self._found = self._extractor.extract(self._pages, self._task, self._hints)
        return self._found.task or self._task

    def found(self) -> RawExtraction:
        """See `RulesAtWork.found`."""
        if self._found is None:
            raise RuntimeError("`extract` comes first")
        return self._found

    def finish(self) -> Reading:
        """See `RulesAtWork.finish`."""
        return self.finish_over(self.found(), None)

    def finish_over(self, found: RawExtraction, asked: Asked | None) -> Reading:
        """See `RulesAtWork.finish_over`."""
        task = found.task or self._task
        raw = found if asked is None else asked.over(found, self._pages, task)
        return finish(raw, task, self._pages, self._hints)
