"""Thresholds by wanted error rate, and what they make of an answer."""

from math import inf

import pytest
from hand_made import TASKS, candidate, exact, read

from lib.domain.extraction import Source
from lib.domain.task import DocumentType
from lib.post.error_rates import ErrorRates, shipped_error_rates

RATES = ErrorRates(
    assurance=0.9,
    rates=(0.01, 0.05, 0.1),
    fields={"total/ocr": (None, 0.97, 0.9)},
    documents={"receipt": (None, None, 0.95)},
)


@pytest.mark.parametrize(
    ("rate", "least"),
    [(0.005, inf), (0.01, inf), (0.05, 0.97), (0.07, 0.97), (0.1, 0.9), (0.5, 0.9)],
)
def test_the_largest_rate_of_the_table_that_is_not_above_decides(rate, least):
    assert RATES.of_field("total", Source.OCR, rate) == least


def test_what_was_never_calibrated_is_never_accepted_but_xml_is_not_read():
    assert RATES.of_field("total", Source.MODEL, 0.5) == inf
    assert RATES.of_field("iban", Source.OCR, 0.5) == inf
    assert RATES.of_field("iban", Source.XML, 0.01) == 0
    assert RATES.of_document(DocumentType.INVOICE, 0.5) == inf
    assert RATES.of_document(DocumentType.RECEIPT, 0.2) == 0.95


def test_the_shipped_table_is_laxer_for_a_laxer_rate():
    shipped = shipped_error_rates()
    assert list(shipped.rates) == sorted(shipped.rates)
    for found in (*shipped.fields.values(), *shipped.documents.values()):
        assert len(found) == len(shipped.rates)
        least = [inf if threshold is None else threshold for threshold in found]
        assert least == sorted(least, reverse=True)
        assert all(t is None or 0 <= t <= 1 for t in found)


FIELDS = {
    "vendor_name": "Corner Shop Ltd",
    "issue_date": "25/03/2025",
    "total": [candidate("12.50", score=0.9), candidate("99.00", score=0.3, row=9)],
}


def reviewed(rate):
    return read(FIELDS, task=TASKS["receipt_fields_v1"], max_error_rate=rate)


def test_without_a_rate_nothing_is_said_of_a_field():
    reading = reviewed(None)
    assert {field.needs_review for field in reading.fields.values()} == {None}


def test_a_rate_that_nothing_can_promise_asks_to_look_at_everything():
    reading = reviewed(0.0001)
    assert reading.needs_review
    assert {f.needs_review for f in reading.fields.values()} == {True}
    for name in ("vendor_name", "issue_date", "total"):
        assert f"low_confidence:{name}" in reading.review_reasons


def test_a_lax_rate_asks_for_no_more_than_a_strict_one():
    strict, lax = reviewed(0.02), reviewed(0.5)
    for name, field in lax.fields.items():
        assert field.needs_review <= strict.fields[name].needs_review
    assert set(lax.review_reasons) <= set(strict.review_reasons)
    assert any(field.needs_review is False for field in lax.fields.values())


def test_values_of_an_e_invoice_are_not_misread():
    fields = {"total": exact("12.50"), "document_number": exact("1")}
    reading = read(fields, max_error_rate=0.005)
    assert reading.fields["total"].needs_review is False
    assert not any(reason.startswith("low_confidence") for reason in reading.review_reasons)
