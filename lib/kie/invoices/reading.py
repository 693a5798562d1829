"""One document being read: layout, labels, key-value search, and the rows of the item table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lib.domain.extraction import Candidate
from lib.kie.invoices.key_values import KeyValues
from lib.kie.invoices.labels import Labels
from lib.kie.layout import Cell, Layout, Span
from lib.kie.mentions import Mentions
from lib.values.identifiers import IdentifierMatch

IdentifierFinder = Callable[[str], Sequence[IdentifierMatch]]
"""One of the finders of `lib.values.identifiers`."""

Found = dict[str, list[Candidate]]
"""Candidates per field, in any order."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What every part of invoice reading works on. `table_rows`: rows of the line-item table."""

    layout: Layout
    mentions: Mentions
    labels: Labels
    pairs: KeyValues
    table_rows: frozenset[int] = frozenset()
    _identifiers: dict[tuple[IdentifierFinder, int], tuple[IdentifierMatch, ...]] = field(
        default_factory=dict, repr=False
    )
    _located: dict[IdentifierFinder, tuple[tuple[Span, IdentifierMatch], ...]] = field(
        default_factory=dict, repr=False
    )

    def identifiers(self, find: IdentifierFinder, cell: Cell) -> tuple[IdentifierMatch, ...]:
        """What a finder of identifiers finds in a cell; found once."""
        key = (find, cell.index)
        found = self._identifiers.get(key)
        if found is None:
            found = self._identifiers[key] = tuple(find(cell.text))
        return found

    def all_identifiers(self, find: IdentifierFinder) -> tuple[tuple[Span, IdentifierMatch], ...]:
        """What a finder finds in the document, with its place; found once."""
        found = self._located.get(find)
        if found is None:
            found = self._located[find] = tuple(
                (Span(cell, match.start, match.end), match)
                for cell in self.layout.cells
                for match in self.identifiers(find, cell)
            )
        return found

    def outside_table(self, cell: Cell) -> bool:
        """Whether a cell is no part of the line-item table."""
        return cell.row not in self.table_rows

    def relative_y(self, cell: Cell) -> float:
        """Where the cell stands on its page: 0 at the top, 1 at the bottom."""
        page = self.layout.page_of(cell).page
        return cell.box.center_y / page.height
