"""Quantiles of latencies, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 2000
_CURVE = (*range(99), *(99 + step / 10 for step in range(11)))
_SURE = 0.95


def spread(milliseconds: Sequence[float]) -> dict[str, float]:
    """Count and quantiles."""
    if not milliseconds:
        return {"n": 0}
    quantiles = zip((50, 90, 95, 99), np.percentile(milliseconds, (50, 90, 95, 99)), strict=True)
    return {
        "n": len(milliseconds),
        **{f"p{q}": round(float(value), 2) for q, value in quantiles},
        "max": round(max(milliseconds), 2),
    }


def curve(milliseconds: Sequence[float]) -> list[list[float]]:
    """Pairs of percentile and milliseconds: what a plot of the distribution needs."""
    found = np.percentile(milliseconds, _CURVE)
    return [[q, round(float(value), 2)] for q, value in zip(_CURVE, found, strict=True)]


def difference(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], percentile: float
) -> dict[str, float]:
    """A quantile of `ours` less that of `theirs`, with its 95 % interval, over pairs of blocks."""

    def statistic(chosen: NDArray[np.int64]) -> float:
        one = np.concatenate([ours[block] for block in chosen])
        other = np.concatenate([theirs[block] for block in chosen])
        return float(np.percentile(one, percentile) - np.percentile(other, percentile))

    return _over_blocks(statistic, len(ours), 2)


def ratio(over: Sequence[Sequence[float]], under: Sequence[Sequence[float]]) -> dict[str, float]:
    """The mean of `over` to that of `under`, with its 95 % interval, over pairs of blocks."""

    def statistic(chosen: NDArray[np.int64]) -> float:
        one = np.concatenate([over[block] for block in chosen])
        other = np.concatenate([under[block] for block in chosen])
        return float(one.mean() / other.mean())

    return _over_blocks(statistic, len(over), 3)


def _over_blocks(
    statistic: Callable[[NDArray[np.int64]], float], blocks: int, digits: int
) -> dict[str, float]:
    """A statistic of pairs of blocks, measured one after the other, and its interval.

    What is drawn again is pairs of blocks, since requests of one block are slow together (a
    bootstrap of clusters: Davison and Hinkley 1997, section 3.8).
    """
    # Imported here, as below: it takes a second, which who only wants quantiles does not wait for.
    from scipy.stats import bootstrap  # noqa: PLC0415

    every = np.arange(blocks)
    found = bootstrap(
        (every,),
        statistic,
        vectorized=False,
        n_resamples=_RESAMPLES,
        confidence_level=_SURE,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    low, high = found.confidence_interval
    return {
        "value": round(statistic(every), digits),
        "low": round(float(low), digits),
        "high": round(float(high), digits),
    }


def slope(documents: Sequence[int], megabytes: Sequence[float]) -> dict[str, float]:
    """Megabytes for each 1,000 documents with their 95 % interval, by Theil and Sen's estimator:
    the median of the slopes between all pairs, which a worker's replacement does not move.
    """
    from scipy.stats import theilslopes  # noqa: PLC0415

    value, _, low, high = theilslopes(megabytes, documents, _SURE)
    return {
        "value": round(float(value) * 1000, 3),
        "low": round(float(low) * 1000, 3),
        "high": round(float(high) * 1000, 3),
    }
