"""Fields of any task by their labels: the label, then the value of the right type beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from lib.domain.extraction import Candidate
from lib.domain.task import FieldSpec, FieldType
from lib.kie.layout import Cell, Span
from lib.kie.lexicon import Label, LabelKind, Lexicon
from lib.kie.mentions import Mentions
from lib.values.identifiers import (
    IdentifierMatch,
    find_bics,
    find_emails,
    find_ibans,
    find_phones,
    find_tax_ids,
    find_urls,
)

_IDENTIFIER = re.compile(r"(?=\S*\d)[^\W_][\w\-/.]*")
_FINDERS: Mapping[FieldType, Callable[[str], Iterable[IdentifierMatch]]] = {
    FieldType.PHONE: find_phones,
    FieldType.EMAIL: find_emails,
    FieldType.URL: find_urls,
    FieldType.TAX_ID: find_tax_ids,
    FieldType.IBAN: find_ibans,
    FieldType.BIC: find_bics,
}
# These say what they are by their form, so one without a label is still a candidate.
_TELLING = frozenset({FieldType.EMAIL, FieldType.URL, FieldType.IBAN})
_RIGHT, _BELOW, _ALONE = 0.8, 0.6, 0.3


def find_labelled(
    mentions: Mentions, specs: Sequence[FieldSpec]
) -> dict[str, tuple[Candidate, ...]]:
    """Candidates for fields of a custom task, best first; fields without any are left out.

    A field's labels are the lexicon's for its name, the words of its name and the quoted phrases of
    its description ("the text beside 'Batch No.'"). The score is how well the label was spelled
    times 0.8 for a value right of it, 0.6 for one under it; 0.3 for a telling form without label.
    """
    own = Lexicon(
        Label(LabelKind.FIELD, spec.name, "task", phrase)
        for spec in specs
        for phrase in _phrases(spec)
    )
    found: dict[str, tuple[Candidate, ...]] = {}
    for spec in specs:
        ranked: dict[str, Candidate] = {}
        for candidate in sorted(_candidates(mentions, own, spec), key=lambda c: -c.score):
            ranked.setdefault(candidate.raw, candidate)
        if ranked:
            found[spec.name] = tuple(ranked.values())[:5]
    return found


def _phrases(spec: FieldSpec) -> Iterator[str]:
    """Label phrases that a task gives its field itself."""
    quoted = re.findall(r"['\"“‘]([^'\"“”‘’]{2,40})['\"”’]", f"{spec.description} {spec.question}")
    for phrase in (spec.name.replace("_", " "), *quoted):
        if 0 < len(re.findall(r"[^\W_]+", phrase)) <= 6:
            yield phrase


def _candidates(mentions: Mentions, own: Lexicon, spec: FieldSpec) -> Iterator[Candidate]:
    for cell in mentions.layout.cells:
        matches = (*own.find(cell.text), *mentions.lexicon.find(cell.text))
        for match in matches:
            if spec.name in match.fields:
                label = Span(cell, match.start, match.end)
                yield from _beside(mentions, spec, label, match.score)
        if spec.type in _TELLING:
            for span in _values(mentions, spec.type, cell, 0):
                yield mentions.candidate([span], _ALONE)


def _beside(
    mentions: Mentions, spec: FieldSpec, label: Span, spelled: float
) -> Iterator[Candidate]:
    """The first value of the type right of the label, else the first one under it."""
    row = mentions.layout.row_of(label.cell)
    places = [(label.cell, label.end), *((c, 0) for c in row.cells_right_of(label.cell))]
    for cell, start in places:
        for span in _values(mentions, spec.type, cell, start):
            yield mentions.candidate([span], _RIGHT * spelled, label.text)
            return
    for cell in mentions.layout.below(label.box, row.index, reach=2):
        for span in _values(mentions, spec.type, cell, 0):
            yield mentions.candidate([span], _BELOW * spelled, label.text)
            return


def _values(mentions: Mentions, kind: FieldType, cell: Cell, start: int) -> Iterator[Span]:
    """Texts of a type in a cell from character `start` on."""
    spans: list[Span] = []
    if kind in (FieldType.MONEY, FieldType.NUMBER, FieldType.PERCENT, FieldType.CURRENCY):
        percent = kind is FieldType.PERCENT
        spans = [
            a.span
            for a in mentions.amounts(cell)
            if a.match.percent is percent or kind is FieldType.NUMBER
        ]
    elif kind is FieldType.DATE:
        spans = [d.span for d in mentions.dates(cell)]
    elif kind is FieldType.TIME:
        spans = [t.span for t in mentions.all_times if t.span.cell is cell]
    elif kind in _FINDERS:
        spans = [Span(cell, m.start, m.end) for m in _FINDERS[kind](cell.text)]
    elif kind is FieldType.IDENTIFIER:
        spans = [Span(cell, m.start(), m.end()) for m in _IDENTIFIER.finditer(cell.text)]
    elif kind is not FieldType.TABLE:
        rest = Span(cell, start, len(cell.text)).stripped()
        spans = [rest] if any(map(str.isalnum, rest.text)) else []
    yield from (span for span in spans if span.start >= start)
