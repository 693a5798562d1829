"""Boosted decision trees as plain numbers: what a fit leaves behind, and its sum for new rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COLUMNS = ("feature", "threshold", "low", "high", "value")


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """An ensemble that adds one leaf's value per tree to `bias`.

    Nodes of all trees in one table: a row goes on to node `low` when its `feature` is at most
    `threshold`, else to `high`; a leaf leads to itself and holds `value`. `depth`: steps after
    which every row is in a leaf.
    """

    features: tuple[str, ...]
    bias: float
    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    low: NDArray[np.int32]
    high: NDArray[np.int32]
    value: NDArray[np.float64]
    depth: int

    def sums(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of each row of (rows, features), in the order of `features`."""
        at = np.repeat(self.roots[None, :], len(rows), axis=0)
        every = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            is_low = rows[every, self.feature[at]] <= self.threshold[at]
            at = np.where(is_low, self.low[at], self.high[at])
        return np.asarray(self.bias + self.value[at].sum(axis=1))

    def as_data(self) -> dict[str, Any]:
        """What `from_data` reads, as JSON can hold it; values keep six significant digits."""
        nodes = zip(self.feature, self.threshold, self.low, self.high, self.value, strict=True)
        return {
            "features": list(self.features),
            "bias": round(self.bias, 6),
            "roots": self.roots.tolist(),
            "depth": self.depth,
            "columns": list(_COLUMNS),
            "nodes": [
                [int(f), float(f"{t:.6g}"), int(low), int(high), float(f"{v:.6g}")]
                for f, t, low, high, v in nodes
            ],
        }


def from_data(data: Mapping[str, Any]) -> BoostedTrees:
    """The ensemble that `as_data` gave."""
    feature, threshold, low, high, value = zip(*data["nodes"], strict=True)
    return BoostedTrees(
        features=tuple(data["features"]),
        bias=float(data["bias"]),
        roots=np.array(data["roots"], np.int32),
        feature=np.array(feature, np.int32),
        threshold=np.array(threshold, np.float64),
        low=np.array(low, np.int32),
        high=np.array(high, np.int32),
        value=np.array(value, np.float64),
        depth=int(data["depth"]),
    )
