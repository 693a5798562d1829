"""Calibration figures worked out by hand."""

import pytest

from lib.evaluation.confidence import (
    Judgement,
    coverage_at,
    expected_calibration_error,
    reliability,
    risk_coverage,
)

ANSWERS = [
    Judgement(0.95, True),
    Judgement(0.95, True),
    Judgement(0.97, False),
    Judgement(0.55, True),
    Judgement(0.55, False),
]


def test_bins_hold_what_falls_into_them():
    low, high = reliability(ANSWERS)
    assert (low.low, low.high, low.count) == (0.5, 0.6, 2)
    assert (low.mean_confidence, low.accuracy) == (pytest.approx(0.55), 0.5)
    assert (high.low, high.high, high.count) == (0.9, 1.0, 3)
    assert (high.mean_confidence, high.accuracy) == (
        pytest.approx((0.95 + 0.95 + 0.97) / 3),
        pytest.approx(2 / 3),
    )


def test_the_last_bin_includes_one():
    (only,) = reliability([Judgement(1.0, True)])
    assert (only.low, only.high) == (0.9, 1.0)


def test_a_bound_belongs_to_the_upper_bin():
    (only,) = reliability([Judgement(0.5, True)], bins=2)
    assert only.low == 0.5


def test_calibration_error_is_the_weighted_gap():
    gap_low, gap_high = abs(0.55 - 0.5), abs(2.87 / 3 - 2 / 3)
    assert expected_calibration_error(ANSWERS) == pytest.approx((2 * gap_low + 3 * gap_high) / 5)


def test_kept_promises_have_no_error():
    kept = [Judgement(0.75, True)] * 3 + [Judgement(0.75, False)]
    assert expected_calibration_error(kept) == pytest.approx(0)


def test_coverage_counts_the_threshold_in():
    found = coverage_at(ANSWERS, 0.95)
    assert (found.answered, found.confident, found.coverage) == (5, 3, 0.6)
    assert found.precision == pytest.approx(2 / 3)


def test_no_answers_give_no_figures():
    assert reliability([]) == ()
    assert expected_calibration_error([]) is None
    assert coverage_at([], 0.9).coverage is None
    assert coverage_at([Judgement(0.1, True)], 0.9).precision is None


def test_risk_at_each_coverage_counts_ties_together():
    judgements = [
        Judgement(0.9, True),
        Judgement(0.5, False),
        Judgement(0.7, True),
        Judgement(0.7, False),
    ]
    assert risk_coverage(judgements) == ((0.25, 0.0, 0.9), (0.75, 1 / 3, 0.7), (1.0, 0.5, 0.5))
    assert risk_coverage([]) == ()
