"""Thresholds of confidence above which answers err at most at a rate, with a guarantee.

Learn then Test (Angelopoulos, Bates, Candes, Jordan, Lei, 2021): of calibration answers with
confidence c and above, the number that is wrong is binomial. A threshold whose binomial p-value for
"errs more than the rate" is small is accepted; thresholds are tested from strict to lax in a fixed
sequence, each only after the one before was accepted, so that all accepted ones hold together.
Sequences start at several counts, which share the budget (Bauer, 1991).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

RATES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)
ASSURANCE = 0.9
ENOUGH, FEWEST = 100, 10
"""Real answers from which on they are asked alone, and below which they are not asked."""

STARTS = (1, 3, 9)
"""Sequences start at these multiples of the fewest answers that can prove a rate."""


def thresholds(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> list[float | None]:
    """For each of `RATES` the least confidence that keeps it; None where too little was seen.

    Rounded up to four decimals, as confidences are stated.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, wrong = scores[order], np.cumsum(~right[order])
    # Answers of one confidence are accepted together: only the last of them is a threshold.
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True)) if len(ranked) else []
    counts = np.asarray(ends, int) + 1
    return [_least(ranked, wrong[counts - 1], counts, rate) for rate in RATES]


def _least(
    ranked: NDArray[np.float64], wrong: NDArray[np.int_], counts: NDArray[np.int_], rate: float
) -> float | None:
    """The least confidence that keeps one rate; `wrong`: of the first `counts` of `ranked`."""
    budget = (1 - ASSURANCE) / len(STARTS)
    fewest = math.log(budget) / math.log(1 - rate)
    refuted = bdtr(wrong.astype(float), counts, rate) <= budget
    lowest: float | None = None
    for start in STARTS:
        tested = np.flatnonzero(counts >= start * fewest)
        kept = tested[np.cumprod(refuted[tested]).astype(bool)]
        if len(kept):
            here = math.ceil(ranked[counts[kept[-1]] - 1] * 1e4 - 1e-6) / 1e4
            lowest = here if lowest is None else min(lowest, here)
    return lowest


def thresholds_of_both(
    scores: NDArray[np.float64], right: NDArray[np.bool_], real: NDArray[np.bool_]
) -> list[float | None]:
    """The thresholds of the real answers; where these are few, those that keep each rate among the
    drawn ones as well as among the real ones.

    Drawn documents are easier: they must not outvote real ones, even a handful of them.
    """
    if real.sum() >= ENOUGH:
        return thresholds(scores[real], right[real])
    drawn = thresholds(scores[~real], right[~real])
    if real.sum() < FEWEST:
        return drawn
    pairs = zip(thresholds(scores[real], right[real]), drawn, strict=True)
    return [None if one is None or other is None else max(one, other) for one, other in pairs]


def accepted(
    scores: NDArray[np.float64], least: Sequence[float | None], rate: float
) -> NDArray[np.bool_]:
    """Which scores a table accepts at one of `RATES`."""
    threshold = least[RATES.index(rate)]
    return scores >= threshold if threshold is not None else np.zeros(len(scores), bool)
