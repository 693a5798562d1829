"""How much a model's value is believed once its place is known: a logistic with named weights.

There are no labelled documents read by these models on a GPU here, so the weights are set by
judgement and not fitted. What a model says of its own certainty counts for less than half of its
odds, since log-probabilities are known to be too sure; that the rules found the same counts more
than anything that the model says. What a score is worth in the end is fitted for each model
(`ModelWeights`).
"""

from __future__ import annotations

import math

BIAS = 0.4
OWN_ODDS = 0.4  # weight of the log-odds of the model's own score
MISFIT = -4.0  # for each whole by which the words on the page fail to say the value
AGREED = 1.5  # rules over labels and layout found the same value
DISAGREED = -1.6  # they found another one

_SURE = 0.98  # a model's score is taken to be between this and its complement


def believe(own: float, fit: float, agreed: bool | None) -> float:
    """The score in 0..1 of a value believed by `own` that fits its place by `fit`, all in 0..1.

    `agreed`: whether the rules found the same; None where they found nothing to compare with.
    """
    bounded = min(_SURE, max(1 - _SURE, own))
    odds = BIAS + OWN_ODDS * math.log(bounded / (1 - bounded)) + MISFIT * (1 - fit)
    if agreed is not None:
        odds += AGREED if agreed else DISAGREED
    return 1 / (1 + math.exp(-odds))
