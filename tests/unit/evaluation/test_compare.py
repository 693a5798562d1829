"""The comparison rules, one trap at a time."""

from decimal import Decimal

import pytest

from lib.domain.task import FieldType
from lib.evaluation.compare import agree


@pytest.mark.parametrize(
    ("truth", "answer", "same"),
    [
        ("9.00", 9, True),
        ("9.00", Decimal("9"), True),
        ("9.00", 9.0, True),
        ("9.00", "9", True),
        ("9.00", Decimal("9.004"), True),
        ("0.02", Decimal("0.025"), True),  # however 0.025 was rounded when the truth was made
        ("0.03", Decimal("0.025"), True),
        ("9.00", Decimal("9.0051"), False),
        ("9.00", Decimal("9.01"), False),
        ("9.00", "9,00", False),  # an answer is a number by then: no locale is guessed here
        ("9.00", -9, False),
        ("0.00", 0, True),
        ("0.00", Decimal("-0.00"), True),
        ("0.00", None, False),
        ("0.00", "", False),
        ("1.00", True, False),
        ("9.00", float("nan"), False),
        ("9.00", Decimal("Infinity"), False),
        ("9.00", "1e999999", False),
        ("9.00", [9], False),
    ],
)
def test_money_agrees_to_the_cent(truth, answer, same):
    assert agree(truth, answer, FieldType.MONEY) == (same, same)


@pytest.mark.parametrize(
    ("truth", "answer", "same"),
    [
        ("1.0000", 1, True),
        ("1.0000", Decimal("1.001"), False),  # a quantity is not money: no rounding to the cent
        ("19", Decimal("19.00"), True),
        ("19", Decimal("0.19"), False),
    ],
)
def test_numbers_agree_by_value(truth, answer, same):
    for field_type in (FieldType.NUMBER, FieldType.PERCENT):
        assert agree(truth, answer, field_type) == (same, same)


@pytest.mark.parametrize(
    ("truth", "answer", "same"),
    [
        ("2018-12-25", "2018-12-25", True),
        ("2018-12-25", "20181225", True),
        ("2018-12-25", "2018-25-12", False),
        ("2018-12-25", "25/12/2018", False),
        ("2018-03-02", "2018-02-03", False),
        ("2018-12-25", None, False),
    ],
)
def test_dates_agree_by_value(truth, answer, same):
    assert agree(truth, answer, FieldType.DATE) == (same, same)


@pytest.mark.parametrize(
    ("truth", "answer", "same"),
    [("09:05", "09:05:00", True), ("09:05:30", "09:05", False), ("09:05", "9.05", False)],
)
def test_times_agree_by_value(truth, answer, same):
    assert agree(truth, answer, FieldType.TIME) == (same, same)


@pytest.mark.parametrize(
    ("truth", "answer", "same"),
    [
        ("(800)275-8777", "800 275 8777", True),
        ("770979-4200", "770-979-4200", True),
        ("604-926-8040", "604-926-8041", False),
        ("604-926-8040", "", False),
        ("-", "-", False),  # no digits is no phone number
    ],
)
def test_phones_agree_by_their_digits(truth, answer, same):
    assert agree(truth, answer, FieldType.PHONE) == (same, same)


@pytest.mark.parametrize(
    ("truth", "answer", "exact", "relaxed"),
    [
        ("BOOK TA .K (TAMAN DAYA) SDN BHD", "Book TA.K (Taman Daya) Sdn Bhd", True, True),
        ("AllSeasonsCarWash&Lube", "All Seasons Car Wash & Lube", True, True),
        ("SETAPAK.", "SETAPAK,", False, True),
        ("Müller GmbH", "MÜLLER\nGMBH", True, True),
        ("Müller GmbH", "Muller GmbH", False, False),
        ("ООО «Ромашка»", "ООО Ромашка", False, True),
        ("471102", "471102", True, True),
        ("471102", 471102, True, True),
        ("0471102", "471102", False, False),
        ("---", "***", False, False),  # nothing is left of either: that is no agreement
        ("---", "---", True, True),
        ("ACME", "", False, False),
        ("ACME", None, False, False),
        (None, None, False, False),
        (None, "ACME", False, False),
    ],
)
def test_text_agrees_exactly_or_relaxed(truth, answer, exact, relaxed):
    for field_type in (FieldType.STRING, FieldType.NAME, FieldType.ADDRESS, FieldType.IDENTIFIER):
        assert agree(truth, answer, field_type) == (exact, relaxed)


def test_composed_and_decomposed_accents_are_the_same_letter():
    assert agree("Café", "Cafe\u0301", FieldType.NAME).exact
    assert not agree("Café", "Cafe", FieldType.NAME).relaxed
