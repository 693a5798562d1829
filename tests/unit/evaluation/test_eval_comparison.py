"""Two evaluations beside each other, on outcomes that are written down here."""

import pytest

from lib.evaluation.comparison import compare
from lib.evaluation.outcome import Outcome
from lib.evaluation.tally import Tally

E, R, W, M, I, A = (  # noqa: E741
    Outcome.EXACT,
    Outcome.RELAXED,
    Outcome.WRONG,
    Outcome.MISSING,
    Outcome.INVENTED,
    Outcome.ABSENT,
)


def test_only_shared_documents_and_fields_are_compared():
    before = {"1": {"total": E, "tip": A}, "2": {"total": W}, "9": {"total": E}}
    after = {"1": {"total": E}, "2": {"total": E, "date": W}, "8": {"total": W}}
    found = compare(before, after)
    assert (found.documents, found.unpaired) == (2, 2)
    assert [one.name for one in found.fields] == ["total"]
    (total,) = found.fields
    assert (total.a, total.b) == (Tally(2, 2, 1), Tally(2, 2, 2))
    assert (total.only_a, total.only_b) == (0, 1)
    assert found.micro.b == Tally(2, 2, 2)


def test_what_changed_is_named_with_its_direction():
    found = compare({"1": {"total": E}, "2": {"tip": I}}, {"1": {"total": M}, "2": {"tip": A}})
    changes = [(c.document_id, c.field, c.before, c.after, c.better) for c in found.changes]
    assert changes == [("1", "total", E, M, False), ("2", "tip", I, A, True)]


def test_the_rule_decides_what_is_right():
    before, after = {"1": {"name": E}}, {"1": {"name": R}}
    assert len(compare(before, after).changes) == 1
    assert compare(before, after, relaxed=True).changes == ()


def test_a_field_is_tested_by_mcnemar_and_all_together_by_the_bootstrap():
    before = {str(n): {"total": W, "date": E} for n in range(8)}
    after = {str(n): {"total": E, "date": E} for n in range(8)}
    found = compare(before, after)
    total, date = found.fields
    assert total.p == pytest.approx(2 / 2**8)
    assert date.p == 1
    assert found.micro.difference.value == pytest.approx(0.5)
    assert found.micro.p == 0
