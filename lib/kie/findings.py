"""What the finder of one document type gives, and what a finder is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lib.domain.extraction import Candidate, Hints
from lib.domain.task import Task
from lib.kie.mentions import Mentions


@dataclass(frozen=True, slots=True)
class Findings:
    """Candidates per field, best first, and the rows of each table in printed order."""

    fields: Mapping[str, tuple[Candidate, ...]]
    tables: Mapping[str, tuple[Mapping[str, Candidate], ...]]


class Finder(Protocol):
    """Finds the fields of one document type. It answers the field names in `known_fields`."""

    @property
    def known_fields(self) -> frozenset[str]:
        """Fields and tables that it looks for; a task's other fields are left to their labels."""
        ...

    def find(self, mentions: Mentions, task: Task, hints: Hints) -> Findings:
        """Candidates for what the document shows."""
        ...
