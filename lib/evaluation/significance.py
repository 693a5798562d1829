"""How far a figure or a difference may be chance: intervals and tests over documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from lib.evaluation.tally import Tally

Z_95 = 1.959964
_RESAMPLES = 4000


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


class Difference(NamedTuple):
    """F1 of B less F1 of A, its interval, and how likely one as large is by chance (two-sided)."""

    value: float
    interval: Interval
    p: float


def wilson(correct: int, count: int) -> Interval | None:
    """Wilson's score interval of a share; None of nothing.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.
    """
    if count == 0:
        return None
    share, z2 = correct / count, Z_95**2
    middle = share + z2 / (2 * count)
    reach = Z_95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    scale = 1 + z2 / count
    return Interval(max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p of the documents that only one of two readers got right.

    McNemar, "Note on the sampling error of the difference between correlated proportions",
    Psychometrika 1947; the exact form: under no difference `only_a` is binomial with 1/2, and as
    far from the middle on either side. Not `scipy.stats`, which takes a second to import.
    """
    return min(1.0, 2.0 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def f1_difference(a: Sequence[Tally], b: Sequence[Tally], seed: int = 1) -> Difference | None:
    """The difference of two F1 on the same documents (`a[i]` and `b[i]` are one document's counts).

    Percentile bootstrap over documents, so that fields of one document, which fail together, count
    as one observation (Efron, Tibshirani, "An Introduction to the Bootstrap", 1993). Seeded. None
    when one of the readers has neither truths nor answers.
    """
    first, second = _counts(a), _counts(b)
    whole = np.ones((1, len(a)))
    observed = float((_f1(whole, second) - _f1(whole, first))[0]) if len(a) else math.nan
    if math.isnan(observed):
        return None
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(a), np.full(len(a), 1 / len(a)), size=_RESAMPLES).astype(
        float
    )
    found = _f1(weights, second) - _f1(weights, first)
    found = found[~np.isnan(found)]
    low, high = np.quantile(found, (0.025, 0.975))
    beside = min(np.mean(found <= 0), np.mean(found >= 0))
    return Difference(observed, Interval(float(low), float(high)), min(1.0, 2 * float(beside)))


def _counts(tallies: Sequence[Tally]) -> NDArray[np.float64]:
    rows = [(tally.judged + tally.predicted, 2 * tally.correct) for tally in tallies]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _f1(weights: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of each weighting of the documents; NaN where a weighting has nothing to judge."""
    sums = weights @ counts
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[:, 1] / sums[:, 0])
