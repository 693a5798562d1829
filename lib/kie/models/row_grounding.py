"""Finds the rows of a table that a model wrote: the cells of a row are printed side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from lib.domain.task import FieldSpec, FieldType
from lib.kie.models.grounding import places_of
from lib.kie.models.printed import Place, Printed
from lib.kie.models.said import SaidRow

_ROW_REACH = (
    1.7  # letter heights between the middles of two cells of one row; wrapped text is taller
)
_TAKEN = 0.6  # what a place is worth that another row's cell of the same column was found in
_IN_ORDER = 0.25  # for a row below the one before it
# What tells one row from another: rates and quantities repeat, amounts and texts seldom do.
_TELLING = {FieldType.MONEY: 1.0, FieldType.STRING: 1.2, FieldType.IDENTIFIER: 0.9}
_LESS_TELLING = 0.5


@dataclass(frozen=True, slots=True)
class GroundedRow:
    """A row's cells that were found, by column, and the names of those that were not."""

    cells: Mapping[str, Place]
    lost: tuple[str, ...]


def ground_rows(
    printed: Printed, columns: Sequence[FieldSpec], rows: Sequence[SaidRow]
) -> tuple[GroundedRow, ...]:
    """Where each row's cells are printed; a cell counts only beside the others of its row.

    Rows are expected in printed order, but need not be; two rows do not share a cell's words where
    there are others that say the same.
    """
    kinds = {column.name: column.type for column in columns}
    reach = _ROW_REACH * printed.line_height
    taken: dict[str, set[int]] = {name: set() for name in kinds}
    before = (0, 0.0)
    grounded: list[GroundedRow] = []
    for row in rows:
        places = {
            name: places_of(printed, kinds[name], said.text)
            for name, said in row.items()
            if name in kinds
        }
        cells = _best_row(places, kinds, taken, before, reach)
        for name, place in cells.items():
            taken[name] |= place.word_ids
        if cells:
            last = max(cells.values(), key=lambda place: (place.page, place.middle))
            before = (last.page, last.middle)
        lost = tuple(name for name in row if name not in cells)
        grounded.append(GroundedRow(cells, lost))
    return tuple(grounded)


def _best_row(
    places: Mapping[str, Sequence[Place]],
    kinds: Mapping[str, FieldType],
    taken: Mapping[str, set[int]],
    before: tuple[int, float],
    reach: float,
) -> dict[str, Place]:
    """The cells around the anchor that gathers most; an anchor is any place of any cell.

    Of anchors of the same height one is looked at: beside them stands the same.
    """
    ranked = {name: _by_worth(found, taken[name]) for name, found in places.items()}
    anchors: dict[tuple[int, float, float], Place] = {}
    for place in (place for found in places.values() for place in found):
        anchors.setdefault((place.page, place.top, place.bottom), place)
    best: tuple[float, dict[str, Place]] = (0.0, {})
    for anchor in anchors.values():
        cells: dict[str, Place] = {}
        score = _IN_ORDER if (anchor.page, anchor.middle) > before else 0.0
        for name, found in ranked.items():
            for worth, place in found:
                if _beside(place, anchor, reach):
                    cells[name] = place
                    score += worth * _TELLING.get(kinds[name], _LESS_TELLING)
                    break
        score += 0.05 * len(frozenset[int]().union(*(p.word_ids for p in cells.values())))
        if score > best[0] + 1e-9:
            best = (score, cells)
    return best[1]


def _by_worth(found: Sequence[Place], taken: Set[int]) -> list[tuple[float, Place]]:
    """The places of a cell with what each is worth, best first, equal ones as they were found."""
    worth = [(p.fit if taken.isdisjoint(p.word_ids) else p.fit * _TAKEN, p) for p in found]
    return sorted(worth, key=lambda one: -one[0])


def _beside(place: Place, anchor: Place, reach: float) -> bool:
    """Whether two places are in one row: their heights overlap, or nearly."""
    if place.page != anchor.page:
        return False
    heights = (place.bottom - place.top + anchor.bottom - anchor.top) / 2
    apart = max(place.top, anchor.top) - min(place.bottom, anchor.bottom)
    return apart <= reach - heights or abs(place.middle - anchor.middle) <= reach
