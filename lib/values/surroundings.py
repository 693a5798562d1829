"""What stands beside a number and makes it something else than an amount: codes, clocks, phones."""

from __future__ import annotations

import re

from lib.values.numerals import Numeral

_MAX_PLAIN_DIGITS = 6  # a longer run without separators is a number of something, not an amount
_LONGEST_WORD = 24

_UNITS = frozenset(
    "kg g mg ml cl l lt ltr cm mm m km oz lb lbs gb mb kb mah w kw kwh v hz mhz ghz ct".split()  # noqa: SIM905 - a list of units reads better so
)
_CLOCK_WORDS = re.compile(r" ?(?:[ap]\.?m\b|uhr\b|h\b)", re.IGNORECASE)
_LETTERS_AFTER = re.compile(r"[^\W\d_]+")
_LETTERS_BEFORE = re.compile(r"[^\W\d_]+$")

PHONE = re.compile(r"(?<![\d.,])(?:\+\d|\(\d|\d{1,4}-)[\d() -]{6,}\d(?![.,]?\d)")
"""Digits in groups that are joined as in a phone number."""


def stands_free(text: str, start: int, end: int, number: Numeral) -> bool:
    """Whether a number without a currency, text[start:end], is no part of something longer."""
    decimals = number.decimals
    return (
        not _joined_to_digits(text, start, end)
        and (number.separated or _short(text, start, end))
        and _letters_after_fit(text, start, end, decimals)
        and _letters_before_fit(text, start, decimals)
        and not (decimals <= 2 and number.readings[0] < 24 and _CLOCK_WORDS.match(text, end))
    )


def _joined_to_digits(text: str, start: int, end: int) -> bool:
    """Dates, clocks, fractions, ranges: `12/2018`, `15:28`, `1/2`, `10-12`; `#17`, `A_17`."""
    previous, following = text[start - 1 : start], text[end : end + 1]
    if previous in ("/", ":") and text[start - 2 : start - 1].isdigit():
        return True
    if following in ("/", ":", "-") and text[end + 1 : end + 2].isdigit():
        return True
    return previous in ("#", "_", "\\") or following == "_"


def _short(text: str, start: int, end: int) -> bool:
    """Whether digits without separators can be an amount or a quantity: few, no leading zero."""
    digits = end - start
    if digits > _MAX_PLAIN_DIGITS or (digits > 1 and text[start] == "0"):
        return False
    previous = text[start - 1 : start]
    return previous not in ("+", "/") and not (
        previous == "-" and text[start - 2 : start - 1].isalnum()
    )


def _letters_after_fit(text: str, start: int, end: int, decimals: int) -> bool:
    """`2x` is a quantity, `9.00SR` an amount with a tax code; `12.50kg` and `17b` are neither."""
    letters = _LETTERS_AFTER.match(text, end)
    if letters is None:
        return True
    word = letters[0]
    if word.casefold() == "x" and decimals == 0:
        return not text[start - 1 : start].isalpha()
    tax_code = decimals == 2 and word.isupper() and len(word) <= 3
    return tax_code and word.casefold() not in _UNITS


def _letters_before_fit(text: str, start: int, decimals: int) -> bool:
    """`x2` is a quantity, `TOTAL12.50` an amount whose space was lost; `B12` is a code."""
    letters = _LETTERS_BEFORE.search(text[max(0, start - _LONGEST_WORD) : start])
    return (
        letters is None or letters[0].casefold() == "x" or (decimals == 2 and len(letters[0]) > 2)
    )
