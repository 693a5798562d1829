"""A served model's weights from judged answers: a logistic regression around judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lib.domain.extraction import ModelWeights

Array = NDArray[np.float64]
NAMES = tuple(each.name for each in fields(ModelWeights))
_PULL = 1.0  # of each weight towards judgement, which few answers shall not overrule


def row(features: dict[str, float]) -> list[float]:
    """The features of an answer in the order of `NAMES`, of which the bias is 1."""
    return [1.0 if name == "bias" else features[name] for name in NAMES]


def sure(weights: ModelWeights, rows: Array) -> Array:
    """The confidence of each row of (answers, `NAMES`)."""
    found: Array = expit(rows @ np.array(astuple(weights)))
    return found


def fitted(rows: Array, right: NDArray[np.bool_], start: ModelWeights) -> ModelWeights:
    """The weights of the least log-loss, each pulled towards `start` by a Gaussian prior.

    With a deviation of 1 logit (ridge regression towards a mean: Hastie et al. 2009, section 3.4).
    """
    mean = np.array(astuple(start))
    signs = np.where(right, 1.0, -1.0)

    def loss(weights: Array) -> tuple[float, Array]:
        margins = signs * (rows @ weights)
        away = weights - mean
        value = np.logaddexp(0.0, -margins).sum() + _PULL / 2 * away @ away
        return float(value), -(signs * expit(-margins)) @ rows + _PULL * away

    from scipy.optimize import minimize  # noqa: PLC0415 (a fifth of a second, for this alone)

    found = minimize(loss, mean, jac=True, method="L-BFGS-B")
    return ModelWeights(*(round(float(value), 3) for value in found.x))


def held_out(
    rows: Array, right: NDArray[np.bool_], fold: Sequence[int], start: ModelWeights
) -> Array:
    """The confidence of each answer by weights that were fitted without those of its fold."""
    folds = np.array(fold)
    scores = np.zeros(len(rows))
    for number in set(fold):
        own = folds == number
        scores[own] = sure(fitted(rows[~own], right[~own], start), rows[own])
    return scores
