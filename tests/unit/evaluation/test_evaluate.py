"""Whole evaluations on documents small enough to count by hand."""

import json

import pytest

from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.evaluation.evaluate import Prediction, evaluate, field_types
from lib.evaluation.outcome import Outcome
from lib.evaluation.tally import Tally
from lib.evaluation.truth import read_truth

TASK = Task(
    id="receipt",
    description="",
    document_type=DocumentType.RECEIPT,
    fields=(
        FieldSpec("vendor_name", FieldType.NAME, ""),
        FieldSpec("issue_date", FieldType.DATE, ""),
        FieldSpec("total", FieldType.MONEY, ""),
        FieldSpec(
            "line_items",
            FieldType.TABLE,
            "",
            columns=(
                FieldSpec("description", FieldType.STRING, ""),
                FieldSpec("amount", FieldType.MONEY, ""),
            ),
        ),
    ),
)


def truth(*documents):
    return read_truth(
        json.dumps({"file": "x", "document_type": "receipt", **document}) for document in documents
    )


def measured(documents, *predictions):
    return evaluate(truth(*documents), predictions, [TASK])


def test_only_judged_keys_count():
    found = measured(
        [{"id": "a", "fields": {"total": "9.00"}}],
        Prediction("a", result={"total": 9, "vendor_name": "invented", "issue_date": "1999-01-01"}),
    )
    assert set(found.fields) == {"total"}
    assert found.micro.exact == Tally(1, 1, 1)


def test_an_unanswered_key_costs_recall_only():
    found = measured(
        [{"id": "a", "fields": {"total": "9.00", "vendor_name": "ACME"}}],
        Prediction("a", result={"total": 9, "vendor_name": None}),
    )
    assert found.fields["vendor_name"].exact == Tally(1, 0, 0)
    assert (found.micro.exact.precision, found.micro.exact.recall) == (1.0, 0.5)
    assert found.micro.exact.f1 == pytest.approx(2 * 1 / (1 + 2))


def test_a_null_truth_makes_any_answer_wrong_and_no_answer_nothing():
    documents = [{"id": "a", "fields": {"total": None}}, {"id": "b", "fields": {"total": None}}]
    found = measured(documents, Prediction("a", result={"total": 9}), Prediction("b"))
    assert found.fields["total"].exact == Tally(0, 1, 0)
    assert [mistake.document_id for mistake in found.mistakes] == ["a"]


def test_micro_adds_counts_and_does_not_average_fields():
    documents = [{"id": str(n), "fields": {"total": "1.00"}} for n in range(9)]
    documents.append({"id": "x", "fields": {"vendor_name": "ACME"}})
    predictions = [Prediction(str(n), result={"total": 1}) for n in range(9)]
    found = measured(documents, *predictions, Prediction("x", result={"vendor_name": "other"}))
    assert found.micro.exact == Tally(10, 10, 9)
    assert found.micro.exact.f1 == pytest.approx(0.9)


def test_exact_and_relaxed_are_counted_apart():
    found = measured(
        [{"id": "a", "fields": {"vendor_name": "MR. D.I.Y."}}],
        Prediction("a", result={"vendor_name": "MR DIY"}),
    )
    assert found.micro.exact == Tally(1, 1, 0)
    assert found.micro.relaxed == Tally(1, 1, 1)
    (mistake,) = found.mistakes
    assert mistake.outcome is Outcome.RELAXED
    assert (mistake.truth, mistake.answer) == ("MR. D.I.Y.", "MR DIY")


def test_labels_without_spaces_agree():
    found = measured(
        [{"id": "a", "fields": {"vendor_name": "SHELLLCANADAPRODUCTS"}}],
        Prediction("a", result={"vendor_name": "Shelll Canada Products"}),
    )
    assert found.micro.exact == Tally(1, 1, 1)


def test_a_failed_or_missing_document_counts_as_unanswered():
    documents = [
        {"id": "a", "fields": {"total": "9.00"}, "line_items": [{"amount": "9.00"}]},
        {"id": "b", "fields": {"total": "9.00"}},
    ]
    found = measured(documents, Prediction("a", error="unreadable_document"))
    assert (found.documents, found.failed) == (2, 2)
    assert found.micro.exact == Tally(2, 0, 0)
    assert found.line_items is not None
    assert found.line_items.rows.exact == Tally(1, 0, 0)
    assert found.document_type == Tally(2, 0, 0)


def test_rows_count_only_where_they_are_judged():
    rows = {"line_items": [{"description": "Tea", "amount": 2}]}
    found = measured(
        [
            {"id": "a", "fields": {}, "line_items": [{"description": "Tea", "amount": "2.00"}]},
            {"id": "b", "fields": {}, "line_items": None},
            {"id": "c", "fields": {}, "line_items": []},
        ],
        *(Prediction(name, result=rows) for name in "abc"),
    )
    assert found.line_items is not None
    assert found.line_items.rows.exact == Tally(1, 2, 1)
    assert [rows.document_id for rows in found.rows] == ["a", "c"]
    assert [rows.score.rows.exact.is_perfect for rows in found.rows] == [True, False]
    assert found.rows[1].answer == ({"description": "Tea", "amount": 2},)
    assert measured([{"id": "b", "fields": {}}], Prediction("b")).line_items is None


def test_document_type_accuracy():
    documents = [{"id": name, "fields": {}} for name in "ab"]
    documents.append({"id": "c", "fields": {}, "document_type": None})
    found = measured(
        documents,
        Prediction("a", DocumentType.RECEIPT),
        Prediction("b", DocumentType.INVOICE),
        Prediction("c", DocumentType.INVOICE),
    )
    assert found.document_type == Tally(2, 2, 1)


def test_confidences_of_unanswered_or_unjudged_fields_do_not_count():
    found = measured(
        [{"id": "a", "fields": {"total": "9.00", "issue_date": "2018-12-25"}}],
        Prediction(
            "a",
            result={"total": 9, "issue_date": None, "vendor_name": "ACME"},
            confidences={"total": 0.9, "issue_date": 0.8, "vendor_name": 0.7},
        ),
    )
    assert found.answers() == ((0.9, True),)


def test_time_is_the_median_over_documents_that_were_read():
    documents = [{"id": name, "fields": {}} for name in "abcd"]
    found = measured(
        documents,
        Prediction("a", page_count=4, milliseconds=400),
        Prediction("b", page_count=1, milliseconds=300),
        Prediction("c", page_count=0, milliseconds=20),  # bare XML counts as one page
        Prediction("d", page_count=0, milliseconds=1, error="unreadable_document"),
    )
    assert found.milliseconds_per_page == 100
    assert found.milliseconds_per_document == 300


def test_field_types_come_from_the_tasks():
    assert field_types([TASK])["total"] is FieldType.MONEY
    shadow = Task("t", "", None, (FieldSpec("total", FieldType.STRING, ""),))
    assert field_types([TASK, shadow])["total"] is FieldType.MONEY
    assert evaluate((), (), [TASK]).micro.exact.f1 is None
