"""Families of models of confidence, and figures on answers that they were not fitted on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from confidence_fitting.answers import Answers
from lib.post.boosted import BoostedTrees
from lib.post.confidence import CEILING, FLOOR, probabilities

Array = NDArray[np.float64]
Model = Callable[[Array], Array]
"""Rows of features to probabilities."""

Family = Callable[[Answers, Array, int], Model]
"""Answers, their weights and a seed to a model."""

# More of these never makes a value less likely to be right (or more, where negative): without
# that, trees learn the chance of a few documents.
MONOTONE = {
    "score": 1,
    "weight": 1,
    "margin": 1,
    "share": 1,
    "least letters": 1,
    "mean letters": 1,
    "document letters": 1,
    "confirmed": 1,
    "contradicted": -1,
    "repaired": -1,
    "ambiguous": -1,
    "odd signs": -1,
}
TREES = {
    "max_iter": 150,
    "max_leaf_nodes": 8,
    "learning_rate": 0.05,
    "min_samples_leaf": 20,
    "l2_regularization": 5.0,
    "max_features": 0.4,
}
FEWEST_FOR_ISOTONIC = 100


def fit_trees(answers: Answers, weights: Array, seed: int) -> BoostedTrees:
    """Boosted trees as the library runs them."""
    constraints = [MONOTONE.get(name, 0) for name in answers.names]
    fitted = HistGradientBoostingClassifier(
        **TREES, monotonic_cst=constraints, early_stopping=False, random_state=seed
    ).fit(answers.rows, answers.right, sample_weight=weights)
    roots, parts, offset = [], [], 0
    # scikit-learn has no public access to the trees; the version is that of the extra `training`.
    for (tree,) in fitted._predictors:
        nodes = tree.nodes
        own = np.arange(len(nodes))
        leaf = nodes["is_leaf"].astype(bool)
        low, high = np.where(leaf, own, nodes["left"]), np.where(leaf, own, nodes["right"])
        value = np.where(leaf, nodes["value"], 0.0)
        threshold = np.where(leaf, 0.0, nodes["num_threshold"])
        feature = np.where(leaf, 0, nodes["feature_idx"])
        parts.append((feature, threshold, low + offset, high + offset, value))
        roots.append(offset)
        offset += len(nodes)
    columns = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return BoostedTrees(
        features=answers.names,
        bias=float(fitted._baseline_prediction.item()),
        roots=np.array(roots, np.int32),
        feature=columns[0].astype(np.int32),
        threshold=columns[1],
        low=columns[2].astype(np.int32),
        high=columns[3].astype(np.int32),
        value=columns[4],
        depth=int(max(tree.nodes["depth"].max() for (tree,) in fitted._predictors)),
    )


def trees(answers: Answers, weights: Array, seed: int) -> Model:
    """Boosted trees, monotone where a sign can only speak for or only against a value."""
    fitted = fit_trees(answers, weights, seed)
    return lambda rows: probabilities(fitted, rows)


def logistic(answers: Answers, weights: Array, seed: int) -> Model:
    """A logistic regression over all features."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000))
    model.fit(answers.rows, answers.right, logisticregression__sample_weight=weights)
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1])


FAMILIES: dict[str, Family] = {"logistic": logistic, "trees": trees}


def held_out(
    family: Family, answers: Answers, weights: Array, fold: NDArray[np.int_], seed: int
) -> Array:
    """The probability of each answer by a model that saw no document of its fold."""
    found = np.zeros(len(answers.right))
    for number in sorted(set(fold.tolist())):
        kept = fold != number
        model = family(answers.only(kept), weights[kept], seed)
        found[~kept] = model(answers.rows[~kept])
    return np.clip(found, FLOOR, CEILING)


def isotonic_per_field(
    answers: Answers, weights: Array, fold: NDArray[np.int_], scores: Array
) -> Array:
    """Held-out scores mapped by an isotonic regression for each field, fitted on other folds."""
    found = scores.copy()
    for number in sorted(set(fold.tolist())):
        for field in sorted(set(answers.field.tolist())):
            own = answers.field == field
            kept, left = own & (fold != number), own & (fold == number)
            if kept.sum() >= FEWEST_FOR_ISOTONIC and left.any():
                curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
                curve.fit(scores[kept], answers.right[kept], sample_weight=weights[kept])
                found[left] = curve.predict(scores[left])
    return np.clip(found, FLOOR, CEILING)
