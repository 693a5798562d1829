"""Dates and times in text: every order and separator, names of months, a document's own order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from babel import Locale, UnknownLocaleError

from lib.domain.date_order import DateOrder
from lib.values.calendar_names import month_of, weekdays_of
from lib.values.text import fold_width

FIRST_YEAR, LAST_YEAR = 1990, 2049

_Parts = tuple[str, str, str, DateOrder | None]
"""Year, month and day as printed, and the order in which they were taken."""


@dataclass(frozen=True, slots=True)
class DateReading:
    """One meaning of a printed date. `order` is None when no order was needed to read it."""

    value: date
    order: DateOrder | None


@dataclass(frozen=True, slots=True)
class DateMatch:
    """A date at text[start:end]; several readings when day, month and year can change places."""

    start: int
    end: int
    readings: tuple[DateReading, ...]

    @property
    def ambiguous(self) -> bool:
        """Whether it can mean more than one day."""
        return len(self.readings) > 1


@dataclass(frozen=True, slots=True)
class TimeMatch:
    """A time of day at text[start:end], as HH:MM or HH:MM:SS in 24 hours."""

    start: int
    end: int
    value: str


@dataclass(frozen=True, slots=True)
class OrderEvidence:
    """What speaks for an order of day and month besides the dates themselves.

    `hint` is the caller's word; `countries` are ISO 3166 codes, strongest evidence first.
    """

    hint: DateOrder | None = None
    countries: tuple[str, ...] = ()
    language: str | None = None


_SEP = r" ?[/\-.'~,] ?"
_YEAR = r"((?:19|20)\d{2}|\d{2})"
_NUMERIC = re.compile(
    rf"(?<!\d)(?<!\d[/.])(?<![vV])(\d{{1,2}})({_SEP})(\d{{1,2}})({_SEP})'?{_YEAR}"
    r"(?=\d{1,2}:\d{2}|\d{5,6} ?[AaPp][Mm]|\D|$)(?!/\d|-\d+(?![\d.:/])|\.\d{1,2}(?!\d|:))"
)
_NUMERIC_SPACED = re.compile(r"(?<![\d.,/\-])(\d{1,2})( )(\d{1,2})( )(\d{4})(?![\d.,/\-])")
# After a number that a recogniser glued to it: only the full form, after at least four digits.
_NUMERIC_GLUED = re.compile(r"(?<=\d{4})(\d{2})([/\-.])(\d{2})(\2)((?:19|20)\d{2})(?!\d|[/\-.]\d)")
_YEAR_FIRST = re.compile(
    rf"(?<!\d)(?<!\d[/\-.])(\d{{4}})({_SEP}| )(\d{{1,2}})({_SEP}| )(\d{{1,2}})"
    r"(?=T?\d{2}:\d{2}|\D|$)(?![/\-]\d)"
)
_COMPACT = re.compile(
    r"(?<![^\W_])(\d{8})(?=(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?!\d)|T\d|[^\w]|_|$)(?![.,]\d)"
)
_CJK = re.compile(r"(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]")
_WORD = r"([^\W\d_]{3,12}|[^\W_]{3}(?![^\W_]))"
_ORDINAL = r"(?:st|nd|rd|th|er|ère|º|ª|°)?"
_DAY_MONTH = re.compile(
    rf"(?<![\d])(\d{{1,2}}){_ORDINAL}[ .,/\-']{{0,2}}(?:(?:de|of|di) |d')?{_WORD}"
    rf"[ .,/\-']{{0,3}}(?:(?:de|of|del|di) )?{_YEAR}(?=\d{{1,2}}:\d{{2}}|[^\d]|$)(?![.,:]\d)",
    re.IGNORECASE,
)
_MONTH_DAY = re.compile(
    rf"(?<![^\W\d_]){_WORD}[ .,/\-]{{0,2}}(\d{{1,2}}){_ORDINAL}[ .,/\-']{{1,3}}{_YEAR}"
    r"(?!\d)(?![.,:]\d)",
    re.IGNORECASE,
)
_YEAR_MONTH_DAY = re.compile(
    rf"(?<!\d)(\d{{4}})[ .,/\-]{{1,2}}{_WORD}[ .,/\-]{{1,2}}(\d{{1,2}})(?!\d)", re.IGNORECASE
)
# What every date in digits alone has: two groups behind a digit and a third, or eight digits.
_IN_DIGITS = re.compile(r"\d ?[/\-.'~, ] ?\d{1,2} ?[/\-.'~, ] ?'?\d|\d{8}|[年년]")
_FEWEST_DIGITS = 3  # of a date: 1 May 26
_ZERO_IN_NAME = re.compile(r"(?<=[\d/\-. '])0(?=[cC][tT])|(?<=[nN])0(?=[vV])")

_WEEKDAY_REACH = 16
_LONGEST_TIME = 16
_WORD_BEFORE = re.compile(r"([^\W\d_]{3,})[\W_]*$")
_WORD_AFTER = re.compile(r"[\W_]*([^\W\d_]{3,})")

_LETTERS = str.maketrans("OoQDIl|S", "00001115")
_DAMAGED = re.compile(
    r"(?<![^\W_])[\dOoQIl|]{1,2}([/\-.])[\dOoQIl|]{1,2}\1[\dOoQIl|S]{2,4}(?![^\W_])"
)

_TIME = re.compile(
    r"(?<!\d)(?<!\d[:.,])(\d{1,2})"
    r"(?: ?: ?| ?[hH] ?|[.](?=\d{2}(?:[.]\d{2})? ?(?:[ap]\.?m|uhr)))([0-5]\d)"
    r"(?:[:.]([0-5]\d)(?!\d))?(?![\d:])(?: ?([ap])\.?m\b\.?)?",
    re.IGNORECASE,
)
_CLOCK_SIGNS = frozenset(":hH.时時시")
_TIME_CJK = re.compile(r"(\d{1,2}) ?[时時시] ?(\d{1,2}) ?[分분](?: ?(\d{1,2}) ?[秒초])?")


def find_dates(text: str, language: str | None = None) -> tuple[DateMatch, ...]:
    """All dates in a text, from left to right, none inside another; years 1990 to 2049.

    `language` (ISO 639) decides names of months that mean different months in two languages.
    """
    if sum(map(str.isdigit, text)) < _FEWEST_DIGITS:
        return ()
    folded = _repair(fold_width(text))
    named = _named(folded, language) if any(map(str.isalpha, folded)) else ()
    numeric = _numeric(folded) if _IN_DIGITS.search(folded) else ()
    found: list[DateMatch] = []
    taken = bytearray(len(text))
    for match in (*named, *numeric):
        if not any(taken[match.start : match.end]):
            taken[match.start : match.end] = b"\1" * (match.end - match.start)
            found.append(_on_its_weekday(folded, match))
    return tuple(sorted(found, key=lambda match: match.start))


def find_times(text: str, dates: Sequence[DateMatch] | None = None) -> tuple[TimeMatch, ...]:
    """All times of day in a text, from left to right, also those glued to the end of a date.

    `dates`: those of the text, where they have been found already.
    """
    if not any(map(str.isdigit, text)):
        return ()
    folded = fold_width(text)
    if _CLOCK_SIGNS.isdisjoint(folded):
        return ()
    borders = {match.end for match in (find_dates(text) if dates is None else dates)}
    found: list[TimeMatch] = []
    for pattern in (_TIME, _TIME_CJK):
        for match in pattern.finditer(folded):
            half = match[4] if pattern is _TIME else None
            if value := _clock(match[1], match[2], match[3], half):
                found.append(TimeMatch(match.start(), match.end(), value))
    for border in borders:
        glued = _TIME.match(folded[border : border + _LONGEST_TIME])
        if glued and (value := _clock(glued[1], glued[2], glued[3], glued[4])):
            end = border + glued.end()
            found = [t for t in found if t.end <= border or end <= t.start]
            found.append(TimeMatch(border, end, value))
    return tuple(sorted(found, key=lambda time: time.start))


def printed_order(text: str, value: str, *, decided: bool = False) -> DateOrder | None:
    """The order in which `text` prints the day `value` (ISO 8601); None where it shows none.

    Without `decided` only what can be read in one way counts; with it the reading that gives the
    value is known to be the right one.
    """
    orders = {
        reading.order
        for match in find_dates(text)
        if decided or len(match.readings) == 1
        for reading in match.readings
        if reading.value.isoformat() == value
    }
    return orders.pop() if len(orders) == 1 else None


def resolve_order(matches: Iterable[DateMatch], evidence: OrderEvidence) -> DateOrder | None:
    """The order of the document's numeric dates, or None when nothing decides it.

    Decided by, in this order: the caller's hint; dates on the document that only one order can read
    (more than half of them must agree); countries that write dates in one order; the language.
    """
    if evidence.hint:
        return evidence.hint
    votes = Counter(
        match.readings[0].order
        for match in matches
        if len(match.readings) == 1 and match.readings[0].order in (DateOrder.DMY, DateOrder.MDY)
    )
    if votes:
        winner, count = votes.most_common(1)[0]
        if 2 * count > votes.total():
            return winner
    for country in evidence.countries:
        if order := order_of_country(country):
            return order
    return order_of_language(evidence.language) if evidence.language else None


def order_by_sure_days(matches: Iterable[DateMatch]) -> DateOrder | None:
    """The order in which numeric dates mean a day that is also printed so that it needs no order.

    `03/04/2025` beside `2025-04-03` or `3 April 2025` is read day first. None where no date says
    so, or dates say different things.
    """
    found = tuple(matches)
    sure = {
        match.readings[0].value
        for match in found
        if not match.ambiguous and match.readings[0].order in (None, DateOrder.YMD)
    }
    meant = [
        [reading.order for reading in match.readings if reading.value in sure]
        for match in found
        if match.ambiguous
    ]
    orders = {orders[0] for orders in meant if len(orders) == 1}
    return orders.pop() if len(orders) == 1 else None


@cache
def order_of_country(country: str) -> DateOrder | None:
    """The order of numeric dates in a country (ISO 3166), by CLDR; None where two are usual."""
    if country.upper() in {"CA", "PH", "PR", "ZA", "KE"}:  # CLDR lists one, documents show two
        return None
    try:
        return _order_of(Locale.parse(f"und_{country.upper()}"))
    except (UnknownLocaleError, ValueError):
        return None


@cache
def order_of_language(language: str) -> DateOrder | None:
    """The order of a language that has one order wherever it is written; None for English."""
    code = language.split("-", maxsplit=1)[0].split("_", maxsplit=1)[0].lower()
    if code == "en":
        return None
    try:
        return _order_of(Locale.parse(code))
    except (UnknownLocaleError, ValueError):
        return None


def _order_of(locale: Locale) -> DateOrder | None:
    letters = "".join(dict.fromkeys(re.sub(r"[^dMy]", "", locale.date_formats["short"].pattern)))
    return DateOrder(letters.upper()) if letters.upper() in set(DateOrder) else None


def _repair(folded: str) -> str:
    folded = _ZERO_IN_NAME.sub("O", folded)

    def undo(match: re.Match[str]) -> str:
        return match[0].translate(_LETTERS) if sum(map(str.isdigit, match[0])) >= 3 else match[0]

    return _DAMAGED.sub(undo, folded)


def _numeric(text: str) -> Iterator[DateMatch]:
    for match in _CJK.finditer(text):
        yield from _match(match, [(match[1], match[2], match[3], None)])
    for match in _YEAR_FIRST.finditer(text):
        if match[2].strip() == match[4].strip():
            yield from _match(match, [(match[1], match[3], match[5], DateOrder.YMD)])
    for pattern in (_NUMERIC, _NUMERIC_SPACED, _NUMERIC_GLUED):
        yield from _day_month_year(text, pattern)
    for match in _COMPACT.finditer(text):
        digits = match[1]
        year_first: _Parts = (digits[:4], digits[4:6], digits[6:], DateOrder.YMD)
        year_last = _orders(digits[:2], digits[2:4], digits[4:])
        for option in ([year_first], year_last[:1], year_last[1:]):
            if found := list(_match(match, option, end=match.end(1))):
                yield from found
                break


def _day_month_year(text: str, pattern: re.Pattern[str]) -> Iterator[DateMatch]:
    position = 0
    while match := pattern.search(text, position):
        position = match.start() + 1
        if _separators_fit(match):
            position = match.end()
            yield from _match(match, _orders(match[1], match[3], match[5]))


def _separators_fit(match: re.Match[str]) -> bool:
    """Whether both separators are alike, and not part of a longer run."""
    first, second, year = match[2].strip(), match[4].strip(), match[5]
    before = match.string[max(0, match.start() - 2) : match.start()]
    if first == "-" and len(before) == 2 and before[0].isdigit() and before[1] == "-":
        return False
    if first == second:
        return first not in (",", "'") or len(year) == 4
    return len(year) == 4 and "'" not in first


def _orders(first: str, second: str, year: str) -> list[_Parts]:
    options: list[_Parts] = [
        (year, second, first, DateOrder.DMY),
        (year, first, second, DateOrder.MDY),
    ]
    if len(year) == 2 and len(first) == 2:
        options.append((first, second, year, DateOrder.YMD))
    return options


def _on_its_weekday(text: str, match: DateMatch) -> DateMatch:
    """An ambiguous date with only the readings that fall on the weekday printed beside it."""
    if not match.ambiguous:
        return match
    before = _WORD_BEFORE.search(text[max(0, match.start - _WEEKDAY_REACH) : match.start])
    after = _WORD_AFTER.match(text[match.end : match.end + _WEEKDAY_REACH])
    for word in (before, after):
        weekdays = weekdays_of(word[1]) if word else frozenset()
        fitting = tuple(r for r in match.readings if r.value.weekday() in weekdays)
        if fitting:
            return replace(match, readings=fitting)
    return match


def _named(text: str, language: str | None) -> Iterator[DateMatch]:
    for pattern, (y, m, d) in (
        (_DAY_MONTH, (3, 2, 1)),
        (_MONTH_DAY, (3, 1, 2)),
        (_YEAR_MONTH_DAY, (1, 2, 3)),
    ):
        position = 0
        while match := pattern.search(text, position):
            position = match.start() + 1
            month = month_of(match[m], language)
            if month is None:
                continue
            if found := list(_match(match, [(match[y], str(month), match[d], None)])):
                yield from found
                position = match.end()


def _match(
    match: re.Match[str],
    options: list[_Parts],
    end: int | None = None,
) -> Iterator[DateMatch]:
    """One DateMatch of the options that exist in the calendar, if any does."""
    readings: dict[date, DateOrder | None] = {}
    for year, month, day, order in options:
        value = _date(year, month, day)
        if value is None:
            continue
        readings[value] = None if value in readings else order
    if readings:
        found = tuple(DateReading(value, order) for value, order in readings.items())
        yield DateMatch(match.start(), match.end() if end is None else end, found)


def _date(year: str, month: str, day: str) -> date | None:
    number = int(year)
    if len(year) <= 2:
        number += 2000 if number <= LAST_YEAR - 2000 else 1900
    if not FIRST_YEAR <= number <= LAST_YEAR:
        return None
    try:
        return date(number, int(month), int(day))
    except ValueError:
        return None


def _clock(hour: str, minute: str, second: str | None, half: str | None) -> str | None:
    """HH:MM[:SS] in 24 hours, or None for what no clock shows."""
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if half and 1 <= hours <= 12:
        hours = hours % 12 + (12 if half.lower() == "p" else 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    clock = f"{hours:02}:{minutes:02}"
    return f"{clock}:{seconds:02}" if second else clock
