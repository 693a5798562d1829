"""No text, however hostile, makes a finder take time that grows with the square of its length."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lib.values.amounts import decimal_mark_of, find_amounts, parse_amount
from lib.values.currencies import resolve_currency
from lib.values.dates import find_dates, find_times
from lib.values.identifiers import (
    find_bics,
    find_emails,
    find_ibans,
    find_phones,
    find_tax_ids,
    find_urls,
)
from lib.values.text import fold_ocr

FINDERS: dict[str, Callable[[str], object]] = {
    "amounts": find_amounts, "amount": parse_amount, "mark": lambda text: decimal_mark_of([text]),
    "dates": find_dates, "times": find_times, "tax ids": find_tax_ids, "ibans": find_ibans,
    "bics": find_bics, "emails": find_emails, "urls": find_urls, "phones": find_phones,
    "currency": lambda text: resolve_currency([text]), "ocr": fold_ocr,
}  # fmt: skip
UNITS = (
    "1", "1.", "1 ", "111 ", "12/", "12-", "A", "a.", "DE ", "AB12", "tax no ", "A-", "O0", "$",
    "$1", "Mon ", "12 Mon ", "a@", "www.", "(", "+1", "1:", "0O.", "1'", "S0,00 ", "12.12.12 ",
)  # fmt: skip


@pytest.mark.parametrize("finder", FINDERS)
def test_time_grows_with_the_length_and_no_faster(finder: str) -> None:
    for unit in UNITS:
        text = unit * 2_000
        started = time.thread_time()
        FINDERS[finder](text)
        assert time.thread_time() - started < 1.0, unit  # linear: below 0.1
