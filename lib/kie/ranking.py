"""Linear scores of named features, and scores of rival candidates made comparable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Features = Mapping[str, float]
Weights = Mapping[str, float]


def weigh(features: Features, weights: Weights) -> float:
    """The sum of weight times feature; a feature without a weight says nothing."""
    return sum(weights.get(name, 0.0) * value for name, value in features.items())


def shares(scores: Sequence[float], none: float | None = None) -> list[float]:
    """Softmax of rival scores: each one's share of belief, in 0..1.

    `none` is the score of "none of them"; with it the shares sum to less than 1.
    """
    if not scores:
        return []
    rivals = [*scores, none] if none is not None else list(scores)
    top = max(rivals)
    whole = sum(math.exp(score - top) for score in rivals)
    return [math.exp(score - top) / whole for score in scores]
