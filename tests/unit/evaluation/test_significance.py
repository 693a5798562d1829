"""Intervals and tests against values that can be worked out by hand or from tables."""

import pytest

from lib.evaluation.significance import f1_difference, mcnemar, wilson
from lib.evaluation.tally import Tally

RIGHT, WRONG, MISSING = Tally(1, 1, 1), Tally(1, 1, 0), Tally(1, 0, 0)


def test_wilson_is_the_textbook_interval():
    low, high = wilson(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("correct", "count"), [(0, 7), (7, 7)])
def test_wilson_stays_inside_0_and_1_and_is_never_a_point(correct, count):
    low, high = wilson(correct, count)
    assert 0 <= low < high <= 1
    assert low <= correct / count <= high


def test_mcnemar_is_the_binomial_of_the_changed_documents():
    assert mcnemar(0, 0) == 1
    assert mcnemar(0, 6) == pytest.approx(2 / 2**6)
    assert mcnemar(6, 0) == mcnemar(0, 6)
    assert mcnemar(3, 3) == 1


def test_equal_readers_do_not_differ():
    counts = [RIGHT, WRONG, MISSING] * 10
    found = f1_difference(counts, counts)
    assert found.value == 0
    assert tuple(found.interval) == (0, 0)
    assert found.p == 1


def test_a_clear_improvement_is_outside_chance_and_has_a_sign():
    a, b = [WRONG] * 30 + [RIGHT] * 70, [RIGHT] * 100
    better, worse = f1_difference(a, b), f1_difference(b, a)
    assert better.value == pytest.approx(0.3) == -worse.value
    assert 0.2 < better.interval.low < 0.3 < better.interval.high < 0.41
    assert better.p == 0 == worse.p
    assert worse.interval.high < 0


def test_fields_of_one_document_are_one_observation():
    """Ten documents of ten fields know less than a hundred documents of one."""
    few = f1_difference([Tally(10, 10, n) for n in (5, 9) * 5], [Tally(10, 10, 8)] * 10)
    many_a = [Tally(1, 1, int(i % 10 < 7)) for i in range(100)]
    many_b = [Tally(1, 1, int((i + 3) % 10 < 8)) for i in range(100)]
    many = f1_difference(many_a, many_b)
    assert few.value == pytest.approx(many.value) == pytest.approx(0.1)
    assert few.interval.low < 0 < few.interval.high


def test_documents_without_truth_and_answer_cannot_be_compared():
    assert f1_difference([], []) is None
    assert f1_difference([Tally()], [Tally()]) is None
    found = f1_difference([Tally(), RIGHT], [Tally(), RIGHT])
    assert found.value == 0
