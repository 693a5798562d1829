"""Finds what a model said among the words of the pages: what is not printed is no answer.

Amounts, dates and times are found by value, codes character by character, text by alignment. The
words that are found give page, place and raw text; where letters differ, what the model read is
kept beside them, because it saw the picture and the recogniser may have slipped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from lib.domain.document import Word
from lib.domain.task import FieldType
from lib.kie.models.printed import (
    Place,
    Printed,
    digits_only,
    exact_code,
    similar_code,
)
from lib.kie.models.printed_text import find_text
from lib.values.amounts import find_amounts, parse_amount
from lib.values.currencies import candidates
from lib.values.dates import find_dates, find_times

_MOST_PLACES = 24
_SIMILAR_FIT = 0.9  # of a code that only fits when look-alike characters are taken for each other
_FEWEST_DIGITS = 5  # of a phone number: fewer are found anywhere
_FEWEST_LETTERS = 4  # of a text that is looked for without its blanks
_LATE = frozenset({FieldType.MONEY})  # a sum is printed again below its parts: the last is the sum


def places_of(printed: Printed, kind: FieldType, text: str) -> tuple[Place, ...]:
    """Every place that prints a value of a type, best fit first."""
    finder = _FINDERS.get(kind, _text)
    if (finder, text) not in printed.found:
        found = (place for place in finder(printed, text) if place.words)
        places = sorted(islice(found, _MOST_PLACES), key=lambda place: -place.fit)
        printed.found[finder, text] = tuple(places)
    return printed.found[finder, text]


def best_place(
    places: Iterable[Place], kind: FieldType, likely: Iterable[Word] = ()
) -> Place | None:
    """The place that is meant: printed where something else looked too, else the best fit.

    `likely` are words that labels or layout have already connected with the field. Of equal ones
    the last amount and the first of everything else.
    """
    known = {id(word) for word in likely}
    ranked = list(places)
    if kind in _LATE:
        ranked.reverse()
    return max(
        ranked,
        key=lambda place: (not known.isdisjoint(place.word_ids), place.fit),
        default=None,
    )


def reading_of(place: Place, kind: FieldType, text: str) -> str:
    """What the model read in the words, where that is more than how they are written; else "".

    A number, date or code is what is printed. Of free text the model's letters and blanks count
    where they differ from the recogniser's; case and punctuation alone are as printed. An address
    stands on several lines, and only the model has it on one.
    """
    if kind in _BY_VALUE:
        return ""
    if kind is FieldType.ADDRESS:
        return text
    fold = _code_letters if kind in _FINDERS else _letters
    return "" if fold(place.raw) == fold(text) else text


def _code_letters(text: str) -> str:
    return "".join(map(exact_code, text))


def _letters(text: str) -> str:
    plain = "".join(
        c if c.isalnum() or c.isspace() else ""
        for c in unicodedata.normalize("NFKC", text).casefold()
    )
    return " ".join(plain.split())


def _money(printed: Printed, text: str) -> Iterator[Place]:
    """Amounts of the same value, whatever the sign: minus signs are printed in many ways."""
    said = parse_amount(text) or next(iter(find_amounts(text)), None)
    if said is None:
        return
    wanted = {abs(reading) for reading in said.readings}
    for line, match in printed.amounts_of(wanted):
        if not match.percent:
            place = line.place(match.start, match.end)
            yield _fit(place, 1.0 if match.value in wanted or not match.ambiguous else 0.95)


def _percent(printed: Printed, text: str) -> Iterator[Place]:
    said = next(iter(find_amounts(text)), None)
    if said is None:
        return
    for line, match in printed.amounts_of({abs(reading) for reading in said.readings}):
        if set(said.readings) & set(match.readings):
            yield _fit(line.place(match.start, match.end), 1.0 if match.percent else 0.85)


def _date(printed: Printed, text: str) -> Iterator[Place]:
    said = find_dates(text, printed.language)
    wanted = {reading.value for match in said[:1] for reading in match.readings}
    for line, match in printed.dates:
        if wanted & {reading.value for reading in match.readings}:
            yield line.place(match.start, match.end)


def _time(printed: Printed, text: str) -> Iterator[Place]:
    said = next(iter(find_times(text)), None)
    if said is None:
        return
    for line, match in printed.times:
        if match.value == said.value:
            yield line.place(match.start, match.end)
        elif match.value[:5] == said.value[:5]:
            yield _fit(line.place(match.start, match.end), 0.9)


def _currency(printed: Printed, text: str) -> Iterator[Place]:
    """Said as a code or as the printed sign, which may mean several; on the page either."""
    return printed.currencies(frozenset(candidates(text)))


def _code(printed: Printed, text: str) -> Iterator[Place]:
    exact = list(printed.codes(text, exact_code))
    yield from exact
    if not exact:
        for place in printed.codes(text, similar_code):
            yield _fit(place, _SIMILAR_FIT)


def _phone(printed: Printed, text: str) -> Iterator[Place]:
    digits = "".join(map(digits_only, text))
    if len(digits) >= _FEWEST_DIGITS:
        yield from printed.codes(text, digits_only)


def _text(printed: Printed, text: str) -> Iterator[Place]:
    """Aligned by tokens; else letter by letter, where blanks were lost or put in."""
    found = list(find_text(printed, text))
    yield from found
    if not found and sum(map(str.isalnum, text)) >= _FEWEST_LETTERS:
        for place in printed.codes(text, similar_code):
            yield _fit(place, _SIMILAR_FIT)


def _fit(place: Place, fit: float) -> Place:
    return Place(place.page, place.words, place.raw, fit)


_FINDERS: Mapping[FieldType, Callable[[Printed, str], Iterator[Place]]] = {
    FieldType.MONEY: _money,
    FieldType.NUMBER: _money,
    FieldType.PERCENT: _percent,
    FieldType.DATE: _date,
    FieldType.TIME: _time,
    FieldType.CURRENCY: _currency,
    FieldType.PHONE: _phone,
    FieldType.EMAIL: _code,
    FieldType.URL: _code,
    FieldType.TAX_ID: _code,
    FieldType.IBAN: _code,
    FieldType.BIC: _code,
    FieldType.IDENTIFIER: _code,
}
_BY_VALUE = frozenset(
    {
        FieldType.MONEY,
        FieldType.NUMBER,
        FieldType.PERCENT,
        FieldType.DATE,
        FieldType.TIME,
        FieldType.CURRENCY,
        FieldType.PHONE,
    }
)
