"""The CPU extractor for programs that are up before it is: imported and made when it is needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from lib.domain.document import Page
from lib.domain.extraction import Hints, RawExtraction
from lib.domain.task import Task
from lib.kie.extractor import CPU_RULES, Extractor


class CpuExtractorLater:
    """The shipped CPU extractor. Its rules, labels and network take a fifth of a server's start,
    and nobody needs them before a page has been read. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Extractor | None = None

    @property
    def name(self) -> str:
        """See `Extractor.name`."""
        return CPU_RULES

    def extract(self, pages: Sequence[Page], task: Task, hints: Hints) -> RawExtraction:
        """See `Extractor.extract`; the first waits until it has been made."""
        return self.make().extract(pages, task, hints)

    def make(self) -> Extractor:
        """The extractor itself, made if it has not been."""
        with self._lock:
            if self._made is None:
                from lib.kie.cpu_extractor import build_cpu_extractor  # noqa: PLC0415

                self._made = build_cpu_extractor()
            return self._made
