"""Amounts: every locale's way of writing them, OCR damage, and what only looks like an amount."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from lib.values.amounts import decimal_mark_of, find_amounts, parse_amount


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.234,56", "1234.56"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234,56", "1234.56"),
        ("1\u202f234.56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("1'234.56", "1234.56"),
        ("1’234.56", "1234.56"),
        ("1.234.567,89", "1234567.89"),
        ("1,23,456.78", "123456.78"),
        ("12,345,678", "12345678"),
        ("19.90", "19.90"),
        ("1.23-", "-1.23"),
        ("(1.23)", "-1.23"),
        ("-1.23", "-1.23"),
        ("−1,23", "-1.23"),
        ("- 12.50", "-12.50"),
        (".50", "0.50"),
        ("12,-", "12"),
        ("12.–", "12"),
        ("25.000,--", "25000"),
        ("0.525", "0.525"),
        ("1234.5678", "1234.5678"),
        ("１，２３４．５０", "1234.50"),
        ("12€50", "12.50"),
    ],
)
def test_reads_every_common_way_of_writing_an_amount(text: str, value: str) -> None:
    match = parse_amount(text)
    assert match is not None
    assert str(match.value) == value
    assert match.negative is value.startswith("-")


@pytest.mark.parametrize(
    ("text", "span", "currency", "symbol"),
    [
        ("Total RM 12.50", "RM 12.50", "MYR", "RM"),
        ("RM12.50", "RM12.50", "MYR", "RM"),
        ("12,50 EUR bar", "12,50 EUR", "EUR", "EUR"),
        ("€12", "€12", "EUR", "€"),
        ("-$5.00", "-$5.00", None, "$"),
        ("$-5.00", "$-5.00", None, "$"),
        ("($5.00)", "($5.00)", None, "$"),
        ("S$12.50", "S$12.50", "SGD", "S$"),
        ("100,00 zł", "100,00 zł", "PLN", "zł"),
        ("Rp 25.000", "Rp 25.000", "IDR", "Rp"),
        ("CHF 12.–", "CHF 12.–", "CHF", "CHF"),
        ("USD 1234567890", "USD 1234567890", "USD", "USD"),
        ("4 EUR 1.50", "EUR 1.50", "EUR", "EUR"),
    ],
)
def test_takes_the_currency_beside_an_amount(
    text: str, span: str, currency: str | None, symbol: str
) -> None:
    match = find_amounts(text)[-1]
    assert (text[match.start : match.end], match.currency, match.symbol) == (span, currency, symbol)


@pytest.mark.parametrize(
    "text",
    [
        "25/12/2018",
        "25.12.2018",
        "2018-12-25",
        "20181225",
        "3 Sep 2019",
        "15:28",
        "10.30 am",
        "012-345 6789",
        "03-7784 6898",
        "+49 89 1234567",
        "1234567890",
        "A-12.50x",
        "#1234",
        "12.50kg",
        "192.168.1.20",
        "ref_12",
        "SKU0012",
        "1/2",
    ],
)
def test_leaves_out_what_is_no_amount(text: str) -> None:
    assert find_amounts(text) == ()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2 x 12.50", ["2", "12.50"]),
        ("2x12.50", ["2", "12.50"]),
        ("2 100.00 200.00", ["2", "100.00", "200.00"]),
        ("GST 6% 0.60", ["6", "0.60"]),
        ("9.00SR", ["9.00"]),
        ("Summe 1.060,25 4.115,00", ["1060.25", "4115.00"]),
        ("TOTAL12.50", ["12.50"]),
        ("3 Sep 2019 12.50", ["12.50"]),
        ("100.00 EUR 19.00 EUR", ["100.00", "19.00"]),
    ],
)
def test_finds_all_amounts_of_a_line(text: str, values: list[str]) -> None:
    assert [str(match.value) for match in find_amounts(text)] == values


def test_an_ambiguous_separator_gives_both_readings_and_the_convention_decides() -> None:
    match = parse_amount("1.234")
    assert match is not None
    assert match.readings == (Decimal(1234), Decimal("1.234"))
    with_point = parse_amount("1.234", decimal_mark=".")
    with_comma = parse_amount("1.234", decimal_mark=",")
    assert with_point is not None
    assert with_comma is not None
    assert (with_point.value, with_point.decimals) == (Decimal("1.234"), 3)
    assert (with_comma.value, with_comma.decimals) == (Decimal(1234), 0)


def test_a_comma_amount_after_a_plain_space_may_have_a_quantity_before_it() -> None:
    match = parse_amount("2 100,00")
    assert match is not None
    assert match.readings == (Decimal("2100.00"), Decimal("100.00"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1O.5O", "10.50"),
        ("l2.50", "12.50"),
        ("RM1O.5O", "10.50"),
        ("12 .50", "12.50"),
        ("1,234. 56", "1234.56"),
        ("1.234.56", "1234.56"),
        ("80 91", "80.91"),
        ("$3 61", "3.61"),
        ("S43 70", "43.70"),
        ("S34.50", "34.50"),
    ],
)
def test_repairs_what_recognisers_do_to_clear_amounts(text: str, value: str) -> None:
    match = parse_amount(text)
    assert match is not None
    assert (str(match.value), match.repaired) == (value, True)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("Total: R288.40", [("288.40", "R")]),
        ("$5 20 off", [("5", "$"), ("20", "")]),
        ("2 10 00", [("2", ""), ("10", "")]),
        ("Room R2", []),
    ],
)
def test_signs_and_spaces(text: str, amounts: list[tuple[str, str]]) -> None:
    assert [(str(m.value), m.symbol) for m in find_amounts(text)] == amounts


@pytest.mark.parametrize("text", ["SOB.OO", "BILLS", "53, 55", "LOT 5O"])
def test_repairs_nothing_that_is_not_clearly_an_amount(text: str) -> None:
    assert not any(match.repaired for match in find_amounts(text))


def test_percentages_are_marked() -> None:
    (match,) = find_amounts("MwSt 19,0 %")
    assert (match.percent, match.value) == (True, Decimal("19.0"))


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (["1.234,56", "12.00"], ","),
        (["12,50", "7,00"], ","),
        (["1,234.56"], "."),
        (["1.234"], None),
        (["25.12.2018", "12.05"], "."),
        (["12.50", "12,50"], None),
        (["19,00 %"], None),
    ],
)
def test_the_documents_decimal_mark_by_its_clear_amounts(
    texts: list[str], mark: str | None
) -> None:
    assert decimal_mark_of(texts) == mark


_LOCALES = (
    "en_US",
    "de_DE",
    "fr_FR",
    "de_CH",
    "es_ES",
    "it_IT",
    "pl_PL",
    "pt_BR",
    "ru_RU",
    "en_IN",
    "sv_SE",
    "id_ID",
)


@given(
    cents=st.integers(min_value=-999_999_999_99, max_value=999_999_999_99),
    locale=st.sampled_from(_LOCALES),
)
def test_an_amount_written_in_any_locale_reads_back(cents: int, locale: str) -> None:
    value = Decimal(cents).scaleb(-2)
    text = format_decimal(
        value, format=None if cents % 2 else "#,##0.00", locale=locale, decimal_quantization=False
    )
    if "," not in text and "." not in text and "'" not in text and "’" not in text:
        return  # an integer below 1000 has no locale
    match = parse_amount(text)
    assert match is not None
    assert value in match.readings


@given(st.text(max_size=60))
def test_spans_lie_inside_the_text_and_do_not_overlap(text: str) -> None:
    end = 0
    for match in find_amounts(text):
        assert end <= match.start < match.end <= len(text)
        assert match.readings
        end = match.end
