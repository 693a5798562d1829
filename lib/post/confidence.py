"""How sure a value is: a small logistic regression over named features, weights in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lib.domain.extraction import Source
from lib.post.options import Option

BIAS = "bias"

WEIGHTS: Mapping[str, float] = {
    # A first setting by judgement, to be refitted on labelled documents: run the evaluation, take
    # `features` of every answered field with whether it was right, fit, and replace these numbers.
    BIAS: -1.0,
    "score": 3.2,  # the extractor's ranking score, 0..1
    "word_doubt": -4.0,  # 1 - the least recognition confidence among the value's words
    "margin": 1.0,  # lead over the best other value of the field, 0..1
    "confirmed": 1.6,  # weight of the strongest check that holds, 0..1 (sums, checksums)
    "contradicted": -2.0,  # weight of the strongest check that fails, 0..1
    "ambiguous": -1.6,  # two readings of the same text are equally possible
    "repaired": -0.7,  # letters had to be read as digits
    "text_layer": 0.6,  # characters come from the file, not from pixels
    "derived": -0.3,  # computed from other values, not printed
}

_EXACT, _EXACT_BUT_CONTRADICTED = 0.995, 0.95
_CEILING, _FLOOR = 0.99, 0.01  # a value that was read is never certain, nor worthless once answered


def features(
    option: Option, others: Sequence[Option], confirmed: float, contradicted: float
) -> dict[str, float]:
    """The named features of a chosen option.

    `others`: the field's options that were not chosen; `confirmed` and `contradicted` in 0..1: the
    weights of the strongest passed and failed checks that name the field.
    """
    words = option.candidate.words
    rival = max((o.score for o in others if o.value != option.value), default=0.0)
    return {
        BIAS: 1.0,
        "score": option.candidate.score,
        "word_doubt": 1.0 - min((word.confidence for word in words), default=1.0),
        "margin": max(0.0, option.score - rival),
        "confirmed": max(confirmed, 1.0 if option.valid else 0.0),
        "contradicted": max(contradicted, 1.0 if option.valid is False else 0.0),
        "ambiguous": float(option.ambiguous),
        "repaired": float(option.repaired),
        "text_layer": float(option.candidate.source is Source.TEXT_LAYER),
        "derived": float(option.candidate.source is Source.DERIVED),
    }


def probability(named: Mapping[str, float]) -> float:
    """The logistic of the weighted features, kept inside 0.01..0.99."""
    z = sum(WEIGHTS[name] * value for name, value in named.items())
    return min(_CEILING, max(_FLOOR, 1.0 / (1.0 + math.exp(-z))))


def confidence(
    option: Option, others: Sequence[Option], confirmed: float, contradicted: float
) -> float:
    """The confidence of an answered value, 0..1, rounded to four decimals.

    A value that its source gave exactly is not judged by its looks, only by the checks.
    """
    if option.exact:
        return _EXACT_BUT_CONTRADICTED if contradicted else _EXACT
    return round(probability(features(option, others, confirmed, contradicted)), 4)
