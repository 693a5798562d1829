"""Reading ground truth, and refusing what could only ever count as a mistake."""

import json

import pytest

from lib.domain.task import DocumentType, FieldType
from lib.errors import Error
from lib.evaluation.truth import read_truth

LINE = {
    "id": "a",
    "file": "images/a.jpg",
    "document_type": "receipt",
    "fields": {"total": "9.00", "tip": None},
}


def lines(**changes):
    return [json.dumps({**LINE, **changes})]


def test_a_line_becomes_a_document():
    (document,) = read_truth(lines(line_items=[{"description": "Tea", "amount": 4.50}], pages=3))
    assert (document.id, document.file) == ("a", "images/a.jpg")
    assert document.document_type is DocumentType.RECEIPT
    assert document.fields == {"total": "9.00", "tip": None}
    assert document.line_items == ({"description": "Tea", "amount": "4.5"},)


def test_rows_that_are_not_judged_differ_from_no_rows():
    assert read_truth(lines())[0].line_items is None
    assert read_truth(lines(line_items=None))[0].line_items is None
    assert read_truth(lines(line_items=[]))[0].line_items == ()


def test_blank_lines_are_skipped_and_counted():
    with pytest.raises(Error, match="line 3"):
        read_truth(["", "  \n", "{"])


@pytest.mark.parametrize(
    "broken",
    [
        ["[]"],
        ["{"],
        lines(id=""),
        lines(id=7),
        lines(file=None),
        lines(fields=None),
        lines(fields={"total": [9]}),
        lines(fields={"total": True}),
        lines(document_type="bill"),
        lines(line_items={}),
        lines(line_items=["Tea"]),
        lines(line_items=[{"amount": {}}]),
        lines() * 2,
    ],
)
def test_a_broken_line_is_refused_with_its_number(broken):
    with pytest.raises(Error) as caught:
        read_truth(broken)
    assert caught.value.code == "validation_error"
    assert caught.value.details["errors"][0]["line"] == len(broken)


@pytest.mark.parametrize(
    ("name", "field_type", "value"),
    [
        ("total", FieldType.MONEY, "9,00"),
        ("issue_date", FieldType.DATE, "25/12/2018"),
        ("issue_time", FieldType.TIME, "noon"),
    ],
)
def test_a_truth_that_no_answer_could_match_is_refused(name, field_type, value):
    with pytest.raises(Error, match=name):
        read_truth(lines(fields={name: value}), {name: field_type})
    assert read_truth(lines(fields={name: value}))[0].fields == {name: value}


def test_a_truth_may_say_whether_its_vendor_is_known():
    assert read_truth(lines())[0].vendor_known is None
    assert read_truth(lines(vendor_known=False))[0].vendor_known is False
    with pytest.raises(Error, match="vendor_known"):
        read_truth(lines(vendor_known="yes"))
