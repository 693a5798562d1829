"""What a candidate can mean: one option per reading, before any is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lib.domain.date_order import DateOrder
from lib.domain.extraction import Candidate, Source, Value


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate read as one value.

    `weight` in 0..1 is this reading's share of the candidate's score; `order` the order in which a
    numeric date was read; `ambiguous` that nothing on the document decided between the readings;
    `valid` the verdict of a checksum (None: there is none); `repaired` that OCR damage was undone;
    `evidence` says what speaks for this reading where the text has several;
    `recalled` that the spelling is a known vendor's.
    """

    value: Value
    candidate: Candidate
    weight: float = 1.0
    order: DateOrder | None = None
    ambiguous: bool = False
    valid: bool | None = None
    repaired: bool = False
    recalled: bool = False
    evidence: str = ""

    @property
    def score(self) -> float:
        """The candidate's score as far as it belongs to this reading."""
        return self.candidate.score * self.weight

    @property
    def exact(self) -> bool:
        """Whether the value was given by its source and not read."""
        return self.candidate.source is Source.XML and self.candidate.value is not None


Options = Mapping[str, tuple[Option, ...]]
"""Per field its options, best first."""

RowOptions = Mapping[str, tuple[Option, ...]]
"""One table row: per column the readings of its cell."""

Chosen = Mapping[str, Option]
"""Per field (or per column of one row) the option that was chosen; absent where there is none."""
