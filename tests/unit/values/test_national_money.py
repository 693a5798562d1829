"""Whole currency units, signs that are also units of measure, and numbers of more countries."""

from decimal import Decimal

import pytest

from lib.values.amounts import decimal_mark_of, find_amounts, grouping_of_whole_units
from lib.values.currencies import find_symbols, resolve_currency
from lib.values.identifiers import find_ibans, find_tax_ids


@pytest.mark.parametrize(
    ("texts", "grouping", "mark"),
    [
        (["2 x 38.000  76.000", "Subtotal 128.000"], ".", ","),
        (["74,500", "73,800", "TOTAL: 158,800"], ",", "."),
        (["16.500.000", "2.220.000", "480.000"], ".", ","),
        (["1.198 kg", "2.384", "1.500", "Total 12.50"], None, "."),
        (["76.000", "30,000", "22.000", "6.400"], None, None),
        (["76.000", "30.000"], None, None),
    ],
)
def test_numbers_grouped_alike_without_decimals_are_whole_units(texts, grouping, mark):
    assert grouping_of_whole_units(texts) == grouping
    assert decimal_mark_of(texts) == mark


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("12 500 Ft", ("Ft",)),
        ("1290Ft", ("Ft",)),
        ("Vinyl lettering, per sq. ft.", ()),
        ("35 ft", ()),
        ("Fatura FT 2026/1184", ()),
    ],
)
def test_forints_are_no_feet(text, symbols):
    assert find_symbols(text) == symbols


def test_a_price_in_forints_keeps_its_currency():
    (amount,) = find_amounts("Ár: 12.500 Ft")
    assert (amount.value, amount.currency) == (Decimal(12500), "HUF")


def test_the_country_picks_among_several_unclear_signs():
    texts = ["Подшипник 6308-2RS", "на сумму 53 500,00 руб."]
    assert resolve_currency(texts, ("RU",))[0] == "RUB"
    assert resolve_currency(texts)[0] is None


@pytest.mark.parametrize(
    ("text", "value", "country"),
    [
        ("RUT: 76.835.924-5", "768359245", "CL"),
        ("NIT 800.197.268-4", "8001972684", "CO"),
        ("R.U.C. 20131312955", "20131312955", "PE"),
    ],
)
def test_tax_numbers_of_south_america(text, value, country):
    (found,) = find_tax_ids(text)
    assert (found.value, found.country, found.valid) == (value, country, True)


@pytest.mark.parametrize(
    "text",
    [
        "À payer avant le 22 avril 2026 sur le compte BE68 5390 0754 7034 (BIC TRIOBEBB)",
        "te betalen de 22 mei 2026 op rekening BE68 5390 0754 7034",
    ],
)
def test_an_iban_is_found_inside_a_sentence(text):
    (found,) = find_ibans(text)
    assert (found.value, found.valid) == ("BE68539007547034", True)
    assert text[found.start : found.end] == "BE68 5390 0754 7034"
