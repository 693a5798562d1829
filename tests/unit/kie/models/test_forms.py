"""The form that an answer must have for its field's type."""

import pytest

from lib.domain.task import FieldType
from lib.kie.models.forms import FORMS, has_form

HAVE = {
    FieldType.MONEY: ["19,90", "EUR 1.234,50", "-3", "5.00-", "2 x 4.50"],
    FieldType.NUMBER: ["2", "1,5 kg", "0.250"],
    FieldType.PERCENT: ["19", "7 %", "19,00%"],
    FieldType.DATE: ["17.03.2026", "2026-03-17", "17 March 2026", "3/4/26"],
    FieldType.TIME: ["18:45", "6:45 PM"],
    FieldType.CURRENCY: ["EUR", "€", "Euro", "$"],
    FieldType.PHONE: ["0113 496 0000", "+49 30 901820"],
    FieldType.EMAIL: ["office@example.com"],
    FieldType.URL: ["www.example.com", "https://example.com/a"],
    FieldType.IBAN: ["DE89 3704 0044 0532 0130 00"],
    FieldType.BIC: ["COBADEFFXXX", "COBADEFF"],
}
LACK = {
    FieldType.MONEY: ["EUR", "twelve", "Total", "free of charge"],
    FieldType.NUMBER: ["some", "pieces"],
    FieldType.PERCENT: ["%", "reduced rate"],
    FieldType.DATE: ["March", "yesterday", "19.90", "18:45"],
    FieldType.TIME: ["noon", "19.90", "17.03.2026"],
    FieldType.CURRENCY: ["money", "19,90", "in cash"],
    FieldType.PHONE: ["Tel.", "112"],
    FieldType.EMAIL: ["office", "www.example.com"],
    FieldType.URL: ["our shop", "www"],
    FieldType.IBAN: ["DE89", "0532 0130 00", "COBADEFFXXX"],
    FieldType.BIC: ["Commerzbank", "DE89 3704 0044 0532 0130 00"],
}


def test_these_are_the_types_that_have_a_form() -> None:
    assert set(HAVE) == set(LACK) == FORMS


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in HAVE.items() for t in texts])
def test_it_has_the_form(kind: FieldType, text: str) -> None:
    assert has_form(kind, text, "en")


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in LACK.items() for t in texts])
def test_it_has_not(kind: FieldType, text: str) -> None:
    assert not has_form(kind, text, "en")


@pytest.mark.parametrize("kind", sorted(set(FieldType) - FORMS))
def test_any_text_will_do_for_the_others(kind: FieldType) -> None:
    assert has_form(kind, "anything", "en")


def test_a_month_is_named_in_the_language_of_the_question() -> None:
    assert has_form(FieldType.DATE, "17 listopada 2026", "pl")
