"""`finish` on hand-made candidates: choice, checks, dates, currency, derivation, doubts, places."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hand_made import TASKS, candidate, exact, read
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.date_order import DateOrder
from lib.domain.extraction import Check, CheckStatus, Reading, Source
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task


def check(reading: Reading, rule: str) -> Check:
    return next(found for found in reading.checks if found.rule == rule)


INVOICE = {
    "vendor_name": "ACME GmbH",
    "document_number": "2019-17",
    "issue_date": "13.04.2019",
    "subtotal": "83,00",
    "tax_total": "15,77",
    "total": "98,77 EUR",
    "currency": "EUR",
}
LINES = {
    "line_items": [
        {"description": "Foo", "quantity": "2", "unit_price": "40,00", "amount": "80,00"},
        {"description": "Bar", "quantity": "1", "unit_price": "3,00", "amount": "3,00"},
    ],
    "tax_lines": [{"rate": "19 %", "base": "83,00", "amount": "15,77"}],
}


def test_a_sound_invoice_needs_no_review_and_shows_its_arithmetic() -> None:
    reading = read(INVOICE, LINES)
    assert reading.review_reasons == ()
    assert not reading.needs_review
    assert reading.schema_errors == ()
    assert check(reading, "total_is_subtotal_plus_tax").message == "83.00 + 15.77 = 98.77"
    assert (
        check(reading, "lines_sum_to_subtotal").message == "80.00 + 3.00 = 83.00 (subtotal 83.00)"
    )
    assert check(reading, "tax_is_base_times_rate").status is CheckStatus.PASSED
    assert check(reading, "line_amount_is_quantity_times_price").status is CheckStatus.PASSED
    assert check(reading, "currency_is_printed").message == "EUR means EUR"


def test_the_result_has_every_key_with_null_and_empty_tables() -> None:
    task = TASKS["invoice_fields_v1"]
    result = read({"total": "98,77"}).result
    assert list(result) == [spec.name for spec in task.fields]
    assert result["total"] == Decimal("98.77")
    assert result["due_date"] is None
    assert result["line_items"] == ()
    lines = read({}, LINES).result["line_items"]
    assert isinstance(lines, tuple)
    assert lines[0]["tax_rate"] is None
    assert lines[0]["quantity"] == Decimal(2)


def test_money_keeps_its_printed_decimals() -> None:
    assert str(read({"total": "19,90"}).result["total"]) == "19.90"


def test_a_sum_that_holds_chooses_among_candidates() -> None:
    reading = read(INVOICE | {"total": [("99,77", 0.9), ("98,77", 0.7)]})
    assert reading.result["total"] == Decimal("98.77")
    alternative = reading.fields["total"].alternatives[0]
    assert alternative.value == Decimal("99.77")
    assert 0 < alternative.confidence < reading.fields["total"].confidence


def test_lines_choose_the_subtotal_when_there_is_no_tax() -> None:
    reading = read({"subtotal": [("80,00", 0.6), ("83,00", 0.5)]}, LINES)
    assert reading.result["subtotal"] == Decimal("83.00")


def test_a_weak_candidate_that_no_sum_needs_is_left_out() -> None:
    assert read(INVOICE | {"shipping": ("5,00", 0.1)}).result["shipping"] is None
    assert read(INVOICE | {"shipping": ("5,00", 0.1), "total": "103,77"}).result[
        "shipping"
    ] == Decimal("5.00")


@pytest.mark.parametrize(
    ("extra", "total", "message"),
    [
        ({"shipping": "5,00"}, "103,77", "83.00 + 15.77 + 5.00 = 103.77"),
        ({"discount_total": "-3,00"}, "95,77", "83.00 + 15.77 - 3.00 = 95.77"),
        ({}, "83,00", "83.00 = 83.00, tax of 15.77 included"),
        ({}, "98,75", "83.00 + 15.77 = 98.77, rounded to 98.75"),
    ],
)
def test_totals_with_what_may_stand_between(
    extra: dict[str, str], total: str, message: str
) -> None:
    found = check(read(INVOICE | extra | {"total": total}), "total_is_subtotal_plus_tax")
    assert (found.status, found.message) == (CheckStatus.PASSED, message)


def test_a_negative_subtotal_without_a_total_derives_nothing() -> None:
    result = read({"subtotal": "-83,00"}).result
    assert (result["subtotal"], result["tax_total"]) == (Decimal("-83.00"), None)


def test_a_wrong_total_fails_its_check_and_is_doubted() -> None:
    sound, wrong = read(INVOICE), read(INVOICE | {"total": "99,99"})
    found = check(wrong, "total_is_subtotal_plus_tax")
    assert found.status is CheckStatus.FAILED
    assert found.message == "83.00 + 15.77 = 98.77, printed 99.99"
    assert "check_failed:total_is_subtotal_plus_tax" in wrong.review_reasons
    assert wrong.fields["total"].confidence < sound.fields["total"].confidence - 0.02


def test_a_wrong_line_is_named() -> None:
    lines = [*LINES["line_items"], {"quantity": "3", "unit_price": "5,00", "amount": "20,00"}]
    found = check(read({}, {"line_items": lines}), "line_amount_is_quantity_times_price")
    assert found.status is CheckStatus.FAILED
    assert found.message == "line 3: 3 x 5.00 = 15.00, printed 20.00"
    assert set(found.fields) == {f"line_items[2].{c}" for c in ("quantity", "unit_price", "amount")}


def test_the_documents_decimal_mark_decides_an_ambiguous_amount() -> None:
    assert read({"total": "1.234"}, texts=["10,50", "20,00"]).result["total"] == Decimal(1234)
    assert read({"subtotal": "1.234"}, texts=["10.50", "20.00"]).result["subtotal"] == Decimal(
        "1.234"
    )


def test_without_a_convention_the_other_reading_is_listed_and_reviewed() -> None:
    reading = read({"total": "1.234"})
    assert reading.result["total"] == Decimal(1234)
    assert reading.fields["total"].alternatives[0].value == Decimal("1.234")
    assert "ambiguous_amount:total" in reading.review_reasons


def test_quantity_times_price_decides_ambiguous_cells() -> None:
    row = {"quantity": "1,000", "unit_price": "1.500", "amount": "1.500"}
    reading = read({}, {"line_items": [row]})
    assert reading.fields["line_items[0].quantity"].value == Decimal("1.000")
    assert check(reading, "line_amount_is_quantity_times_price").status is CheckStatus.PASSED


def test_yen_and_rupiah_have_no_decimals() -> None:
    assert read({"total": "Rp 25.000"}, texts=["10.50"]).result["total"] == Decimal(25000)


@pytest.mark.parametrize(
    ("texts", "hints", "expected"),
    [
        (["Printed 25/12/2018"], {}, "2018-02-03"),
        (["Printed 12/25/2018"], {}, "2018-03-02"),
        (["Austin, TX 78701", "Sales Tax"], {}, "2018-03-02"),
        (["ACME SDN BHD", "GST 6%"], {}, "2018-02-03"),
        (["Tel. +49 89 1234567"], {}, "2018-02-03"),
        ([], {"language": "fr"}, "2018-02-03"),
        (["Printed 25/12/2018"], {"date_order": DateOrder.MDY}, "2018-03-02"),
    ],
)
def test_evidence_decides_day_and_month(
    texts: list[str], hints: dict[str, object], expected: str
) -> None:
    reading = read({"issue_date": "03/02/2018"}, texts=texts, **hints)
    assert reading.result["issue_date"] == expected
    assert "ambiguous_date:issue_date" not in reading.review_reasons


def test_a_date_that_nothing_decides_is_a_guess_with_an_alternative_and_a_warning() -> None:
    reading = read({"issue_date": "03/02/2018"})
    assert reading.result["issue_date"] == "2018-02-03"
    assert reading.fields["issue_date"].alternatives[0].value == "2018-03-02"
    assert "ambiguous_date:issue_date" in reading.review_reasons
    assert "ambiguous_date:issue_date: 2018-02-03 or 2018-03-02" in reading.warnings


def test_the_due_date_decides_the_order_of_the_issue_date() -> None:
    reading = read({"issue_date": "03/04/2019", "due_date": "05/03/2019"})
    assert (reading.result["issue_date"], reading.result["due_date"]) == (
        "2019-03-04",
        "2019-05-03",
    )
    assert "ambiguous_date:issue_date" not in reading.review_reasons
    assert check(reading, "due_not_before_issue").status is CheckStatus.PASSED


def test_a_date_in_the_future_is_the_other_reading() -> None:
    reading = read({"issue_date": "03/02/2026"}, received_on=date(2026, 2, 10))
    assert reading.result["issue_date"] == "2026-02-03"
    assert "ambiguous_date:issue_date" not in reading.review_reasons
    late = read({"issue_date": "13/02/2026"}, received_on=date(2026, 1, 10))
    assert "check_failed:issue_date_not_in_future" in late.review_reasons


def test_due_before_issue_fails() -> None:
    reading = read({"issue_date": "2019-04-13", "due_date": "2019-03-13"})
    assert check(reading, "due_not_before_issue").status is CheckStatus.FAILED


def test_a_dollar_without_a_country_is_no_currency() -> None:
    reading = read({"total": "$5.00", "currency": "$"})
    assert reading.result["currency"] is None
    assert "ambiguous_currency:currency" in reading.review_reasons
    assert any(w.startswith("ambiguous_currency:currency: USD or CAD") for w in reading.warnings)


@pytest.mark.parametrize(
    ("texts", "hints", "code"),
    [
        (["Vancouver BC V6B 1A1"], {}, "CAD"),
        (["Austin, TX 78701"], {}, "USD"),
        ([], {"currency": "SGD"}, "SGD"),
        ([], {"currency": "EUR"}, None),
    ],
)
def test_a_dollar_with_evidence_is_one(
    texts: list[str], hints: dict[str, object], code: str | None
) -> None:
    assert read({"currency": "$"}, texts=texts, **hints).result["currency"] == code


def test_a_printed_sign_is_found_and_grounded_without_a_candidate() -> None:
    reading = read({"total": "12.50"}, texts=["Thank you", "Total RM12.50"])
    assert reading.result["currency"] == "MYR"
    assert reading.fields["currency"].raw == "RM"
    assert reading.fields["currency"].page == 1
    assert read({"total": "12.50"}, texts=["Total 12.50"]).result["currency"] is None


def test_checksums_choose_and_are_checked() -> None:
    reading = read(
        {"iban": [("DE88 2008 0000 0970 3757 01", 0.8), ("DE88 2008 0000 0970 3757 00", 0.7)]}
    )
    assert reading.result["iban"] == "DE88200800000970375700"
    assert check(reading, "iban_checksum").status is CheckStatus.PASSED
    wrong = read({"vendor_tax_id": "DE136695977"})
    assert wrong.result["vendor_tax_id"] == "DE136695977"
    assert "check_failed:vendor_tax_id_checksum" in wrong.review_reasons


def test_every_value_is_grounded_on_its_words() -> None:
    field = read({"vendor_name": candidate("ACME GmbH", row=3)}).fields["vendor_name"]
    assert (field.page, field.raw, field.source) == (1, "ACME GmbH", Source.OCR)
    assert field.polygon == Polygon.from_box(0.1, 0.06, 0.28, 0.075)


def test_a_missing_total_is_not_invented_from_one_sum() -> None:
    reading = read({"subtotal": "83,00", "tax_total": "15,77", "amount_due": "50,00"})
    assert reading.result["total"] is None
    assert "missing:total" in reading.review_reasons


def test_a_total_that_two_printed_ways_agree_on_is_derived_and_marked() -> None:
    reading = read({"subtotal": "83,00", "tax_total": "15,77"}, {"tax_lines": LINES["tax_lines"]})
    assert reading.result["total"] == Decimal("98.77")
    assert reading.fields["total"].source is Source.DERIVED
    assert reading.fields["total"].polygon is None
    assert "derived:total: 98.77 is computed" in reading.warnings


def test_a_receipt_paid_in_cash() -> None:
    reading = read(
        {
            "total": [("20.00", 0.8), ("15.40", 0.7)],
            "change": "4.60",
            "rounding": "-0.02",
            "subtotal": "15.42",
        },
        {"payments": [{"method": "CASH", "amount": "20.00"}]},
        task=TASKS["receipt_fields_v1"],
    )
    assert reading.result["total"] == Decimal("15.40")
    assert check(reading, "change_is_paid_minus_total").message == "20.00 - 15.40 = 4.60"
    assert check(reading, "total_is_subtotal_plus_tax").message == "15.42 - 0.02 = 15.40"


def test_amount_due_after_a_payment() -> None:
    paid = read(INVOICE | {"amount_paid": "48,77", "amount_due": "50,00"})
    assert check(paid, "amount_due_is_total_minus_paid").message == "98.77 - 48.77 = 50.00"
    wrong = read(INVOICE | {"amount_paid": "48,77", "amount_due": "51,00"})
    assert check(wrong, "amount_due_is_total_minus_paid").status is CheckStatus.FAILED


def test_xml_is_exact() -> None:
    reading = read(
        {
            "vendor_name": exact("A  B"),
            "total": exact(Decimal("98.770")),
            "subtotal": exact(Decimal("83.00")),
            "tax_total": exact(Decimal("15.77")),
            "issue_date": exact("2018-02-03"),
            "currency": exact("EUR"),
            "document_number": exact("7"),
        }
    )
    assert reading.result["vendor_name"] == "A  B"
    assert str(reading.result["total"]) == "98.770"
    assert min(field.confidence for field in reading.fields.values()) >= 0.99
    assert reading.fields["total"].page is None
    assert not reading.needs_review


def test_doubt_lowers_confidence() -> None:
    def confidence(**changes: object) -> float:
        arguments: dict[str, object] = {"raw": "12.50", "score": 0.8, "confidence": 0.98} | changes
        return read({"total": candidate(**arguments)}).fields["total"].confidence  # type: ignore[arg-type]

    usual = confidence()
    assert confidence(confidence=0.6) < usual
    assert confidence(score=0.3) < usual
    assert confidence(raw="1O.5O") < usual
    assert 0 < confidence(score=0.0, confidence=0.1) < usual < 1


def test_unreadable_candidates_and_schema_errors() -> None:
    assert read({"total": "see overleaf", "issue_date": "soon"}).fields == {}
    reading = read({"issue_date": exact("3 Feb")})
    assert reading.schema_errors == ("issue_date: pattern",)
    assert "schema:issue_date: pattern" in reading.review_reasons


def test_a_task_of_ones_own_is_finished_like_any_other() -> None:
    fields = (
        FieldSpec("plate", FieldType.IDENTIFIER, "Number plate"),
        FieldSpec("fee", FieldType.MONEY, "Fee"),
        FieldSpec("total", FieldType.STRING, "A text that happens to be called total"),
    )
    task = Task("parking", "Parking tickets", DocumentType.RECEIPT, fields)
    reading = read({"plate": "#M-AB 123", "fee": "2,50", "total": "all of it"}, task=task)
    assert dict(reading.result) == {
        "plate": "M-AB 123",
        "fee": Decimal("2.50"),
        "total": "all of it",
    }


def test_a_long_invoice_with_rivals_for_every_sum_adds_up() -> None:
    rows = [
        {
            "position": str(i),
            "description": f"Thing {i}",
            "quantity": "2",
            "unit_price": f"{i}.500,00",
            "amount": f"{2 * i + 1}.000,00",
        }
        for i in range(1, 41)
    ]
    fields = {
        "total": [("1,00", 0.9), "1.999.200,00", "3,00", "4,00"],
        "subtotal": ["1.680.000,00", "5,00"],
        "tax_total": ["319.200,00", "6,00"],
        "issue_date": "03.04.2019",
        "due_date": "03.05.2019",
        "currency": "EUR",
        "shipping": "7,00",
        "amount_due": "8,00",
    }
    texts = [f"{i}.500,00 {2 * i + 1}.000,00 EUR" for i in range(1, 200)]
    reading = read(fields, {"line_items": rows}, texts=texts)
    assert reading.result["total"] == Decimal("1999200.00")
    assert check(reading, "lines_sum_to_subtotal").status is CheckStatus.PASSED


def test_the_best_guess_in_english_without_any_sign_of_a_country_is_month_first() -> None:
    american = read({"issue_date": "03/02/2018"}, texts=["Thank you"], language="en")
    assert american.result["issue_date"] == "2018-03-02"
    assert "ambiguous_date:issue_date" in american.review_reasons
    elsewhere = read({"issue_date": "03/02/2018"}, texts=["GST 5.00"], language="en")
    assert elsewhere.result["issue_date"] == "2018-02-03"


def test_a_printed_number_that_completes_the_sum_is_the_subtotal_or_the_tax() -> None:
    without_subtotal = read({"total": ["38,45", ("34,95", 0.02)], "tax_total": "3,50"})
    assert without_subtotal.result["subtotal"] == Decimal("34.95")
    assert without_subtotal.fields["subtotal"].polygon is not None
    without_tax = read({"total": ["38,45", ("3,50", 0.02)], "subtotal": "34,95"})
    assert without_tax.result["tax_total"] == Decimal("3.50")


def test_a_number_that_is_not_printed_completes_nothing() -> None:
    assert read({"total": "38,45", "tax_total": "3,50"}).result["subtotal"] is None
    too_much = read({"total": ["38,45", ("28,45", 0.02)], "subtotal": "10,00"})
    assert too_much.result["tax_total"] is None


def test_one_print_is_not_both_total_and_tax() -> None:
    same = candidate("47,85", 0.9, row=40)
    reading = read({"total": same, "tax_total": same, "subtotal": "44,00"})
    assert (reading.result["total"], reading.result["tax_total"]) == (Decimal("47.85"), None)


def test_a_date_cut_short_gives_way_to_the_whole_one() -> None:
    reading = read({"issue_date": [("25/10/20", 0.9), ("25/10/2017", 0.5)]})
    assert reading.result["issue_date"] == "2017-10-25"


TOTALS = {"subtotal": "83,00", "tax_total": "15,77", "total": "98,77"}


def test_a_total_read_as_a_line_is_no_line() -> None:
    lines = [*LINES["line_items"], {"description": "Summe", "amount": "83,00"}]
    reading = read(TOTALS, {"line_items": lines})
    assert len(reading.result["line_items"] or ()) == 2
    assert "line_items[2].amount" not in reading.fields


def test_lines_that_add_up_in_no_way_stay_as_they_were_read() -> None:
    first, second = LINES["line_items"]
    lines = [{"amount": "7,00"}, first, {"amount": "9,00"}, second]
    reading = read(TOTALS, {"line_items": lines})
    assert len(reading.result["line_items"] or ()) == 4
    failed = check(reading, "lines_sum_to_subtotal")
    assert failed.status is CheckStatus.FAILED
    assert failed.fields == tuple(f"line_items[{i}].amount" for i in range(4))
    assert "check_failed:lines_sum_to_subtotal" not in reading.review_reasons
    assert [w for w in reading.warnings if w.startswith("doubtful_lines:line_items: 7.00 + ")]


def test_lines_that_do_not_add_up_are_a_reason_where_nothing_else_confirms_the_total() -> None:
    first, second = LINES["line_items"]
    reading = read({"total": "98,77"}, {"line_items": [first, {"amount": "9,00"}, second]})
    assert "total" in check(reading, "lines_sum_to_subtotal").fields
    assert "check_failed:lines_sum_to_subtotal" in reading.review_reasons
    assert not [w for w in reading.warnings if w.startswith("doubtful_lines")]


def test_a_base_read_as_a_tax_becomes_the_base() -> None:
    rows = [{"rate": "19 %", "amount": "15,77"}, {"rate": "19 %", "amount": "83,00"}]
    for table in (rows, rows[::-1], rows[1:]):
        reading = read(TOTALS, {"tax_lines": table})
        assert reading.result["tax_lines"] == (
            {"rate": Decimal(19), "base": Decimal("83.00"), "amount": Decimal("15.77")},
        )
        assert check(reading, "tax_lines_sum_to_tax_total").status is CheckStatus.PASSED


def test_payments_that_are_no_payments_are_left_out_and_a_minus_means_nothing() -> None:
    payments = [{"method": "TWIST", "amount": "5,50"}, {"method": "CASH", "amount": "-100,00"}]
    reading = read(
        {"total": "98,77", "change": "1,23"},
        {"payments": payments},
        task=TASKS["receipt_fields_v1"],
    )
    assert reading.result["payments"] == ({"method": "CASH", "amount": Decimal("100.00")},)
    assert check(reading, "change_is_paid_minus_total").status is CheckStatus.PASSED


def test_a_line_amount_may_include_its_tax() -> None:
    row = {"quantity": "2", "unit_price": "10,00", "tax_rate": "19 %", "amount": "23,80"}
    found = check(read({}, {"line_items": [row]}), "line_amount_is_quantity_times_price")
    assert found.status is CheckStatus.PASSED


@given(
    subtotal=st.integers(1_000, 10_000_000),
    rate=st.sampled_from([5, 6, 7, 10, 19, 20, 25]),
    slip=st.integers(50, 900_000),
)
def test_the_total_that_adds_up_wins_over_a_better_looking_one(
    subtotal: int, rate: int, slip: int
) -> None:
    tax = round(subtotal * rate / 100)
    total, wrong = Decimal(subtotal + tax) / 100, Decimal(subtotal + tax + slip) / 100
    reading = read(
        {
            "total": [(f"{wrong:.2f}", 0.9), (f"{total:.2f}", 0.6)],
            "subtotal": f"{Decimal(subtotal) / 100:.2f}",
            "tax_total": f"{Decimal(tax) / 100:.2f}",
        }
    )
    assert reading.result["total"] == total
    assert check(reading, "total_is_subtotal_plus_tax").status is CheckStatus.PASSED


def test_many_candidates_of_equal_score_keep_the_first_of_each_field() -> None:
    noise = {n: [f"{i + 2},11", f"{i + 3},07"] for i, n in enumerate(("shipping", "amount_paid"))}
    reading = read(
        noise
        | {
            "total": [("99,99", 0.9), "98,77", "7,00", "8,00", "9,00"],
            "subtotal": ["83,00", "12,00", "44,00", "45,00"],
            "tax_total": ["15,77", "17,00", "18,00", "19,00"],
            "amount_due": ["11,00", "12,01", "13,00"],
        }
    )
    assert reading.result["subtotal"] == Decimal("83.00")
    assert reading.result["total"] == Decimal("98.77")


def test_a_tax_printed_under_the_total_and_in_the_summary_is_one_tax() -> None:
    tables = {
        "tax_lines": [
            {"rate": "6%", "amount": "1.72"},
            {"rate": "6%", "base": "28.58", "amount": "1.72"},
            {"rate": "0%", "base": "0.00", "amount": "0.00"},
        ]
    }
    reading = read({"subtotal": "28.58", "tax_total": "1.72", "total": "30.30"}, tables)
    assert [str(row["base"]) for row in reading.result["tax_lines"]] == ["28.58", "0.00"]


def test_a_printed_subtotal_with_tax_inside_is_kept() -> None:
    taxes = [{"rate": "10%", "base": "176.05", "amount": "17.61"}]
    reading = read({"subtotal": "193.66", "total": "193.66"}, {"tax_lines": taxes})
    assert reading.result["subtotal"] == Decimal("193.66")
    assert reading.result["tax_total"] == Decimal("17.61")


def test_lines_that_are_the_print_of_a_sum_are_none() -> None:
    service = candidate("5.50", row=40)
    fields = {"subtotal": "55.00", "service_charge": service, "total": "60.50"}
    lines = [{"amount": "25.00"}, {"amount": "30.00"}, {"amount": service}]
    reading = read(fields, {"line_items": lines}, task=TASKS["receipt_fields_v1"])
    assert [str(row["amount"]) for row in reading.result["line_items"]] == ["25.00", "30.00"]


def test_a_price_and_the_sum_of_all_prices_are_one_line() -> None:
    tables = {"line_items": [{"amount": "37.55"}, {"amount": "37.55"}]}
    fields = {"total": "39.80", "tax_total": "2.25"}
    assert len(read(fields, tables).result["line_items"]) == 1
    assert len(read({"total": "75.10"}, tables).result["line_items"]) == 2


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ({"rate": "6%", "amount": "34.00"}, 0),  # the base, read as the tax
        ({"rate": "6%", "amount": "1.93"}, 1),
        ({"rate": "0%", "amount": "3.20"}, 0),
    ],
)
def test_no_tax_is_more_than_its_rate_of_the_total(row: dict[str, str], kept: int) -> None:
    reading = read({"total": "34.00"}, {"tax_lines": [row]})
    assert len(reading.result["tax_lines"]) == kept


def test_a_base_that_its_rate_contradicts_is_no_subtotal() -> None:
    taxes = [{"rate": "6%", "base": "55.82", "amount": "1.98"}]
    reading = read({"total": "35.80"}, {"tax_lines": taxes})
    assert reading.result["subtotal"] is None


@pytest.mark.parametrize(
    ("printed", "amount", "discount"),
    [
        ("10 %", "90,00", Decimal("10.00")),
        ("10", "90,00", Decimal("10.00")),  # the heading says per cent; or an amount: the same
        ("15", "170,00", Decimal("30.00")),
        ("5,00", "195,00", Decimal("5.00")),
        ("10 %", "77,00", None),
    ],
)
def test_a_discount_in_per_cent_is_answered_as_the_amount_it_takes_off(
    printed: str, amount: str, discount: Decimal | None
) -> None:
    price = "200,00" if amount in ("170,00", "195,00") else "100,00"
    line = {"description": "A", "quantity": "1", "unit_price": price, "amount": amount}
    rows = read({}, {"line_items": [line | {"discount": printed}]}).result["line_items"]
    assert isinstance(rows, tuple)
    assert rows[0]["discount"] == discount
