"""Amounts in text: digits with their separators, sign, currency and per cent sign, in every common locale."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from lib.values import currencies
from lib.values.dates import find_dates, find_times
from lib.values.text import fold_width

_MAX_PLAIN_DIGITS = (
    6  # a longer run of digits is a number of something, unless a currency is beside it
)
_MAX_DIGITS = 15
_LONGEST_SYMBOL = 6

_Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class AmountMatch:
    """An amount at text[start:end], sign, currency and per cent sign included.

    `readings`: what it may mean, most likely first; two when the separator is ambiguous (1.234 or
    1,234). `mark` is the decimal mark that the first reading shows ("" when it shows none),
    `decimals` the printed number of decimals, `repaired` whether OCR damage was undone.
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
class _Number:
    """Digits and separators read: the unsigned readings, the mark of the first, and the end of the text."""

    end: int
    readings: tuple[Decimal, ...]
    mark: str = ""
    repaired: bool = False
    separated: bool = True


_PLAIN = re.compile(r"\d+(?:[.,']\d+)*")
_BARE_FRACTION = re.compile(r"[.,]\d{2}(?!\d|[.,]\d)")
_SPACED = re.compile(r"\d{1,3}(?: \d{3})+(?:[.,]\d{1,4})?(?![.,']?\d)")
_SPLIT_MARK = re.compile(r"(\d{1,3}(?:[.,']\d{3})*)(?: ([.,])|([.,]) )(\d{2})(?![.,']?\d)")
_START = re.compile(r"(?<![.,'\d])[.,]?\d")
_EURO_MARK = re.compile(r"(\d{1,5})€(\d{2})(?!\d)")
# Spaces that are set between digits on purpose, unlike the one between two words.
_GROUPING_SPACE = re.compile("(?<=\\d)[\u00a0\u2007\u2009\u202f](?=\\d{3}(?!\\d))")
_PHONE = re.compile(r"(?<![\d.,])(?:\+\d|\(\d|\d{1,4}-)[\d() -]{6,}\d(?![.,]?\d)")
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}")
_WESTERN = re.compile(r"\d{1,3}(?:([.,'])\d{3})(?:\1\d{3})*")

# Letters read for digits, only inside a token that has the shape of a price and at least as many digits.
_LETTERS = str.maketrans("OoQIl|SsB", "000111558")
_DAMAGED = re.compile(
    r"(?:(?<![^\W_])|(?<=RM)|(?<=Rp))(?=[^\s]*[OoQIl|SsB])[\dOoQIl|SsB]{1,3}"
    r"(?:[.,']?[\dOoQIl|SsB]{3})*[.,][\dOoQIl|SsB]{2}(?![^\W_])"
)

_UNITS = frozenset(
    [
        "kg",
        "g",
        "mg",
        "ml",
        "cl",
        "l",
        "lt",
        "ltr",
        "cm",
        "mm",
        "m",
        "km",
        "oz",
        "lb",
        "lbs",
        "gb",
        "mb",
        "kb",
        "mah",
        "w",
        "kw",
        "kwh",
        "v",
        "hz",
        "mhz",
        "ghz",
        "ct",
    ]
)
_CLOCK_WORDS = re.compile(r" ?(?:[ap]\.?m\b|uhr\b|h\b)", re.IGNORECASE)
_AFTER_LETTERS = re.compile(r"[^\W\d_]+")
_BEFORE_LETTERS = re.compile(r"[^\W\d_]+$")
_DASH_DECIMALS = re.compile(r"[.,] ?-{1,2}(?![\d-])")


@cache
def _currency_before() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])({currencies.symbol_pattern()})[.:]? ?$")


@cache
def _currency_after() -> re.Pattern[str]:
    return re.compile(rf" ?({currencies.symbol_pattern()})(?![^\W\d_])")


def find_amounts(text: str) -> tuple[AmountMatch, ...]:
    """All amounts in a text, from left to right.

    Not taken: dates, times, phone numbers, long runs of digits without a currency beside them, and
    numbers that are part of a code or a fraction.
    """
    folded, repaired = _repair(fold_width(_GROUPING_SPACE.sub("'", text)))
    found: list[AmountMatch] = []
    position = 0
    while start := _START.search(folded, position):
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
    folded, repaired = _repair(fold_width(_GROUPING_SPACE.sub("'", text)))
    start = _START.search(folded)
    if not start:
        return None
    match, _ = _at(folded, start.start(), repaired, 0, whole=True)
    outside = folded if not match else folded[: match.start] + folded[match.end :]
    if match is None or outside.strip(" *:="):
        return None
    return prefer(match, decimal_mark)


def prefer(match: AmountMatch, decimal_mark: str | None) -> AmountMatch:
    """The match with the reading first that follows the document's decimal mark."""
    if not match.ambiguous or decimal_mark is None or not match.mark:
        return match
    fractional = [r for r in match.readings if _exponent(r) < 0]
    whole = [r for r in match.readings if _exponent(r) >= 0]
    if not fractional or not whole:
        return match
    follows = match.mark == decimal_mark
    readings = (*fractional, *whole) if follows else (*whole, *fractional)
    return replace(match, readings=readings, decimals=-_exponent(readings[0]))


def decimal_mark_of(texts: Iterable[str]) -> str | None:
    """The document's decimal mark by its unambiguous amounts, or None when they disagree or say nothing.

    An amount with both separators counts three times: a part number rarely looks like one.
    """
    votes = {".": 0, ",": 0}
    for text in texts:
        for match in find_amounts(text):
            if match.ambiguous or not match.mark or match.percent:
                continue
            both = any(
                c in text[match.start : match.end] for c in ("," if match.mark == "." else ".", "'")
            )
            votes[match.mark] += 3 if both else 1 if match.decimals == 2 else 0
    point, comma = votes["."], votes[","]
    if max(point, comma) == 0 or min(point, comma) * 2 > max(point, comma):
        return None
    return "." if point > comma else ","


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _repair(folded: str) -> tuple[str, _Spans]:
    """The text with letters read for digits undone, and the spans where that was done."""
    spans: list[tuple[int, int]] = []

    def undo(match: re.Match[str]) -> str:
        token = match[0]
        digits = sum(c.isdigit() for c in token)
        letters = sum(c.isalpha() or c == "|" for c in token)
        if digits < 2 or letters > digits:
            return token
        spans.append(match.span())
        return token.translate(_LETTERS)

    return _DAMAGED.sub(undo, folded), tuple(spans)


def _at(
    text: str, start: int, repaired: _Spans, taken: int, *, whole: bool = False
) -> tuple[AmountMatch | None, int]:
    """The amount whose digits start at `start`, if it is one, and where to search on.

    Characters before `taken` belong to the amount before it.
    """
    before = _symbol_before(text, start, taken)
    number = _spaced(text, start, bool(before) or whole) or _split_mark(text, start, bool(before))
    if number and (match := _in_context(text, start, number, before, repaired, whole)):
        return match, match.end
    number = _plain(text, start)
    if number is None:
        token = _PLAIN.match(text, start)
        return None, token.end() if token else start + 1
    match = _in_context(text, start, number, before, repaired, whole)
    return match, match.end if match else number.end


def _plain(text: str, start: int) -> _Number | None:
    """Digits joined by separators without spaces."""
    if fraction := _BARE_FRACTION.match(text, start):
        if start and (text[start - 1].isalnum() or text[start - 1] in ".,'"):
            return None
        return _Number(fraction.end(), (Decimal("0." + fraction[0][1:]),), fraction[0][0])
    if text[start] in ".,":
        start += 1
    if euro := _EURO_MARK.match(text, start):
        return _Number(euro.end(), (_number(euro[1], euro[2]),))
    token = _PLAIN.match(text, start)
    if token is None or sum(c.isdigit() for c in token[0]) > _MAX_DIGITS:
        return None
    return _read(token[0], token.end())


def _read(token: str, end: int) -> _Number | None:
    """Which separator is the decimal mark: the last one, unless it can only group thousands."""
    marks = [c for c in token if not c.isdigit()]
    if not marks:
        return _Number(end, (Decimal(token),), separated=False)
    last = marks[-1]
    whole, _, fraction = token.rpartition(last)
    if len(set(marks)) == 1 and len(marks) > 1:
        if _WESTERN.fullmatch(token) or _INDIAN.fullmatch(token):
            return _Number(end, (_number(token),))
        if last != "'" and len(fraction) == 2 and _WESTERN.fullmatch(whole):
            return _Number(end, (_number(whole, fraction),), last, repaired=True)
        return None
    if len(marks) > 1:
        if last == "'" or marks.count(last) > 1 or not 1 <= len(fraction) <= 6:
            return None
        if _WESTERN.fullmatch(whole) or _INDIAN.fullmatch(whole):
            return _Number(end, (_number(whole, fraction),), last)
        return None
    if last == "'":
        return _Number(end, (_number(token),)) if _WESTERN.fullmatch(token) else None
    if len(fraction) == 3 and len(whole) <= 3 and not whole.startswith("0"):
        return _Number(end, (_number(token), _number(whole, fraction)), last)
    if len(fraction) > 6:
        return None
    return _Number(end, (_number(whole, fraction),), last)


def _number(whole: str, fraction: str = "") -> Decimal:
    digits = re.sub(r"\D", "", whole)
    return Decimal(f"{digits}.{fraction}" if fraction else digits)


def _spaced(text: str, start: int, sure: bool) -> _Number | None:
    """Thousands grouped by spaces (1 234,56).

    A quantity may stand before a price (2 100.00), so with a full stop, or without decimals, the
    groups are joined only when a currency or the whole text speaks for it (`sure`); with a comma
    they are joined, and the price alone is the second reading.
    """
    token = _SPACED.match(text, start)
    if token is None or text[start] == "0":
        return None
    mark = next((c for c in token[0] if c in ".,"), "")
    whole, _, fraction = token[0].partition(mark) if mark else (token[0], "", "")
    joined = _number(whole, fraction)
    if sure:
        return _Number(token.end(), (joined,), mark)
    if mark != ",":
        return None
    return _Number(token.end(), (joined, _number(whole.rpartition(" ")[2], fraction)), mark)


def _split_mark(text: str, start: int, sure: bool) -> _Number | None:
    """A decimal mark that the recogniser set apart: `12 .50`, `1,234. 56`."""
    token = _SPLIT_MARK.match(text, start)
    if token is None:
        return None
    mark = token[2] or token[3]
    grouped = not token[1].isdigit()
    if grouped and mark in token[1]:
        return None
    if not (token[2] or grouped or sure):
        return None
    return _Number(token.end(), (_number(token[1], token[4]),), mark, repaired=True)


def _symbol_before(text: str, start: int, taken: int) -> tuple[str, int] | None:
    """The currency before the digits (a sign or bracket may stand between), and where it starts."""
    head = text[:start].rstrip("-+( ") if start and text[start - 1] in "-+(" else text[:start]
    offset = max(taken, len(head) - _LONGEST_SYMBOL)
    match = _currency_before().search(head[offset:])
    return (match[1], offset + match.start()) if match else None


def _in_context(  # noqa: C901 - one rule a line, in the order in which they decide
    text: str,
    start: int,
    number: _Number,
    before: tuple[str, int] | None,
    repaired: _Spans,
    whole: bool,
) -> AmountMatch | None:
    """The number with its sign and currency, or None when what stands around it makes it something else."""
    end, first = number.end, start
    decimals = max(0, -_exponent(number.readings[0]))
    if dash := _DASH_DECIMALS.match(text, end):
        end = dash.end()
    symbol = before[0] if before else ""
    after = _currency_after().match(text, end)
    of_next = not number.separated and re.match(r" ?\d", text[after.end() :]) if after else None
    if after and not symbol and not of_next and _is_currency(after[1], text[end]):
        symbol, end_of_symbol = after[1], after.end()
    else:
        end_of_symbol = end
    percent = re.match(r" ?%", text[end:]) if not symbol else None
    if not (symbol or percent or whole) and not _stands_free(text, start, end, number, decimals):
        return None
    negative = False
    if text[:first] == "- ":
        negative, first = True, 0
    elif text[first - 1 : first] in ("-", "+") and first:
        sign_at = first - 1
        if sign_at and text[sign_at - 1].isalnum() and not before:
            return None
        negative, first = text[sign_at] == "-", sign_at
    end = end_of_symbol
    if percent:
        end += percent.end()
    elif text[end : end + 1] == "-" and not dash and not text[end + 1 : end + 2].isalnum():
        negative, end = True, end + 1
    if before:
        first = before[1]
        if first and text[first - 1] == "-" and not text[first - 2 : first - 1].isalnum():
            negative, first = True, first - 1
    if first and text[first - 1] == "(" and text[end : end + 1] == ")":
        if not percent and (decimals or symbol):
            negative = True
        first, end = first - 1, end + 1
    elif before and "(" in text[first:start] and text[end : end + 1] == ")":
        negative, end = True, end + 1
    return AmountMatch(
        start=first,
        end=end,
        readings=tuple(-r if negative and r else r for r in number.readings),
        currency=currencies.unambiguous(symbol) if symbol else None,
        symbol=symbol,
        decimals=decimals,
        percent=bool(percent),
        negative=negative,
        repaired=number.repaired or any(s < number.end and start < e for s, e in repaired),
        mark=number.mark,
    )


def _is_currency(symbol: str, next_character: str) -> bool:
    """Whether letters after a number are a currency: `12.50 EUR`, but not `3 try` or `5 all`."""
    if not symbol.isascii() or not symbol.isalpha():
        return True
    if symbol in currencies.SYMBOLS:
        return symbol != "R"
    return symbol.isupper() or (symbol.islower() and next_character == " " and len(symbol) == 2)


def _stands_free(text: str, start: int, end: int, number: _Number, decimals: int) -> bool:  # noqa: PLR0911 - a list of reasons
    """Whether nothing beside a bare number makes it part of a code, a date, a time or a phone number."""
    previous, following = text[start - 1 : start], text[end : end + 1]
    if previous in ("/", ":") and text[start - 2 : start - 1].isdigit():
        return False
    if following in ("/", ":", "-") and text[end + 1 : end + 2].isdigit():
        return False
    if previous in ("#", "_", "\\") or following == "_":
        return False
    if not number.separated:
        digits = end - start
        if digits > _MAX_PLAIN_DIGITS or (digits > 1 and text[start] == "0"):
            return False
        if previous in ("+", "/") or (previous == "-" and text[start - 2 : start - 1].isalnum()):
            return False
    if letters := _AFTER_LETTERS.match(text, end):
        word = letters[0]
        if word.casefold() == "x" and decimals == 0:
            return not previous.isalpha()
        tax_code = decimals == 2 and word.isupper() and len(word) <= 3
        if not tax_code or word.casefold() in _UNITS:
            return False
    if letters := _BEFORE_LETTERS.search(text[:start]):
        word = letters[0]
        if word.casefold() != "x" and not (decimals == 2 and len(word) >= 3):
            return False
    return not (decimals <= 2 and _CLOCK_WORDS.match(text, end) and number.readings[0] < 24)


def _without_dates(text: str, folded: str, found: list[AmountMatch]) -> tuple[AmountMatch, ...]:
    """The amounts that are no part of a date, a time or a phone number."""
    if not any(match.symbol == "" for match in found):
        return tuple(found)
    taken = [(d.start, d.end) for d in find_dates(text)] + [
        (t.start, t.end) for t in find_times(text)
    ]
    taken += [phone.span() for phone in _PHONE.finditer(folded)]
    return tuple(
        m for m in found if m.symbol or not any(s < m.end and m.start < e for s, e in taken)
    )
