"""What a model said about a document, before anybody looked whether it is printed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NOTHING = frozenset({"", "null", "none", "n/a", "-"})
"""How models write that there is no value, in lower case."""


@dataclass(frozen=True, slots=True)
class Said:
    """One value as the model wrote it, and how sure it says it is, in 0..1."""

    text: str
    score: float


SaidRow = Mapping[str, Said]
"""One row of a table: the columns for which the model gave a value."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """Per field its values, the likeliest first; per table that was asked for its rows in order."""

    fields: Mapping[str, tuple[Said, ...]]
    tables: Mapping[str, tuple[SaidRow, ...]]
