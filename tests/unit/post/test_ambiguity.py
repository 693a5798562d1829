"""Ambiguity is an answer: what decides, what does not, and what is shown of both."""

import pytest
from hand_made import TASKS, exact, read

from lib.domain.extraction import DateOrder
from lib.domain.task import DocumentType

RECEIPT = TASKS["receipt_fields_v1"]
DATE = "03/04/2025"
DAY_FIRST, MONTH_FIRST = "2025-04-03", "2025-03-04"


def dated(*texts, fields=None, **options):
    read_fields = {"issue_date": DATE} | (fields or {})
    return read(read_fields, texts=[*map(str, read_fields.values()), *texts], **options)


@pytest.mark.parametrize(
    ("texts", "expected", "ground"),
    [
        (["Delivered 25/04/2025"], DAY_FIRST, "other dates"),
        (["Delivered 04/25/2025"], MONTH_FIRST, "other dates"),
        (["Printed 2025-04-03 12:10"], DAY_FIRST, "same day"),
        (["Period ending 4 March 2025"], MONTH_FIRST, "same day"),
        (["Tel. +44 20 7946 0018"], DAY_FIRST, "GB"),
        (["Springfield, IL 62704"], MONTH_FIRST, "US"),
        (["Total GBP 12.00"], DAY_FIRST, "GB"),
    ],
)
def test_evidence_on_the_page_decides_the_order_of_a_date(texts, expected, ground):
    reading = dated(*texts, language="en")
    field = reading.fields["issue_date"]
    assert field.value == expected
    assert ground in field.evidence
    assert "ambiguous_date:issue_date" not in reading.review_reasons
    (other,) = field.alternatives
    assert {other.value, field.value} == {DAY_FIRST, MONTH_FIRST}


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["13/04/2025 and 04/14/2025"],
        ["Printed 2025-04-03", "4 March 2025"],
        ["Printed 2025-06-07"],
    ],
)
def test_without_evidence_or_with_two_that_disagree_a_date_is_reviewed(texts):
    reading = dated(*texts, language="en")
    field = reading.fields["issue_date"]
    assert "ambiguous_date:issue_date" in reading.review_reasons
    assert field.confidence <= 0.6
    assert {field.evidence, field.alternatives[0].evidence} == {"day first", "month first"}


def test_the_callers_hint_decides():
    reading = dated(language="en", date_order=DateOrder.DMY)
    assert reading.fields["issue_date"].evidence == "day first: as hinted"
    assert not any(reason.startswith("ambiguous") for reason in reading.review_reasons)


def test_a_due_date_before_the_issue_decides_for_the_other_order():
    reading = dated(fields={"due_date": "05/03/2025"}, language="en")
    assert reading.result["issue_date"] == MONTH_FIRST
    assert "terms of payment" in reading.fields["issue_date"].evidence
    assert "ambiguous_date:issue_date" not in reading.review_reasons


def test_two_dates_that_fit_either_way_are_as_open_as_one():
    reading = dated(fields={"due_date": "05/06/2025"}, language="en")
    assert {"ambiguous_date:issue_date", "ambiguous_date:due_date"} <= set(reading.review_reasons)


def test_a_two_digit_year_adds_a_third_reading():
    reading = read({"issue_date": "03/04/05"}, texts=["03/04/05"], language="en")
    field = reading.fields["issue_date"]
    assert {"2005-04-03", "2005-03-04", "2003-04-05"} == {
        field.value,
        *(other.value for other in field.alternatives),
    }


@pytest.mark.parametrize(
    ("texts", "expected", "ground"),
    [
        (["Tea 12,50"], "1234", "other amounts"),
        (["Tea 12.50"], "1.234", "other amounts"),
        (["VAT DE136695976"], "1234", "DE"),
    ],
)
def test_the_decimal_mark_of_the_document_decides_an_amount(texts, expected, ground):
    reading = read({"total": "1.234"}, texts=["1.234", *texts])
    assert str(reading.fields["total"].value) == expected
    assert ground in reading.fields["total"].evidence
    assert "ambiguous_amount:total" not in reading.review_reasons


def test_an_amount_without_evidence_is_reviewed_with_both_readings():
    reading = read({"total": "1.234"}, texts=["1.234"])
    field = reading.fields["total"]
    assert "ambiguous_amount:total" in reading.review_reasons
    assert (str(field.value), str(field.alternatives[0].value)) == ("1234", "1.234")
    assert field.evidence == "separator of thousands"
    assert field.alternatives[0].evidence == "separator of decimals"


def test_a_sum_that_holds_only_one_way_decides_its_amounts():
    fields = {"subtotal": "1.034", "tax_total": "0.200", "total": "1.234"}
    reading = read(fields, texts=list(fields.values()))
    assert {str(reading.result[name]) for name in fields} == set(fields.values())
    assert not any(reason.startswith("ambiguous") for reason in reading.review_reasons)
    assert "sum" in reading.fields["total"].evidence


def test_a_sum_that_holds_both_ways_decides_nothing():
    fields = {"subtotal": "1.034", "tax_total": "1.200", "total": "2.234"}
    reading = read(fields, texts=["Invoice"])
    assert "ambiguous_amount:total" in reading.review_reasons


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["$ 12.00", "Toronto, ON M5V 2T6"], "CAD"),
        (["$ 12.00", "Tel. +65 6123 4567"], "SGD"),
        (["$ 12.00", "Springfield, IL 62704"], "USD"),
        (["$ 12.00", "All prices in Canadian dollars"], "CAD"),
        (["$ 12.00", "Payable in US dollars", "Toronto, ON M5V 2T6"], "USD"),
        (["kr 120,00", "MVA"], "NOK"),
        (["Rs. 1200", "GSTIN 29ABCDE1234F1Z5"], "INR"),
    ],
)
def test_a_sign_of_several_currencies_is_decided_by_the_page(texts, expected):
    reading = read({"total": texts[0]}, texts=texts, task=RECEIPT, language="en")
    assert reading.result["currency"] == expected
    assert "ambiguous_currency:currency" not in reading.review_reasons


@pytest.mark.parametrize(
    ("text", "some"), [("$ 12.00", {"USD", "CAD", "AUD"}), ("¥ 1200", {"JPY", "CNY"})]
)
def test_a_sign_that_nothing_decides_lists_its_currencies_and_answers_none(text, some):
    reading = read({"total": text}, texts=[text], task=RECEIPT, language="en")
    field = reading.fields["currency"]
    assert reading.result["currency"] is None
    assert (field.value, field.confidence, field.page) == (None, 0.0, 1)
    assert some <= {other.value for other in field.alternatives}
    assert all(other.evidence for other in field.alternatives)
    assert "ambiguous_currency:currency" in reading.review_reasons


def test_a_field_that_is_open_counts_as_missing_where_it_is_needed():
    task = TASKS["invoice_fields_v1"]
    assert task.document_type is DocumentType.INVOICE
    reading = read({"total": exact("9.00")}, task=task)
    assert "missing:issue_date" in reading.review_reasons
