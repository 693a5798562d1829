"""How sure a value is: boosted trees over its features, fitted on held-out answers.

The file `confidence.json` is written by scripts/fit_confidence.py; docs/decisions tell how.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from lib.domain.extraction import ModelWeights, Source
from lib.domain.task import FieldType
from lib.post.answered import Answered
from lib.post.boosted import BoostedTrees, from_data
from lib.post.features import DocumentSigns, features

FILE = "confidence.json"

_TEXTS = frozenset({FieldType.NAME, FieldType.ADDRESS, FieldType.STRING})

# Too rare in labelled documents to be fitted, in logits; by judgement.
_RARE: Mapping[str, float] = {"repaired": -0.7, "contradicted": -1.0}

_EXACT, _EXACT_BUT_CONTRADICTED = 0.995, 0.95
CEILING, FLOOR = 0.995, 0.01  # a value that was read is never certain, nor worthless once answered


def confidences(
    answered: Sequence[Answered], document: DocumentSigns, trees: BoostedTrees | None = None
) -> list[float]:
    """The confidence of each value, 0..1, rounded to four decimals.

    `trees` take the place of the shipped ones. A value that its source gave exactly is not judged
    by its looks, only by the checks; one of a served model by the model's own weights.
    """
    read = [a for a in answered if not a.option.exact and not _from_model(a)]
    of_trees = iter(_by_trees(read, document, trees or shipped_trees()) if read else ())
    return [
        _of_exact(a)
        if a.option.exact
        else _of_model(a, document.model_weights)
        if _from_model(a)
        else next(of_trees)
        for a in answered
    ]


@cache
def shipped_trees() -> BoostedTrees:
    """The fitted trees that are part of this package."""
    return from_data(json.loads(files(__package__).joinpath(FILE).read_text("utf-8")))


def probabilities(trees: BoostedTrees, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The confidence of each row of (rows, features), in the order of `trees.features`.

    Of several readings that nothing decides between, one is no surer than its share of them.
    """
    columns = dict(zip(trees.features, rows.T, strict=True))
    sums = trees.sums(rows) + sum(w * columns[name] for name, w in _RARE.items())
    highest = np.where(columns["ambiguous"] > 0, columns["weight"], CEILING)
    return np.asarray(np.clip(1.0 / (1.0 + np.exp(-sums)), FLOOR, np.minimum(highest, CEILING)))


def _by_trees(
    answered: Sequence[Answered], document: DocumentSigns, trees: BoostedTrees
) -> list[float]:
    named = (features(one, document) for one in answered)
    rows = np.array([[one[name] for name in trees.features] for one in named])
    return [round(float(p), 4) for p in probabilities(trees, rows)]


def _of_exact(answered: Answered) -> float:
    return _EXACT_BUT_CONTRADICTED if answered.contradicted else _EXACT


def _from_model(answered: Answered) -> bool:
    return answered.option.candidate.source is Source.MODEL


def _of_model(answered: Answered, weights: ModelWeights) -> float:
    found = model_features(answered)
    z = weights.bias + sum(getattr(weights, name) * value for name, value in found.items())
    return round(min(CEILING, max(FLOOR, 1.0 / (1.0 + math.exp(-z)))), 4)


def model_features(answered: Answered) -> dict[str, float]:
    """What speaks for and against a value of a served model, by the names in `ModelWeights`."""
    option, words = answered.option, answered.option.candidate.words
    rival = max((other.score for other in answered.rivals), default=0.0)
    return {
        "score": option.candidate.score,
        "word_doubt": 1.0 - min((word.confidence for word in words), default=1.0),
        "margin": max(0.0, option.score - rival),
        "confirmed": answered.confirmed,
        "contradicted": answered.contradicted,
        "text": float(answered.kind in _TEXTS),
        "repaired": float(option.repaired),
        "ambiguous": float(option.ambiguous),
    }
