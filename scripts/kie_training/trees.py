"""Boosted trees over the features of a piece and its neighbours: the family that needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm
import numpy as np
from numpy.typing import NDArray

from kie_training.heads import FIELDS, Head, tags
from lib.kie.mentions import Mentions
from lib.kie.receipts.head_features import HeadFeatures, head_features
from lib.kie.receipts.head_network import decide
from lib.kie.receipts.pieces import Piece
from lib.kie.receipts.runs import NOTHING, HeadReading

REACH = 2  # pieces to either side
ROUNDS = 110
PARAMETERS = {
    "objective": "multiclass",
    "num_class": 3,
    "learning_rate": 0.07,
    "num_leaves": 12,
    "min_data_in_leaf": 8,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 2,
    "verbose": -1,
    "num_threads": 1,
    "deterministic": True,
}
NEVER = -30.0  # the score of "none is printed": sequences of tags always name a run


class TreesHead:
    """Implements `HeadReader` with a labeller of single pieces per field."""

    def __init__(self, labellers: Sequence[lightgbm.Booster]) -> None:
        self._labellers = labellers

    def read(self, mentions: Mentions, pieces: Sequence[Piece]) -> HeadReading:
        """See `HeadReader`."""
        if not pieces:
            return HeadReading(NOTHING, NOTHING)
        seen = head_features(mentions, pieces)
        rows = windows(seen)
        scores = [log_odds(np.asarray(labeller.predict(rows))) for labeller in self._labellers]
        none, evidence = np.full(2, NEVER, np.float32), np.zeros(len(seen.names), np.float32)
        return decide(np.hstack(scores), none, (seen.names, evidence), seen.addresses)


def train(heads: Sequence[Head], weights: Sequence[float], seed: int) -> TreesHead:
    """Labellers fitted on heads that weigh as said."""
    labellers = []
    for field in FIELDS:
        judged = [
            (h, w, t)
            for h, w in zip(heads, weights, strict=True)
            if (t := tags(h, field)) is not None
        ]
        data = lightgbm.Dataset(
            np.vstack([windows(head.features) for head, _, _ in judged]),
            np.concatenate([found for _, _, found in judged]),
            weight=np.concatenate([np.full(len(found), weight) for _, weight, found in judged]),
        )
        labellers.append(lightgbm.train({**PARAMETERS, "seed": seed}, data, ROUNDS))
    return TreesHead(labellers)


def windows(features: HeadFeatures) -> NDArray[np.float32]:
    """The numbers of each piece and of its neighbours side by side; -1 beyond the ends."""
    count, width = features.numbers.shape
    padded = np.full((count + 2 * REACH, width), -1, np.float32)
    padded[REACH : REACH + count] = features.numbers
    return np.hstack([padded[start : start + count] for start in range(2 * REACH + 1)])


def log_odds(chances: NDArray[np.float64]) -> NDArray[np.float32]:
    """Chances of outside, first, further (pieces, 3) as what a run gains by each piece."""
    outside, first, further = np.log(np.clip(chances, 1e-4, 1)).T
    stops = np.log(np.clip(1 - np.append(chances[1:, 2], 0), 1e-4, 1))
    return np.stack([first - outside, further - outside, stops], 1).astype(np.float32)
