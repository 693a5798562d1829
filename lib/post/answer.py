"""Chosen options as answered fields: value, text, place, confidence, and what else it may be."""

from __future__ import annotations

from collections.abc import Sequence

from lib.domain.document import Word
from lib.domain.extraction import Alternative, FieldValue
from lib.domain.geometry import Polygon, bounding_polygon
from lib.post.answered import Answered
from lib.post.confidence import confidences
from lib.post.features import DocumentSigns
from lib.post.options import Option, Options

_MAX_ALTERNATIVES = 3
_MAX_OPEN = 6  # of a value that is not answered: enough to pick from


def answer(answered: Sequence[Answered], document: DocumentSigns) -> dict[str, FieldValue]:
    """Every chosen value with its confidence, by its key: field names, `table[index].column`."""
    sure = confidences(answered, document)
    return {one.key: _field(one, p) for one, p in zip(answered, sure, strict=True)}


def _field(answered: Answered, sure: float) -> FieldValue:
    candidate = answered.option.candidate
    return FieldValue(
        value=answered.option.value,
        raw=candidate.raw,
        confidence=sure,
        source=candidate.source,
        page=candidate.page or None,
        polygon=_place(candidate.words),
        alternatives=_alternatives(answered.others, 1.0 - sure) if answered.others else (),
        evidence=answered.option.evidence,
    )


def open_answers(options: Options, unclear: Sequence[str]) -> dict[str, FieldValue]:
    """Fields whose text is on the page and has several meanings, of which none is answered."""
    return {name: _open(options[name]) for name in unclear}


def _open(readings: Sequence[Option]) -> FieldValue:
    candidate = readings[0].candidate
    values = dict.fromkeys(option.value for option in readings)
    share = round(1.0 / len(values), 4)
    by_value = {option.value: option for option in reversed(readings)}
    return FieldValue(
        value=None,
        raw=candidate.raw,
        confidence=0.0,
        source=candidate.source,
        page=candidate.page or None,
        polygon=_place(candidate.words),
        alternatives=tuple(
            Alternative(v, share, by_value[v].candidate.raw, by_value[v].evidence) for v in values
        )[:_MAX_OPEN],
    )


def _place(words: Sequence[Word]) -> Polygon | None:
    """The box around the words; a single word's own polygon, which may be turned."""
    if not words:
        return None
    return words[0].polygon if len(words) == 1 else bounding_polygon(w.polygon for w in words)


def _alternatives(others: Sequence[Option], doubt: float) -> tuple[Alternative, ...]:
    """The best alternatives; they share the confidence that the answer leaves, by their scores."""
    weight = sum(other.score for other in others)
    return tuple(
        Alternative(
            value=other.value,
            confidence=round(doubt * other.score / weight, 4) if weight else 0.0,
            raw=other.candidate.raw,
            evidence=other.evidence,
        )
        for other in others[:_MAX_ALTERNATIVES]
    )
