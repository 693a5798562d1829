"""The field labels of a document and how strongly each speaks for its field."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.kie.language import NO_LANGUAGE
from lib.kie.layout import Cell, Span
from lib.kie.lexicon import Label, LabelKind, LabelMatch
from lib.kie.mentions import LabelMention, Mentions

_MAIN_SHARE = 0.4  # of the leading language's votes: bilingual forms have two main languages
_FOREIGN = 0.5  # a phrase that only another language has
_BEHIND_TEXT = 0.75  # a phrase behind other words of its cell
_IN_SENTENCE = 0.45  # the same in running text
_SENTENCE_WORDS = 9
_SHORT_LETTERS = 3  # "an", "le", "da": labels only where a colon or nothing follows
_SHORT = 0.2
_CLEAR = 0.5
_COLONS = ":：."
_CONNECTING = re.compile(r"(?:of|at|on|auf|von|sur|su|op|van|od|på)\b")  # "Includes GST of"
_ASIDE = re.compile(r"\([^\d()]*\)")  # "Buyer (Bill to)", "Total (EUR)"


@dataclass(frozen=True, slots=True)
class FieldLabel:
    """A phrase that labels `field`. `strength` in 0..1.

    `leads`: nothing stands before it in its cell; `alone`: nothing behind it either.
    """

    field: str
    span: Span
    strength: float
    leads: bool
    alone: bool

    @property
    def cell(self) -> Cell:
        """The cell that it is printed in."""
        return self.span.cell

    @property
    def clear(self) -> bool:
        """Whether it is more than a chance word."""
        return self.strength > _CLEAR

    @property
    def opens(self) -> bool:
        """Whether it clearly labels what its cell begins with."""
        return self.leads and self.clear


class Labels:
    """All labels of a laid-out document by field, weighed by its languages."""

    def __init__(self, mentions: Mentions, language: str | None = None) -> None:
        self._mentions = mentions
        self.languages = _main_languages(mentions, language)
        by_field: dict[str, list[FieldLabel]] = defaultdict(list)
        by_cell: dict[int, list[FieldLabel]] = defaultdict(list)
        for cell in mentions.layout.cells:
            for mention in mentions.labels(cell):
                for label in self._field_labels(mention):
                    by_field[label.field].append(label)
                    by_cell[cell.index].append(label)
        self._by_field: Mapping[str, Sequence[FieldLabel]] = by_field
        self._by_cell: Mapping[int, Sequence[FieldLabel]] = by_cell

    def of(self, *fields: str) -> tuple[FieldLabel, ...]:
        """Labels of these fields in reading order."""
        found = [label for name in fields for label in self._by_field.get(name, ())]
        return tuple(sorted(found, key=lambda label: (label.cell.index, label.span.start)))

    def in_cell(self, cell: Cell) -> Sequence[FieldLabel]:
        """Labels of any field in a cell."""
        return self._by_cell.get(cell.index, ())

    def opening(self, cell: Cell) -> list[FieldLabel]:
        """Labels that clearly open a cell."""
        return [label for label in self.in_cell(cell) if label.opens]

    def cues(self, cell: Cell) -> frozenset[str]:
        """Cues of a cell's phrases, from the document's languages."""
        return frozenset(
            label.name
            for mention in self._mentions.labels(cell)
            for label in mention.match.labels
            if label.kind is LabelKind.CUE and self._speaks(label)
        )

    def leading_cues(self, cell: Cell) -> frozenset[str]:
        """Cues of the phrase that opens the cell."""
        for mention in self._mentions.labels(cell):
            if _letters_before(mention.span) == 0:
                return frozenset(
                    label.name
                    for label in mention.match.labels
                    if label.kind is LabelKind.CUE and self._speaks(label)
                )
            break
        return frozenset()

    def _field_labels(self, mention: LabelMention) -> list[FieldLabel]:
        names: dict[str, list[Label]] = defaultdict(list)
        for label in mention.match.labels:
            if label.kind is LabelKind.FIELD:
                names[label.name].append(label)
        leads = _letters_before(mention.span) == 0
        behind = mention.span.cell.text[mention.span.end :].strip(" .*")
        alone = leads and not _ASIDE.sub("", behind).strip(_COLONS + " ")
        strength = mention.match.score * _position_factor(mention, leads, behind)
        return [
            FieldLabel(
                name,
                mention.span,
                strength * (1.0 if any(self._speaks(label) for label in labels) else _FOREIGN),
                leads,
                alone,
            )
            for name, labels in names.items()
        ]

    def _speaks(self, label: Label) -> bool:
        return label.language in self.languages


def _main_languages(mentions: Mentions, language: str | None) -> frozenset[str]:
    """Languages that explain most labels; a phrase of several gives each a part of its vote."""
    votes: dict[str, float] = defaultdict(float)
    for cell in mentions.layout.cells:
        for mention in mentions.labels(cell):
            shared = mention.match.languages - NO_LANGUAGE
            for name in shared:
                votes[name] += _weight(mention.match) / len(shared)
    if language:
        votes[language] += 1 + max(votes.values(), default=0)
    if not votes:
        return frozenset({"en"})
    top = max(votes.values())
    return NO_LANGUAGE | {name for name, count in votes.items() if count >= _MAIN_SHARE * top}


def _weight(match: LabelMatch) -> float:
    return float(match.end - match.start)


def _letters_before(span: Span) -> int:
    return sum(map(str.isalnum, span.cell.text[: span.start]))


def _position_factor(mention: LabelMention, leads: bool, behind: str) -> float:
    has_colon = behind[:1] in set(_COLONS) and behind != ""
    letters = sum(map(str.isalpha, mention.span.text))
    bare_word = letters == len(mention.span.text)
    short = letters <= _SHORT_LETTERS and bare_word
    if short and behind[:1].isalpha() and not _CONNECTING.match(behind):
        return _SHORT
    if leads or has_colon:
        return 1.0
    long = len(mention.span.cell.line.words) >= _SENTENCE_WORDS
    return _IN_SENTENCE if long or (letters < _SHORT_LETTERS and bare_word) else _BEHIND_TEXT
