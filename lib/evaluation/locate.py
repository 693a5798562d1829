"""Where a true value stands on the pages that were read, so that a mistake can be looked at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from rapidfuzz.fuzz import partial_ratio_alignment

from lib.domain.document import Page, Word
from lib.domain.geometry import bounding_polygon
from lib.domain.task import FieldType
from lib.evaluation.compare import decimal_value
from lib.evaluation.evaluate import Place
from lib.values.amounts import find_amounts
from lib.values.dates import find_dates

_ALIKE = 80.0  # of 100: most letters are there, so this is the place, misread
_SHORTEST_FUZZY = 6  # letters; shorter ones resemble too much


def locate(truth: object, field_type: FieldType, pages: Sequence[Page]) -> Place | None:
    """The first place where the truth is printed as far as the reader's words show it, else None.

    Amounts and dates by value, in any notation; text by its letters and digits, across words and
    lines, exactly or nearly (a misread name is where most of its letters are).
    """
    for page in pages:
        words = _words(truth, field_type, page)
        if words:
            return Place(page.number, bounding_polygon(word.polygon for word in words))
    return None


def _words(truth: object, field_type: FieldType, page: Page) -> Sequence[Word]:
    match field_type:
        case FieldType.MONEY | FieldType.NUMBER | FieldType.PERCENT:
            return next(_with_amount(truth, page), ())
        case FieldType.DATE:
            return next(_with_date(truth, page), ())
        case _:
            return _with_text(str(truth), page)


def _with_amount(truth: object, page: Page) -> Iterator[Sequence[Word]]:
    wanted = decimal_value(truth)
    for line in page.lines:
        for match in find_amounts(line.text):
            if wanted is not None and any(
                abs(reading) == abs(wanted) for reading in match.readings
            ):
                yield _between(line.words, match.start, match.end)


def _with_date(truth: object, page: Page) -> Iterator[Sequence[Word]]:
    for line in page.lines:
        for match in find_dates(line.text):
            if any(reading.value.isoformat() == truth for reading in match.readings):
                yield _between(line.words, match.start, match.end)


def _between(words: Sequence[Word], start: int, end: int) -> Sequence[Word]:
    """The words of a line that hold characters start..end of its text."""
    ends = list(accumulate(len(word.text) + 1 for word in words))
    return words[bisect_right(ends, start) : bisect_right(ends, end - 1) + 1]


def _with_text(truth: str, page: Page) -> Sequence[Word]:
    wanted = _kept(truth)
    letters = [_kept(word.text) for word in page.words]
    text = "".join(letters)
    if not wanted or not text:
        return ()
    start = text.find(wanted)
    end = start + len(wanted)
    if start < 0:
        if len(wanted) < _SHORTEST_FUZZY or len(text) < len(wanted):
            return ()
        alike = partial_ratio_alignment(wanted, text, score_cutoff=_ALIKE)
        if alike is None:
            return ()
        start, end = alike.dest_start, alike.dest_end
    ends = list(accumulate(map(len, letters)))
    first, last = bisect_right(ends, start), bisect_right(ends, end - 1)
    return page.words[first : last + 1]


def _kept(text: str) -> str:
    return "".join(letter for letter in text.upper() if letter.isalnum())
