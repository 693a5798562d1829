"""What an extractor is: read pages and a task in, ranked raw candidates per field out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lib.domain.document import Page
from lib.domain.extraction import Hints, RawExtraction
from lib.domain.task import Task

CPU_RULES = "layout-rules-v1"
"""The name of the extractor that needs no GPU."""


class Extractor(Protocol):
    """Finds a task's fields on pages. Safe to share between threads."""

    @property
    def name(self) -> str:
        """As `model` in responses and artifacts."""
        ...

    def extract(self, pages: Sequence[Page], task: Task, hints: Hints) -> RawExtraction:
        """Candidates for each of the task's fields, best first; fields without any are left out.

        A task of choices is resolved by what the document is; `RawExtraction.task` says to which.
        """
        ...
