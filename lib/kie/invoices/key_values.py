"""Where a label's value stands: behind it, to its right, or below it in its column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lib.domain.extraction import Candidate
from lib.kie.invoices.labels import FieldLabel, Labels
from lib.kie.layout import Cell, Layout, Span
from lib.kie.mentions import Mentions

Finder = Callable[[Cell], Sequence[Span]]
"""The spans of a cell that look like a value of the wanted type, left to right."""

_BEHIND, _RIGHT, _BELOW = 1.0, 0.95, 0.85
_FAR_GAP = 40.0  # letter heights: a value that far to the right is less likely the label's
_FAR = 0.15
_SENTENCE_GAP = 24  # letters between a label and its value in one line
_IDENTIFIER = re.compile(
    r"(?:\b[A-Z]{1,5} ){0,2}\b\d{1,4}(?: \d{2,5})+(?: [A-Z]\b)?(?![\w/]|[.,-]\d)"  # digit groups
    r"|\b[A-Z]{1,3}-?\d{3,5}(?: \d{3,5})+(?![\w/]|[.,-]\d)"
    r"|(?:\b[A-Z]{1,5} ){0,2}[^\W_][\w./\-–+]*\d[\w./\-–+]*[^\W_]"
    r"|\b\d[/\-][A-Z]{1,4}\b"  # "3/NC"
    r"|(?:\b[A-Z]{1,5} )?\b\d{1,2}\b|[^\W\d_]\d\b"
)
_COVERED = 0.7  # of an identifier: that much of it being a date or money, it is one
_HAS_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Hit:
    """A value of a label. `closeness` in 0..1 says how surely the two belong together."""

    span: Span
    closeness: float
    label: FieldLabel

    @property
    def score(self) -> float:
        """Label strength times closeness."""
        return self.closeness * self.label.strength


class KeyValues:
    """Seeks values of labels on a laid-out document."""

    def __init__(self, layout: Layout, mentions: Mentions, labels: Labels) -> None:
        self._layout = layout
        self._mentions = mentions
        self._labels = labels

    def hits(self, field: str, find: Finder) -> list[Hit]:
        """The values of a field's labels, best first."""
        found = [hit for label in self._labels.of(field) for hit in self.seek(label, find)]
        return sorted(found, key=lambda hit: -hit.score)

    def seek(self, label: FieldLabel, find: Finder) -> Iterator[Hit]:
        """The values of one label: the one in its cell, else the nearest to the right and below."""
        end = self._end_of(label)
        for span in find(label.cell):
            if label.span.end <= span.start < end:
                gap = span.start - label.span.end
                yield Hit(span, _BEHIND if gap <= _SENTENCE_GAP else _BEHIND * 0.7, label)
                return
        rest = label.cell.text[label.span.end : end]
        if sum(map(str.isalnum, rest)) > _SENTENCE_GAP:
            return
        right = self._right_of(label, find)
        if right:
            yield right
        if not right or not label.alone:
            below = self._below(label, find)
            if below:
                yield below

    def _end_of(self, label: FieldLabel) -> int:
        """Where the next label of the cell begins."""
        starts = [
            other.span.start
            for other in self._labels.in_cell(label.cell)
            if other.span.start >= label.span.end and other.clear
        ]
        return min(starts, default=len(label.cell.text))

    def _right_of(self, label: FieldLabel, find: Finder) -> Hit | None:
        height = self._layout.page_of(label.cell).letter_height
        for other in self._layout.row_of(label.cell).cells_right_of(label.cell):
            spans = find(other)
            before = self._labels.opening(other)
            if spans and not (before and before[0].span.end <= spans[0].start):
                gap = (other.box.x0 - label.cell.box.x1) / height
                return Hit(spans[0], _RIGHT - _FAR * min(1.0, gap / _FAR_GAP), label)
            if before or sum(map(str.isalpha, other.text)) > 2:
                return None
        return None

    def _below(self, label: FieldLabel, find: Finder) -> Hit | None:
        box = label.span.box
        height = self._layout.page_of(label.cell).letter_height
        for other in self._layout.below(box, label.cell.row, reach=3):
            if other.box.y0 - box.y1 > 3 * height:
                return None
            if self._labels.opening(other) and not find(other):
                return None
            under = [span for span in find(other) if span.box.overlap_x(box) > 0]
            if under:
                heading = self._labels.opening(other)
                if heading and heading[0].span.end <= under[0].start:
                    return None
                return Hit(under[0], _BELOW if label.alone else _BELOW * 0.85, label)
            if sum(map(str.isalpha, other.text)) > 2:
                return None
        return None


def as_candidates(
    mentions: Mentions, hits: Sequence[Hit], scale: float = 1.0
) -> tuple[Candidate, ...]:
    """Hits as candidates, best first, each value once."""
    found: dict[str, Candidate] = {}
    for hit in sorted(hits, key=lambda hit: -hit.score):
        candidate = mentions.candidate([hit.span], hit.score * scale, hit.label.span.text)
        found.setdefault(candidate.raw, candidate)
    return tuple(found.values())


def identifier_spans(mentions: Mentions, cell: Cell) -> list[Span]:
    """Runs that may number a document, an order or a customer: a digit, but no date or money."""
    if not _HAS_DIGIT.search(cell.text):
        return []
    taken = [span for span in date_spans(mentions, cell) if not span.text.isdigit()]
    taken += [
        amount.span
        for amount in mentions.amounts(cell)
        if amount.match.percent or amount.match.currency or amount.match.symbol
    ]
    spans = []
    for match in _IDENTIFIER.finditer(cell.text):
        start, end = match.span()
        start = max(start, _end_of_label(mentions, cell, start, end))
        covered = sum(max(0, min(span.end, end) - max(span.start, start)) for span in taken)
        if covered >= _COVERED * (end - start):
            continue
        bracketed = cell.text[:start].rstrip().endswith("(") and cell.text[
            end:
        ].lstrip().startswith(")")
        if not bracketed:
            spans.append(Span(cell, start, end))
    return spans


def _end_of_label(mentions: Mentions, cell: Cell, start: int, end: int) -> int:
    """Where the number begins that follows a label in capitals: "INVOICE NO 123"; else 0."""
    return max(
        (
            label.span.end + 1
            for label in mentions.labels(cell)
            if label.match.fields
            and label.span.start < start < label.span.end < end
            and cell.text[label.span.end] == " "
        ),
        default=0,
    )


def date_spans(mentions: Mentions, cell: Cell) -> list[Span]:
    """The dates of a cell, without those inside longer numbers such as RE-20240519/77."""
    return [date.span for date in mentions.dates(cell) if _stands_free(date.span)]


def _stands_free(span: Span) -> bool:
    text = span.cell.text
    before, behind = text[: span.start][-1:], text[span.end :][:1]
    return not (before.isalnum() or (before != "" and before in "-/_")) and (
        behind == "" or behind not in "/_"
    )


def text_spans(cell: Cell, start: int = 0) -> list[Span]:
    """All text behind `start`, as one span."""
    span = Span(cell, start, len(cell.text)).stripped()
    return [span] if span.end > span.start else []
