"""One of several tax rows is never the whole tax; together they are, where the total confirms."""

from decimal import Decimal

import pytest
from hand_made import TASKS, read

from lib.post.tax_rows import explains

TWO_RATES = [
    {"rate": "9%", "base": "73.58", "amount": "6.62"},
    {"rate": "21%", "base": "19.01", "amount": "3.99"},
]


def rows(*figures):
    names = ("rate", "base", "amount")
    return [
        {name: Decimal(text) for name, text in zip(names, row, strict=True) if text}
        for row in figures
    ]


@pytest.mark.parametrize(
    ("taxes", "total", "subtotal", "right"),
    [
        ([("20", "100.00", "20.00"), ("10", "50.00", "5.00")], "175.00", None, True),
        ([("20", "", "20.00"), ("10", "", "5.00")], "175.00", "150.00", True),
        ([("20", "", "1.40"), ("10", "", "31.71")], "357.20", None, True),
        ([("20", "", "1.40"), ("10", "", "31.71")], "457.20", None, False),
        ([("20", "100.00", "20.00"), ("10", "50.00", "5.00")], "200.00", None, False),
        ([("20", "", "20.00"), ("", "", "5.00")], "200.00", None, False),
        # Two taxes on one base, and two equal bases.
        ([("12.5", "885.00", "110.63"), ("4.9", "885.00", "43.37")], "1039.00", None, True),
        ([("20", "50.00", "10.00"), ("10", "50.00", "5.00")], "115.00", None, True),
        # The halves of one tax, taken from one base; a total rounded to whole units.
        ([("2.5", "", "25.07"), ("2.5", "", "25.07")], "1052.89", None, True),
        ([("2.5", "", "25.07"), ("2.5", "", "25.07")], "2055.62", None, False),
        ([("9", "", "1098.99"), ("9", "", "1098.99")], "14409.00", "12211.00", True),
        ([("9", "", "1098.99"), ("9", "", "1098.99")], "14410.00", "12211.00", False),
    ],
)
def test_what_explains_a_total(taxes, total, subtotal, right):
    net = None if subtotal is None else Decimal(subtotal)
    assert explains(rows(*taxes), Decimal(total), net) is right


def test_the_sum_of_the_rows_takes_the_place_of_one_of_them():
    reading = read({"total": "103.20", "tax_total": "6.62"}, {"tax_lines": TWO_RATES})
    assert reading.result["tax_total"] == Decimal("10.61")
    assert len(reading.result["tax_lines"]) == 2


def test_a_tip_is_not_taxed():
    fields = {"total": "110.00", "tip": "6.80", "tax_total": "6.62"}
    reading = read(fields, {"tax_lines": TWO_RATES}, task=TASKS["receipt_fields_v1"])
    assert reading.result["tax_total"] == Decimal("10.61")


def test_rows_that_no_total_confirms_change_nothing():
    reading = read({"total": "250.00", "tax_total": "6.62"}, {"tax_lines": TWO_RATES})
    assert reading.result["tax_total"] == Decimal("6.62")


def test_a_row_of_the_table_is_no_subtotal_either():
    fields = {"total": "103.20", "subtotal": "3.99", "tax_total": "73.58"}
    reading = read(fields, {"tax_lines": TWO_RATES})
    assert reading.result["tax_total"] == Decimal("10.61")
    assert reading.result["subtotal"] in {None, Decimal("92.59")}


def test_two_taxes_on_one_base_leave_it_the_subtotal():
    taxes = [
        {"rate": "12.5%", "base": "885.00", "amount": "110.63"},
        {"rate": "4.9%", "base": "885.00", "amount": "43.37"},
    ]
    reading = read({"total": "1039.00", "subtotal": "885.00"}, {"tax_lines": taxes})
    assert reading.result["subtotal"] == Decimal("885.00")
    assert reading.result["tax_total"] == Decimal("154.00")
