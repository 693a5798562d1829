"""A model's whole answer on the page: candidates for what is printed, doubts for what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.domain.document import Page
from lib.domain.extraction import Candidate, RawExtraction, Source
from lib.domain.task import FieldSpec, FieldType
from lib.kie.models.grounding import best_place, places_of, reading_of
from lib.kie.models.printed import Place, Printed
from lib.kie.models.row_grounding import ground_rows
from lib.kie.models.said import ModelAnswer, Said, SaidRow
from lib.kie.models.scores import believe

DOUBTED = 0.05
"""Score of a value that is not on the page: it is shown as an alternative, and never answered."""

_LATER = 0.5  # of the score, for each further value that the model gave for a single one
_DECIDED = 0.5  # score from which the rules' first candidate counts as their answer
_ROW_FOUND = 0.5  # share of a row's cells that must be found beside each other


@dataclass(frozen=True, slots=True)
class Grounded:
    """What became of an answer.

    `fields` and `tables` as in `RawExtraction`, for what is printed; `doubts` per field what the
    model said that is not; `lost` per table how many cells were not found.
    """

    fields: Mapping[str, tuple[Candidate, ...]]
    tables: Mapping[str, tuple[Mapping[str, Candidate], ...]]
    doubts: Mapping[str, tuple[Candidate, ...]]
    lost: Mapping[str, int]


def ground(
    answer: ModelAnswer, specs: Sequence[FieldSpec], pages: Sequence[Page], rules: RawExtraction
) -> Grounded:
    """Look for each value of `answer` on `pages`.

    `rules` is what the extractor without a model found on the same pages: where it looked, the
    model's value is likely to stand, and where both found the same it is believed more.
    """
    printed = Printed(pages, rules.language)
    fields: dict[str, tuple[Candidate, ...]] = {}
    doubts: dict[str, tuple[Candidate, ...]] = {}
    tables: dict[str, tuple[Mapping[str, Candidate], ...]] = {}
    lost: dict[str, int] = {}
    for spec in specs:
        if spec.type is FieldType.TABLE:
            if spec.name in answer.tables:
                tables[spec.name], missed = _table(printed, spec, answer.tables[spec.name])
                lost |= {spec.name: missed} if missed else {}
            continue
        found, doubted = _field(
            printed, spec, answer.fields.get(spec.name, ()), rules.fields.get(spec.name, ())
        )
        fields |= {spec.name: found} if found else {}
        doubts |= {spec.name: doubted} if doubted else {}
    return Grounded(fields, tables, doubts, lost)


def _field(
    printed: Printed, spec: FieldSpec, values: Sequence[Said], rules: Sequence[Candidate]
) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    found: list[Candidate] = []
    doubts: list[Candidate] = []
    likely = [word for candidate in rules for word in candidate.words]
    for rank, said in enumerate(values):
        place = best_place(places_of(printed, spec.type, said.text), spec.type, likely)
        if place is None:
            doubts.append(Candidate(said.text, DOUBTED, Source.MODEL))
            continue
        own = said.score * _LATER**rank
        agreed = _agreed(place, rules)
        found.append(_candidate(place, spec, said.text, believe(own, place.fit, agreed)))
    return tuple(found), tuple(doubts)


def _agreed(place: Place, rules: Sequence[Candidate]) -> bool | None:
    """Whether the rules' best candidate, if they have decided on one, says the same."""
    if not rules or rules[0].score < _DECIDED:
        return None
    words = {id(word) for word in place.words}
    if any(id(word) in words for word in rules[0].words):
        return True
    return rules[0].raw.strip() == place.raw.strip()


def _candidate(place: Place, spec: FieldSpec, text: str, score: float) -> Candidate:
    return Candidate(
        raw=place.raw,
        score=score,
        source=Source.MODEL,
        page=place.page,
        words=place.words,
        reading=reading_of(place, spec.type, text),
    )


def _table(
    printed: Printed, table: FieldSpec, rows: Sequence[SaidRow]
) -> tuple[tuple[Mapping[str, Candidate], ...], int]:
    """The rows of which enough is printed side by side, and how many cells were not found."""
    specs = {column.name: column for column in table.columns}
    kept: list[Mapping[str, Candidate]] = []
    lost = 0
    for said, row in zip(rows, ground_rows(printed, table.columns, rows), strict=True):
        if len(row.cells) < _ROW_FOUND * len(said):
            lost += len(said)
            continue
        lost += len(row.lost)
        kept.append(
            {
                name: _candidate(
                    place, specs[name], said[name].text, believe(said[name].score, place.fit, None)
                )
                for name, place in row.cells.items()
            }
        )
    return tuple(kept), lost
