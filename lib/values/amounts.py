"""Amounts in text: numbers with their sign, currency and per cent sign, in every common locale."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from lib.values import currencies
from lib.values.dates import find_dates, find_times
from lib.values.numerals import (
    START,
    Numeral,
    Spans,
    end_of_run,
    is_lost_mark,
    join_groups,
    numeral,
    numeral_with_spaces,
    places,
    repair,
    touches,
)
from lib.values.surroundings import PHONE, stands_free
from lib.values.text import fold_width


@dataclass(frozen=True, slots=True)
class AmountMatch:
    """An amount at text[start:end], sign, currency and per cent sign included.

    `readings`: what it may mean, most likely first; two when the separator is ambiguous (1.234 or
    1,234). `currency`: ISO 4217 when `symbol`, the sign or code beside it, means only one.
    `decimals`: printed decimals of the first reading. `mark`: the sign before its last group, when
    that is or can be the decimal mark. `repaired`: whether OCR damage was undone.
    """

    start: int
    end: int
    readings: tuple[Decimal, ...]
    currency: str | None = None
    symbol: str = ""
    decimals: int = 0
    percent: bool = False
    negative: bool = False
    repaired: bool = False
    mark: str = ""

    @property
    def value(self) -> Decimal:
        """The most likely reading."""
        return self.readings[0]

    @property
    def ambiguous(self) -> bool:
        """Whether the separator leaves two readings."""
        return len(self.readings) > 1


@dataclass(frozen=True, slots=True)
class _Sign:
    """Signs and brackets around an amount: whether they negate it, and their reach."""

    negative: bool
    start: int
    end: int


_LONGEST_SYMBOL = 6
_NO_SYMBOL = "0123456789,-()+*=@%#;_' "  # what a currency neither starts nor ends with
_PERCENT = re.compile(r" ?%")
_NEXT_NUMBER = re.compile(r" ?\d")
_DASH_DECIMALS = re.compile(r"[.,] ?-{1,2}(?![\d-])")

# An amount with two decimals, its thousands grouped by another sign or not at all.
_TELLING = re.compile(
    r"(?<![\d.,/:-])(?:\d{1,3}(?P<group>[.,'])\d{3}(?:(?P=group)\d{3})*|\d+)(?P<mark>[.,])\d{2}"
    r"(?![\d/:]|[.,-]\d| ?%)"
)

# A number whose only separators may group its thousands.
_GROUPED = re.compile(
    r"(?<![\d.,/:-])[1-9]\d{0,2}(?P<mark>[.,])\d{3}(?:(?P=mark)\d{3})*(?![\d/:]|[.,-]\d| ?%)"
)
_ENOUGH_GROUPED = 3


@cache
def _currency_before() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])({currencies.symbol_pattern()}|R)[.:]? ?$")


@cache
def _currency_after() -> re.Pattern[str]:
    return re.compile(rf" ?({currencies.symbol_pattern()})(?![^\W\d_])")


def find_amounts(text: str) -> tuple[AmountMatch, ...]:
    """All amounts in a text, left to right; plain numbers without currency are among them.

    Not taken: dates, times, phone numbers, long runs of digits without a currency beside them, and
    numbers that are part of a code or a fraction.
    """
    if not any(map(str.isdigit, text)):
        return ()
    folded, repaired = repair(fold_width(join_groups(text)))
    found: list[AmountMatch] = []
    position = 0
    while start := START.search(folded, position):
        taken = found[-1].end if found else 0
        match, position = _at(folded, start.start(), repaired, taken)
        if match:
            found.append(match)
    return _without_dates(text, folded, found)


def parse_amount(text: str, decimal_mark: str | None = None) -> AmountMatch | None:
    """The amount that the whole text is, or None.

    `decimal_mark` ("." or ","): the document's convention, which puts the reading that follows it
    first when both are possible.
    """
    folded, repaired = repair(fold_width(join_groups(text)))
    start = START.search(folded)
    if not start:
        return None
    match, _ = _at(folded, start.start(), repaired, 0, whole=True)
    if match is None or (folded[: match.start] + folded[match.end :]).strip(" *:="):
        return None
    return prefer(match, decimal_mark)


def prefer(match: AmountMatch, decimal_mark: str | None) -> AmountMatch:
    """The match with the reading first that follows the document's decimal mark."""
    if not match.ambiguous or decimal_mark is None or not match.mark:
        return match
    fractional = [reading for reading in match.readings if places(reading)]
    whole = [reading for reading in match.readings if not places(reading)]
    if not fractional or not whole:
        return match
    follows = match.mark == decimal_mark
    readings = (*fractional, *whole) if follows else (*whole, *fractional)
    return replace(match, readings=readings, decimals=places(readings[0]))


def decimal_mark_of(texts: Iterable[str]) -> str | None:
    """The document's decimal mark by its clear amounts, or None when they disagree.

    An amount with both separators counts three times: a part number rarely looks like one. Amounts
    with two decimals count once; with others they may be dates, versions, weights or thousands.
    Where money is printed in whole units, the sign that groups it is not the decimal mark.
    """
    texts = tuple(texts)
    votes = {".": 0, ",": 0}
    for text in texts:
        for match in _TELLING.finditer(join_groups(text)):
            if match["group"] != match["mark"]:
                votes[match["mark"]] += 3 if match["group"] else 1
    point, comma = votes["."], votes[","]
    if not point + comma and (group := grouping_of_whole_units(texts)):
        return "," if group == "." else "."
    if point == comma or min(point, comma) * 2 > max(point, comma):
        return None
    return "." if point > comma else ","


def grouping_of_whole_units(texts: Iterable[str]) -> str | None:
    """The sign that groups thousands where money is printed in whole units, as rupiah and pesos
    are; None where any amount has two decimals or grouped numbers are few.
    """
    votes = {".": 0, ",": 0}
    for text in texts:
        if _TELLING.search(text):
            return None
        for match in _GROUPED.finditer(text):
            votes[match["mark"]] += 1
    mark = max(votes, key=lambda sign: votes[sign])
    return mark if votes[mark] >= _ENOUGH_GROUPED and votes[mark] == sum(votes.values()) else None


def _at(
    text: str, start: int, repaired: Spans, taken: int, *, whole: bool = False
) -> tuple[AmountMatch | None, int]:
    """The amount whose digits start at `start`, if it is one, and where to search on.

    Characters before `taken` belong to the amount before it.
    """
    before = _symbol_before(text, start, taken)
    spaced = numeral_with_spaces(text, start, sure=bool(before) or is_lost_mark(text))
    if spaced is None and whole:
        spaced = numeral_with_spaces(text, start, sure=True)
    for number in (spaced, numeral(text, start)):
        if number and (match := _in_context(text, start, number, before, whole=whole)):
            if touches(repaired, start, number.end):
                match = replace(match, repaired=True)
            return match, match.end
    return None, end_of_run(text, start)


def _in_context(
    text: str, start: int, number: Numeral, before: tuple[str, int] | None, *, whole: bool
) -> AmountMatch | None:
    """The number with its sign and currency, or None when it is part of something else."""
    dash = _DASH_DECIMALS.match(text, number.end)
    end = dash.end() if dash else number.end
    if before and currencies.is_legal_form(before[0]) and not number.separated:
        before = None  # "Sdn Bhd 123456"
    if before and before[0] == "R" and not number.decimals:
        before = None  # rand have cents; "R2" is a code
    symbol, end_of_symbol = (before[0], end) if before else _symbol_after(text, end, number)
    percent = None if symbol else _PERCENT.match(text, end)
    if not (symbol or percent or whole or stands_free(text, start, end, number)):
        return None
    if percent:
        end_of_symbol = percent.end()
    counts = bool(number.decimals or symbol) and not percent
    sign = _sign(text, start, end_of_symbol, before, bracket_counts=counts, dash=bool(dash))
    if sign is None:
        return None
    return AmountMatch(
        start=sign.start,
        end=sign.end,
        readings=tuple(-r if sign.negative and r else r for r in number.readings),
        currency=currencies.unambiguous(symbol) if symbol else None,
        symbol=symbol,
        decimals=number.decimals,
        percent=bool(percent),
        negative=sign.negative,
        repaired=number.repaired,
        mark=number.mark,
    )


def _symbol_before(text: str, start: int, taken: int) -> tuple[str, int] | None:
    """The currency before the digits (a sign or bracket may stand between), and where it starts."""
    offset = max(taken, start - _LONGEST_SYMBOL - 3)
    head = text[offset:start]
    if head[-1:] in ("-", "+", "("):
        head = head.rstrip("-+( ")
    last = head.rstrip(" .:")[-1:]
    if not last or last in _NO_SYMBOL:
        return None
    match = _currency_before().search(head)
    if match is None or not currencies.is_symbol(match[1]):
        return None
    return match[1], offset + match.start()


def _symbol_after(text: str, end: int, number: Numeral) -> tuple[str, int]:
    """The currency after the number and where it ends; "" for none.

    One between two numbers belongs to the second when the first has no separator: `4 EUR 1.50`.
    """
    if not text[end : end + 2].strip(_NO_SYMBOL):
        return "", end
    match = _currency_after().match(text, end)
    if match is None or not currencies.is_symbol(match[1]):
        return "", end
    symbol = match[1]
    if currencies.is_legal_form(symbol) and not number.separated:
        return "", end
    if (
        symbol.isascii()
        and symbol.isalpha()
        and symbol not in currencies.SYMBOLS
        and not symbol.isupper()
    ):
        return "", end  # `5 all`, `3 try`
    if not number.separated and _NEXT_NUMBER.match(text, match.end()):
        return "", end
    return symbol, match.end()


def _sign(
    text: str,
    start: int,
    end: int,
    before: tuple[str, int] | None,
    *,
    bracket_counts: bool,
    dash: bool,
) -> _Sign | None:
    """Minus before or after, or brackets; None when the dash before joins the number to a code."""
    negative = False
    first = before[1] if before else start
    if text[:start] == "- ":
        negative, first = True, 0
    elif start and text[start - 1] in "-+":
        if not before and start > 1 and text[start - 2].isalnum():
            return None
        negative, first = text[start - 1] == "-", min(first, start - 1)
    if before and first and text[first - 1] == "-" and not text[first - 2 : first - 1].isalnum():
        negative, first = True, first - 1
    if text[end : end + 1] == "-" and not dash and not text[end + 1 : end + 2].isalnum():
        negative, end = True, end + 1
    if text[end : end + 1] == ")":
        if first and text[first - 1] == "(":
            negative, first, end = negative or bracket_counts, first - 1, end + 1
        elif before and "(" in text[first:start]:
            negative, end = True, end + 1
    return _Sign(negative, first, end)


def _without_dates(text: str, folded: str, found: list[AmountMatch]) -> tuple[AmountMatch, ...]:
    """The amounts that are no part of a date, a time or a phone number."""
    if all(match.symbol for match in found):
        return tuple(found)
    dates = find_dates(text)
    spans = [(date.start, date.end) for date in dates]
    spans += [(time.start, time.end) for time in find_times(text, dates)]
    spans += [phone.span() for phone in PHONE.finditer(folded)]
    if not spans:
        return tuple(found)
    taken = bytearray(len(text))
    for start, end in spans:
        taken[start:end] = b"\1" * (end - start)
    return tuple(m for m in found if m.symbol or not any(taken[m.start : m.end]))
