"""Weights of a served model's confidence from judged answers: fitted where there are many."""

from __future__ import annotations

import sys
from dataclasses import asdict, astuple, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))

from confidence_fitting.logistic import NAMES, fitted, held_out, row, sure

from lib.domain.extraction import ModelWeights

JUDGEMENT = ModelWeights()
MODEL = ModelWeights(bias=-3.0, score=5.0, word_doubt=0.0, confirmed=2.0, text=-1.5)


def answers(
    count: int, weights: ModelWeights, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rows of features by chance, right as often as the weights say."""
    chance = np.random.default_rng(seed)
    rows = chance.random((count, len(NAMES)))
    rows[:, 0] = 1.0
    return rows, chance.random(count) < sure(weights, rows)


def test_a_row_has_the_order_of_the_weights() -> None:
    features = {name: float(i) for i, name in enumerate(NAMES)} | {"bias": 0.0}
    assert row(features) == [1.0, *map(float, range(1, len(NAMES)))]
    assert tuple(asdict(JUDGEMENT)) == NAMES


def test_many_answers_say_how_sure_a_model_is() -> None:
    rows, right = answers(20_000, MODEL, seed=1)
    found = fitted(rows, right, JUDGEMENT)
    others, _ = answers(1_000, MODEL, seed=2)
    assert np.abs(sure(found, others) - sure(MODEL, others)).max() < 0.05
    assert np.abs(sure(JUDGEMENT, others) - sure(MODEL, others)).max() > 0.2


def test_a_few_answers_do_not_overrule_judgement() -> None:
    rows, _ = answers(3, MODEL, seed=3)
    found = fitted(rows, np.zeros(3, bool), JUDGEMENT)
    assert np.abs(np.array(astuple(found)) - np.array(astuple(JUDGEMENT))).max() < 2.0
    assert found != JUDGEMENT


def test_no_answer_is_judged_by_weights_of_its_own_fold() -> None:
    rows, right = answers(4_000, MODEL, seed=4)
    fold = [number % 2 for number in range(4_000)]
    flipped = right.copy()
    flipped[1::2] = ~flipped[1::2]
    honest, fooled = (held_out(rows, labels, fold, JUDGEMENT) for labels in (right, flipped))
    assert np.abs(honest - sure(MODEL, rows)).max() < 0.15
    assert np.allclose(honest[1::2], fooled[1::2]), "fitted on the answers of the other fold alone"
    assert not np.allclose(honest[::2], fooled[::2], atol=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_each_weight_moves_the_confidence(name: str) -> None:
    rows = np.ones((1, len(NAMES)))
    more = replace(JUDGEMENT, **{name: getattr(JUDGEMENT, name) + 1.0})
    assert sure(more, rows)[0] > sure(JUDGEMENT, rows)[0]
