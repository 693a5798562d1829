"""What holds of amounts, dates, identifiers and foldings for every text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.values.amounts import decimal_mark_of, find_amounts, parse_amount, prefer
from lib.values.currencies import resolve_currency
from lib.values.dates import FIRST_YEAR, LAST_YEAR, find_dates, find_times, printed_order
from lib.values.identifiers import (
    find_bics,
    find_emails,
    find_ibans,
    find_phones,
    find_tax_ids,
    find_urls,
)
from lib.values.likeness import folded, likeness, pack, signature, unpack
from lib.values.text import fold_ocr, fold_width

# Any code point, halves of surrogate pairs too, and what money, dates and numbers are printed with.
TEXT = st.text(st.characters(), max_size=40) | st.text(
    "0123456789.,'-−+()/: €$£%kKrzłRM٣४〇年月日\u202f\u00a0\u200f\ud800OIlSB", max_size=40
)
TOTAL: dict[str, Callable[[str], object]] = {
    "amounts": find_amounts,
    "one amount": parse_amount,
    "decimal mark": lambda text: decimal_mark_of([text]),
    "dates": find_dates,
    "times": find_times,
    "order": lambda text: printed_order(text, "2026-03-04"),
    "tax ids": find_tax_ids,
    "ibans": find_ibans,
    "bics": find_bics,
    "emails": find_emails,
    "urls": find_urls,
    "phones": find_phones,
    "currency": lambda text: resolve_currency([text]),
    "fold": fold_ocr,
    "likeness": lambda text: signature([text]),
}


@pytest.mark.parametrize("name", TOTAL)
def test_no_text_is_too_much(name: str) -> None:
    function = TOTAL[name]

    @given(TEXT)
    def holds(text: str) -> None:
        assert function(text) == function(text) or name == "likeness"

    holds()


@given(st.decimals("-999999999.999", "999999999.999", places=2, allow_nan=False))
def test_a_plain_amount_reads_as_itself_with_its_decimals(value: Decimal) -> None:
    match = parse_amount(f"{value:f}")
    assert match is not None
    assert (match.value, match.value.as_tuple().exponent) == (value, -2)


@given(TEXT, st.sampled_from([",", "."]))
def test_what_is_read_stays_among_its_readings(text: str, mark: str) -> None:
    for match in find_amounts(text):
        preferred = prefer(match, mark)
        assert set(preferred.readings) == set(match.readings)
        assert prefer(preferred, mark) == preferred
        assert match.value.is_finite()


@given(st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)))
def test_an_iso_date_is_never_open(day: date) -> None:
    (match,) = find_dates(f"{day:%Y-%m-%d}")
    assert [reading.value for reading in match.readings] == [day]


@given(TEXT)
def test_folding_width_twice_is_folding_it_once(text: str) -> None:
    assert fold_width(fold_width(text)) == fold_width(text)


@given(TEXT)
def test_folding_for_likeness_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.lists(st.text(min_size=1, max_size=8), min_size=12, max_size=30))
def test_a_signature_is_of_the_text_and_not_of_its_words(words: list[str]) -> None:
    one, other = signature(words), signature(["".join(words)])
    assert (one is None) is (other is None)
    if one is not None and other is not None:
        assert likeness(one, other) == likeness(other, one) == 1.0
        assert (unpack(pack(one)) == one).all()
