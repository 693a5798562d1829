"""How sure a value is: a small logistic regression over named features, weights in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lib.domain.extraction import Source
from lib.domain.task import FieldType
from lib.post.answered import Answered
from lib.post.features import DocumentSigns

BIAS = "bias"

WEIGHTS: Mapping[str, float] = {
    # Near an L2-regularised fit on receipts and scanned invoices read by the CPU extractor; the
    # last three, too rare there to be fitted, are set by judgement. To refit: collect `features` of
    # every answered field with whether it was right, and replace the numbers.
    BIAS: -0.4,
    "score": 2.8,  # the extractor's ranking score, 0..1
    "word_doubt": -5.0,  # 1 - the least recognition confidence among the value's words
    "margin": 1.0,  # lead over the best other value of the field, 0..1
    "confirmed": 1.2,  # weight of the strongest check that holds, 0..1 (sums, checksums)
    "contradicted": -2.0,  # weight of the strongest check that fails, 0..1
    "text": -1.0,  # a name, address or other text: one wrong letter makes it wrong
    "repaired": -0.7,  # letters had to be read as digits
    "ambiguous": -1.6,  # two readings of the same text are equally possible
    "text_layer": 0.7,  # characters come from the file, not from pixels
    "derived": -0.3,  # computed from other values, not printed
}

MODEL_WEIGHTS: Mapping[str, float] = {
    # For values that a served model gave and that were found on the page. Set by judgement: no
    # labelled document has been read by such a model on a GPU here. The score already holds the
    # model's own certainty, how well the words fit and whether the rules agree; the recogniser's
    # doubt counts less than alone, since the model read the same letters in the picture.
    BIAS: -1.2,
    "score": 3.6,
    "word_doubt": -2.0,
    "margin": 1.0,
    "confirmed": 1.2,
    "contradicted": -2.0,
    "text": -0.5,
    "repaired": -0.4,
    "ambiguous": -1.6,
    "text_layer": 0.0,
    "derived": 0.0,
}

_TEXTS = frozenset({FieldType.NAME, FieldType.ADDRESS, FieldType.STRING})

_EXACT, _EXACT_BUT_CONTRADICTED = 0.995, 0.95
_CEILING, _FLOOR = 0.99, 0.01  # a value that was read is never certain, nor worthless once answered


def _logistic_features(a: Answered) -> dict[str, float]:
    option = a.option
    words = option.candidate.words
    rival = max((o.score for o in a.rivals), default=0.0)
    return {
        BIAS: 1.0,
        "score": option.candidate.score,
        "word_doubt": 1.0 - min((word.confidence for word in words), default=1.0),
        "margin": max(0.0, option.score - rival),
        "confirmed": a.confirmed,
        "contradicted": a.contradicted,
        "ambiguous": float(option.ambiguous),
        "repaired": float(option.repaired),
        "text": float(a.kind in _TEXTS),
        "text_layer": float(option.candidate.source is Source.TEXT_LAYER),
        "derived": float(option.candidate.source is Source.DERIVED),
    }


def probability(named: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> float:
    """The logistic of the weighted features, kept inside 0.01..0.99."""
    z = sum(weights[name] * value for name, value in named.items())
    return min(_CEILING, max(_FLOOR, 1.0 / (1.0 + math.exp(-z))))


def confidences(answered: Sequence[Answered], document: DocumentSigns) -> list[float]:
    """The confidence of each value, 0..1, rounded to four decimals.

    A value that its source gave exactly is not judged by its looks, only by the checks.
    """
    return [_one(value) for value in answered]


def _one(answered: Answered) -> float:
    if answered.option.exact:
        return _EXACT_BUT_CONTRADICTED if answered.contradicted else _EXACT
    from_model = answered.option.candidate.source is Source.MODEL
    named = _logistic_features(answered)
    return round(probability(named, MODEL_WEIGHTS if from_model else WEIGHTS), 4)
