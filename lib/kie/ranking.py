"""Linear scores of named features, and scores of rival candidates made comparable."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

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


def ranked(scored: Sequence[tuple[Hashable, float]], none: float) -> list[tuple[int, float]]:
    """Rivals best first, as (index of its best mention, share of belief); empty when none wins.

    `scored` holds the key of what each mention says and its score: mentions that say the same add
    up their shares. When "none of them", with its score `none`, is believed more than the best
    rival, nothing is returned: a field is rather left empty than guessed.
    """
    whole: dict[Hashable, float] = {}
    speaker: dict[Hashable, int] = {}
    parts = shares([score for _, score in scored], none)
    for index, ((key, score), share) in enumerate(zip(scored, parts, strict=True)):
        whole[key] = whole.get(key, 0.0) + share
        if key not in speaker or score > scored[speaker[key]][1]:
            speaker[key] = index
    order = sorted(whole, key=lambda key: -whole[key])
    if not order or whole[order[0]] < 1 - sum(parts):
        return []
    return [(speaker[key], min(1.0, whole[key])) for key in order]
