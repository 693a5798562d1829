"""Reads a receipt's head with a small network: which pieces are the vendor's name and address.

The network (characters convolved, pieces related by a bidirectional GRU; trained by
scripts/train_kie.py) scores for each piece that a name or address begins with it, goes on from the
piece before to it, or ends with it. The score of a run of pieces is the sum, for a name with a
weighted sum of its own features, and its share of belief a softmax over all runs and "none is
printed" (a semi-Markov conditional random field with one segment: Sarawagi and Cohen, 2004).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lib.kie.mentions import Mentions
from lib.kie.receipts.head_features import ALPHABET, FEATURES, head_features
from lib.kie.receipts.name_evidence import NAME_FEATURES
from lib.kie.receipts.pieces import Piece
from lib.kie.receipts.runs import LONGEST_ADDRESS, NOTHING, HeadReading, Run, RunShares
from lib.networks.onnx import OnnxNetwork

MODEL = "receipt_head.onnx"
SCORES = ("begins", "goes on", "ends")
"""What is scored of each piece, for the name and then for the address."""

SIGNATURE = {"alphabet": ALPHABET, "features": json.dumps([FEATURES, NAME_FEATURES])}
"""Metadata of a model file that says what it was trained to see."""

_RIVALS = 12  # runs that are kept; beyond them no share is worth a thought


class HeadReader(Protocol):
    """Finds the vendor among a head's pieces. Safe to share between threads."""

    def read(self, mentions: Mentions, pieces: Sequence[Piece]) -> HeadReading:
        """Shares of the runs of pieces that can be the name or the address."""
        ...


class HeadNetwork:
    """Implements `HeadReader` with a model file's content.

    ValueError when the file was trained for other features than this version computes.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        self._network = OnnxNetwork(model)
        trained = self._network.metadata
        if {key: trained.get(key) for key in SIGNATURE} != SIGNATURE:
            raise ValueError("the head model was trained for other features: train it again")

    def read(self, mentions: Mentions, pieces: Sequence[Piece]) -> HeadReading:
        """See `HeadReader`."""
        if not pieces:
            return HeadReading(NOTHING, NOTHING)
        seen = head_features(mentions, pieces)
        # ONNX Runtime multiplies no empty matrix: a row more, taken off again.
        evidence = np.vstack([seen.evidence, np.zeros((1, len(NAME_FEATURES)), np.float32)])
        scores, none, weighed = self._network.run(
            {"letters": seen.letters, "numbers": seen.numbers, "evidence": evidence}
        )
        return decide(scores, none, (seen.names, weighed[:-1]), seen.addresses)


def decide(
    scores: NDArray[np.float32],
    none: NDArray[np.float32],
    names: tuple[Sequence[Run], NDArray[np.float32]],
    addresses: Sequence[Run],
) -> HeadReading:
    """Shares of runs: the name is decided first, and what overlaps its best run is no address.

    `scores` (pieces, 6) of the name and then of the address, as `SCORES` orders them; `none` (2) of
    "none is printed"; `names` and `addresses` the runs that can be one, names with what is added to
    the score of each.
    """
    runs, evidence = names
    named = _answered(_shares(runs, _scores_of(runs, scores[:, :3]) + evidence, float(none[0])))
    free = [r for r in addresses if not (named.runs and r.overlaps(named.runs[0]))]
    # Whether one is printed is judged over all runs: one that goes on into a foreign piece may be
    # believed, and the part of it that is possible is meant then.
    every = [
        Run(first, last)
        for first in range(len(scores))
        for last in range(first, min(len(scores), first + LONGEST_ADDRESS))
    ]
    printed = _shares(every, _scores_of(every, scores[:, 3:]), float(none[1]))
    found = _shares(free, _scores_of(free, scores[:, 3:]), -math.inf)
    shares = tuple(share * (1 - printed.none) for share in found.shares)
    return HeadReading(named, _answered(RunShares(found.runs, shares, printed.none)))


def _answered(found: RunShares) -> RunShares:
    """The runs, or nothing when it is more likely than not that none is printed."""
    return NOTHING if found.none > 0.5 or not found.runs else found


def _scores_of(runs: Sequence[Run], scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of pieces (n, 3) to those of runs (runs)."""
    begins, goes_on, ends = scores.astype(np.float64).T
    joined = np.cumsum(goes_on)
    firsts = np.array([run.first for run in runs], np.intp)
    lasts = np.array([run.last for run in runs], np.intp)
    found: NDArray[np.float64] = begins[firsts] + joined[lasts] - joined[firsts] + ends[lasts]
    return found


def _shares(runs: Sequence[Run], scores: NDArray[np.float64], none: float) -> RunShares:
    """Softmax over runs and none, best first."""
    if not runs:
        return NOTHING
    rivals = np.append(scores, none)
    shares = np.exp(rivals - rivals.max())
    shares /= shares.sum()
    order = np.argsort(-shares[:-1], kind="stable")[:_RIVALS]
    return RunShares(
        tuple(runs[i] for i in order),
        tuple(float(shares[i]) for i in order),
        float(shares[-1]),
    )


@cache
def shipped_head() -> HeadNetwork:
    """The network of this package."""
    return HeadNetwork((files("lib.kie.receipts") / "models" / MODEL).read_bytes())
