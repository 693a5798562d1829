"""Identifiers: national formats, checksums, repairs that a checksum confirms, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban as stdnum_iban

from lib.values.identifiers import (
    find_bics,
    find_emails,
    find_ibans,
    find_phones,
    find_tax_ids,
    find_urls,
)


@pytest.mark.parametrize(
    ("text", "value", "country", "valid"),
    [
        ("USt-IdNr.: DE136695976", "DE136695976", "DE", True),
        ("DE 136 695 976", "DE136695976", "DE", True),
        ("DE136695977", "DE136695977", "DE", False),
        ("VAT Reg No: 980 7806 84", "980780684", "GB", True),
        ("VAT GB 980 7806 84 Company 1", "GB980780684", "GB", True),
        ("TVA FR 83 404 833 048", "FR83404833048", "FR", True),
        ("SIRET: 404 833 048 00022", "40483304800022", "FR", True),
        ("ATU13585627", "ATU13585627", "AT", True),
        ("BTW NL004495445B01", "NL004495445B01", "NL", True),
        ("NIP: 856-734-62-15", "8567346215", "PL", True),
        ("P. IVA 00743110157", "00743110157", "IT", True),
        ("CHE-107.787.577 MWST", "CHE107787577", "CH", True),
        ("GST ID: 000306020352", "000306020352", "MY", False),
        ("SST No. W10-1808-32000123", "W10180832000123", "MY", False),
        ("GSTIN 27AAPFU0939F1ZV", "27AAPFU0939F1ZV", "IN", True),
        ("ABN 83 914 571 673", "83914571673", "AU", True),
        ("CNPJ 16.727.230/0001-97", "16727230000197", "BR", True),
        ("ИНН 7707083893", "7707083893", "RU", True),
        ("EIN 91-1144442", "911144442", "US", True),
        ("NIF: B58378431", "B58378431", "ES", True),
        ("HST 123456782RT0001", "123456782RT0001", "CA", True),
        ("Steuernummer: 181/815/08155", "18181508155", "DE", True),
        ("NPWP 01.300.066.6-091.000", "013000666091000", "ID", True),
        ("Tax ID: ABC123456", "ABC123456", None, False),
    ],
)
def test_finds_tax_ids_with_their_country_and_checksum(
    text: str, value: str, country: str | None, valid: bool
) -> None:
    (match,) = find_tax_ids(text)
    assert (match.value, match.country, match.valid) == (value, country, valid)


@pytest.mark.parametrize("text", ["DE123 Munich 12345678", "Invoice 2018-0017", "Tel 03-7784 6898"])
def test_finds_no_tax_id_where_there_is_none(text: str) -> None:
    assert find_tax_ids(text) == ()


@pytest.mark.parametrize(
    ("text", "value", "valid", "repaired"),
    [
        ("IBAN DE88 2008 0000 0970 3757 00 BIC X", "DE88200800000970375700", True, False),
        ("IBAN: DE88 2OO8 0000 O970 3757 00", "DE88200800000970375700", True, True),
        ("GB82 WEST 1234 5698 7654 32", "GB82WEST12345698765432", True, False),
        ("FR14 2004 1010 0505 0001 3M02 606", "FR1420041010050500013M02606", True, False),
        ("DE88 2008 0000 0970 3757 01 foo", "DE88200800000970375701", False, False),
    ],
)
def test_finds_ibans(text: str, value: str, valid: bool, repaired: bool) -> None:
    (match,) = find_ibans(text)
    assert (match.value, match.valid, match.repaired) == (value, valid, repaired)
    assert match.country == value[:2]


@given(
    account=st.integers(min_value=0, max_value=10**18 - 1), spaced=st.booleans(), flaw=st.booleans()
)
def test_an_iban_is_found_in_any_print_and_only_its_own_checksum_makes_it_valid(
    account: int, spaced: bool, flaw: bool
) -> None:
    bban = f"{account:018}"
    iban = f"DE{stdnum_iban.calc_check_digits(f'DE00{bban}')}{bban}"
    if flaw:
        iban = iban[:-1] + str((int(iban[-1]) + 1) % 10)
    text = " ".join(iban[i : i + 4] for i in range(0, 22, 4)) if spaced else iban
    (match,) = find_ibans(f"Konto {text}, Bank")
    assert (match.value, match.valid) == (iban, not flaw)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("BIC COBADEFFXXX", ["COBADEFFXXX"]),
        ("SWIFT: COBADEFF", ["COBADEFF"]),
        ("COBADEFFXXX", ["COBADEFFXXX"]),
        ("INVOICES PAYMENTS", []),
    ],
)
def test_finds_bics_but_not_words_in_capitals(text: str, values: list[str]) -> None:
    assert [match.value for match in find_bics(text)] == values


def test_finds_mail_and_web_addresses_across_spaces_of_the_recogniser() -> None:
    assert [m.value for m in find_emails("mail: a.b @ example. com")] == ["a.b@example.com"]
    assert [m.value for m in find_urls("www.example.com/shop, or example.de")] == [
        "www.example.com/shop",
        "example.de",
    ]
    assert find_urls("info@example.de") == ()


@pytest.mark.parametrize(
    ("text", "regions", "value", "country"),
    [
        ("tel 03-7784 6898", ["US", "MY"], "+60377846898", "MY"),
        ("+49 (0) 89 123456", [], "+4989123456", "DE"),
        ("(800)275-8777", ["US"], "+18002758777", "US"),
        ("012-345 6789", [], "0123456789", None),
    ],
)
def test_finds_phone_numbers(
    text: str, regions: list[str], value: str, country: str | None
) -> None:
    (match,) = find_phones(text, regions)
    assert (match.value, match.country, match.valid) == (value, country, country is not None)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        # A date and a time of day stand around it.
        ("02/10/2015 (800)275-8777 12:38:49 PM", ["8002758777"]),
        # Groups that come twice are two numbers; a card number's are not.
        ("063 966 353/012 349 501", ["063966353", "012349501"]),
        ("223 2890 223 2891", ["2232890", "2232891"]),
        ("24923001,24924001", ["24923001"]),
        ("4111 1111 1111 1111", []),
        ("+49 (0) 941 / 20 90 87 00", ["+4994120908700"]),
        # A bracket that was misread.
        ("(425>710-0278", ["4257100278"]),
        # The end of a long code, a row of prices.
        ("8-9345-0845-025-9260-9111-9112-1508-7148", []),
        ("1.00.110.00", []),
    ],
)
def test_tells_phone_numbers_from_what_stands_beside_them(text: str, values: list[str]) -> None:
    assert [match.value for match in find_phones(text)] == values


@pytest.mark.parametrize("text", ["12/05/2018 15:28", "25.12.2018", "2018-12-25", "1 234 567,00"])
def test_dates_and_amounts_are_no_phone_numbers(text: str) -> None:
    assert find_phones(text) == ()
