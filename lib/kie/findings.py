"""What the finder of one document type gives, and what a finder is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from lib.domain.extraction import Candidate, Hints
from lib.kie.mentions import Mentions


@dataclass(frozen=True, slots=True)
class Findings:
    """Candidates per field, best first, and the rows of each table in printed order."""

    fields: Mapping[str, tuple[Candidate, ...]]
    tables: Mapping[str, tuple[Mapping[str, Candidate], ...]]


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds the fields of one document type.

    `find` gives candidates for what the document shows of `known_fields` (fields and tables), and
    may spare itself those that are not wanted; a task's other fields are left to their labels.
    """

    known_fields: frozenset[str]
    find: Callable[[Mentions, Hints, Collection[str]], Findings]
