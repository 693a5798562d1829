"""Currencies: signs that mean one, signs that mean several, and the evidence that decides."""

from __future__ import annotations

import pytest

from lib.values.amounts import find_amounts
from lib.values.currencies import candidates, find_symbols, resolve_currency, unambiguous


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("€", "EUR"),
        ("RM", "MYR"),
        ("zł", "PLN"),
        ("R$", "BRL"),
        ("usd", "USD"),
        ("S/", "PEN"),
        ("₽", "RUB"),
    ],
)
def test_a_sign_of_one_currency_means_it_alone(symbol: str, code: str) -> None:
    assert unambiguous(symbol) == code


@pytest.mark.parametrize("symbol", ["$", "kr", "¥", "Fr.", "Rs", "R", "ALL", "PEN", "no such sign"])
def test_a_sign_of_several_currencies_or_a_word_means_none_alone(symbol: str) -> None:
    assert unambiguous(symbol) is None


def test_the_dollar_needs_a_country() -> None:
    assert resolve_currency(["$5.00"])[0] is None
    assert set(resolve_currency(["$5.00"])[1]) >= {"USD", "CAD", "AUD", "SGD", "MXN"}
    assert resolve_currency(["$5.00"], ["CA"])[0] == "CAD"
    assert resolve_currency(["kr 5"], (), "sv")[0] == "SEK"


def test_no_sign_gives_no_currency_whatever_the_country() -> None:
    assert resolve_currency(["Total 5.00"], ["US"], "en") == (None, ())


def test_two_currencies_on_a_document_need_a_country_or_a_clear_majority() -> None:
    assert resolve_currency(["EUR 5", "USD 6"])[0] is None
    assert resolve_currency(["EUR 5", "USD 6"], ["DE"])[0] == "EUR"
    assert resolve_currency(["EUR 5", "EUR 1", "USD 6"])[0] == "EUR"


def test_words_are_no_currencies() -> None:
    assert find_symbols("try all the bread now") == ()
    assert find_symbols("Total RM12.50 USD 5") == ("RM", "USD")
    assert candidates("xyz") == ()


@pytest.mark.parametrize("text", ["KEDAI (M) BHD", "ACME SDN BHD 123456-X", "BHD (12345-K)"])
def test_a_legal_form_is_no_currency(text: str) -> None:
    assert find_symbols(text) == ()
    assert [amount for amount in find_amounts(text) if amount.symbol] == []


@pytest.mark.parametrize("text", ["BHD 12.500", "Total BHD: 1,012.500", "12.500 BHD", "BHD12.500"])
def test_the_same_letters_beside_decimals_are_one(text: str) -> None:
    assert resolve_currency([text])[0] == "BHD"
    assert [amount.currency for amount in find_amounts(text)] == ["BHD"]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("S/ 36.00", ("S/",)),
        ("TOTAL S/ 36.00", ("S/",)),
        ("IVA 4% s/ 36,00", ()),
        ("IVA 21% S/ 530,35", ()),
        ("21 %S/530,35", ()),
    ],
)
def test_the_sol_is_not_on_in_spanish(text: str, symbols: tuple[str, ...]) -> None:
    assert find_symbols(text) == symbols
