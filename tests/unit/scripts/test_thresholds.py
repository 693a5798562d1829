"""Thresholds with a guarantee: kept on new draws as often as promised."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
from confidence_fitting.thresholds import (
    ASSURANCE,
    RATES,
    accepted,
    thresholds,
    thresholds_of_both,
)

DRAWS = 100


def drawn(count, seed):
    """Confidences, and answers that are right as often as they say."""
    generator = np.random.default_rng(seed)
    scores = np.round(1 - generator.random(count) ** 2 / 2, 4)
    return scores, generator.random(count) < scores


def test_a_laxer_rate_never_needs_a_higher_confidence():
    least = [1.1 if t is None else t for t in thresholds(*drawn(2000, 1))]
    assert least == sorted(least, reverse=True)
    assert least[-1] < 0.6


def test_few_answers_prove_nothing_strict():
    scores, right = np.full(50, 0.99), np.ones(50, bool)
    least = thresholds(scores, right)
    assert least[RATES.index(0.02)] is None
    assert least[RATES.index(0.1)] == 0.99
    assert thresholds(np.empty(0), np.empty(0, bool)) == [None] * len(RATES)


def test_answers_of_one_confidence_are_accepted_together():
    scores = np.repeat([0.9, 0.8], 300)
    right = np.concatenate([np.ones(300, bool), np.arange(300) % 2 == 0])
    least = thresholds(scores, right)
    assert least[RATES.index(0.02)] == 0.9
    assert accepted(scores, least, 0.02).sum() == 300
    assert accepted(scores, least, 0.01).sum() in (0, 300)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.1])
def test_the_rate_is_kept_as_often_as_promised(rate):
    """Many calibrations of 600 answers: the true error rate of what each accepts."""
    broken = 0
    for seed in range(DRAWS):
        least = thresholds(*drawn(600, seed))[RATES.index(rate)]
        if least is not None:
            high = np.arange(least, 1, 1e-4)
            # Density of confidence c on 0.5..1 is proportional to (1 - c)^-0.5.
            density = (1 - high) ** -0.5
            broken += bool(((1 - high) * density).sum() / density.sum() > rate)
    assert broken / DRAWS <= 1 - ASSURANCE


def test_many_drawn_answers_do_not_outvote_real_ones():
    scores = np.full(1000, 0.95)
    real = np.arange(1000) < 60
    right = ~real | (np.arange(1000) % 3 > 0)  # a third of the real ones is wrong
    assert thresholds(scores, right)[RATES.index(0.05)] == 0.95
    assert thresholds_of_both(scores, right, real)[RATES.index(0.05)] is None


def test_too_few_real_answers_have_no_say():
    scores, right = np.full(1000, 0.95), np.arange(1000) > 4
    assert thresholds_of_both(scores, right, np.arange(1000) < 5)[RATES.index(0.05)] == 0.95
