"""What is printed on the pages, by kind of value: where a model's value may have come from."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache

from lib.domain.document import Page, Word
from lib.domain.geometry import BoundingBox, around
from lib.values.amounts import AmountMatch, find_amounts
from lib.values.currencies import candidates, possible_symbols
from lib.values.dates import DateMatch, TimeMatch, find_dates, find_times
from lib.values.text import fold_ocr, fold_width

_SHORT_CODE = 3  # letters and digits
_CHARACTERS = 1024  # whose folded forms are kept: more than a page of any script has
_APART = frozenset(":;#()[]|*")  # may touch a code without being a part of it
Fold = Callable[[str], str]
"""Makes one character comparable, or nothing of it."""

_NOT_CODE = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Place:
    """Words on one page that print a value.

    `fit` in 0..1: 1 where the words say exactly the value, less where letters differ. `raw` is the
    text as printed.
    """

    page: int
    words: tuple[Word, ...]
    raw: str
    fit: float = 1.0

    @cached_property
    def top(self) -> float:
        """Where it begins on its page, 0 at the top."""
        return min(word.polygon.y0 for word in self.words)

    @cached_property
    def bottom(self) -> float:
        """Where it ends on its page, 1 at the bottom."""
        return max(word.polygon.y1 for word in self.words)

    @cached_property
    def middle(self) -> float:
        """Height of the place on its page, 0 at the top."""
        return (self.top + self.bottom) / 2

    @cached_property
    def word_ids(self) -> frozenset[int]:
        """Its words, each by its `id`: a word of the same text elsewhere is another."""
        return frozenset(map(id, self.words))


@dataclass(frozen=True, eq=False)
class PrintedLine:
    """A line's words and its text, in the forms in which values are looked for.

    `index` counts the lines of all pages in reading order.
    """

    index: int
    page: int
    words: tuple[Word, ...]
    text: str

    @cached_property
    def tokens(self) -> tuple[tuple[str, ...], ...]:
        """Per word its parts for comparing: look-alike characters made one, no punctuation."""
        return tuple(tuple(fold_ocr(word.text).split()) for word in self.words)

    @cached_property
    def boxes(self) -> tuple[BoundingBox, ...]:
        """Per word where it stands on its page."""
        return tuple(word.polygon.box for word in self.words)

    @cached_property
    def box(self) -> BoundingBox:
        """The box around all of its words."""
        return around(self.boxes)

    def place(self, start: int, end: int, fit: float = 1.0) -> Place:
        """The words that text[start:end] touches, and exactly that text as printed."""
        found: list[Word] = []
        at = 0
        for word in self.words:
            if at < end and at + len(word.text) > start:
                found.append(word)
            at += len(word.text) + 1
        return Place(self.page, tuple(found), self.text[start:end].strip(), fit)


@dataclass(frozen=True, slots=True)
class _Compact:
    """What a fold makes of all lines, each on a line, and where each of them starts."""

    text: str
    starts: tuple[int, ...]

    @staticmethod
    def of(lines: Iterable[PrintedLine], fold: Fold) -> _Compact:
        parts: list[str] = []
        starts: list[int] = []
        at = 0
        for line in lines:
            parts.append("".join(map(fold, line.text)))
            starts.append(at)
            at += len(parts[-1]) + 1
        return _Compact("\n".join(parts), tuple(starts))

    def find(self, wanted: str) -> Iterator[tuple[int, int]]:
        """Where `wanted` stands: the line's index, and the place in what the fold makes of it."""
        start = self.text.find(wanted)
        while start >= 0:
            line = bisect_right(self.starts, start) - 1
            yield line, start - self.starts[line]
            start = self.text.find(wanted, start + 1)


class Printed:
    """An index over the pages' lines; each kind of value is looked for once, when first asked."""

    def __init__(self, pages: Sequence[Page], language: str | None) -> None:
        self.pages = tuple(pages)
        self.language = language
        self.found: dict[tuple[object, str], tuple[Place, ...]] = {}
        """What was looked for, by how and what, and where it was found: rows ask for it again."""
        self._compacts: dict[Fold, _Compact] = {}

    @cached_property
    def lines(self) -> tuple[PrintedLine, ...]:
        """Every line in reading order."""
        lines = ((page, line) for page in self.pages for line in page.lines if line.words)
        return tuple(
            PrintedLine(index, page.number, line.words, line.text)
            for index, (page, line) in enumerate(lines)
        )

    @cached_property
    def tokens(self) -> dict[str, list[int]]:
        """Every token of the lines, and the indices of the lines that it stands in."""
        found: dict[str, list[int]] = {}
        for line in self.lines:
            for token in {token for word in line.tokens for token in word}:
                found.setdefault(token, []).append(line.index)
        return found

    def lines_with(self, tokens: Iterable[str]) -> tuple[PrintedLine, ...]:
        """The lines with any of these tokens, in reading order."""
        indices = {index for token in tokens for index in self.tokens[token]}
        return tuple(self.lines[index] for index in sorted(indices))

    @cached_property
    def line_height(self) -> float:
        """The median height of a word, as a share of its page's height."""
        heights = sorted(
            word.polygon.y1 - word.polygon.y0 for line in self.lines for word in line.words
        )
        return heights[len(heights) // 2] if heights else 0.02

    @cached_property
    def amounts(self) -> tuple[tuple[PrintedLine, AmountMatch], ...]:
        """Every number that may be an amount, a quantity or a rate."""
        return tuple((line, m) for line in self.lines for m in find_amounts(line.text))

    @cached_property
    def _amounts_by_size(self) -> dict[Decimal, list[int]]:
        """Per value without its sign the places in `amounts` of what it may be a reading of."""
        found: dict[Decimal, list[int]] = {}
        for index, (_, match) in enumerate(self.amounts):
            for reading in match.readings:
                found.setdefault(abs(reading), []).append(index)
        return found

    def amounts_of(self, sizes: Set[Decimal]) -> Iterator[tuple[PrintedLine, AmountMatch]]:
        """The amounts of which any reading has one of these sizes, in reading order."""
        for index in sorted({i for size in sizes for i in self._amounts_by_size.get(size, ())}):
            yield self.amounts[index]

    @cached_property
    def dates(self) -> tuple[tuple[PrintedLine, DateMatch], ...]:
        """Every date."""
        return tuple((line, m) for line in self.lines for m in find_dates(line.text, self.language))

    @cached_property
    def times(self) -> tuple[tuple[PrintedLine, TimeMatch], ...]:
        """Every time of day."""
        return tuple((line, m) for line in self.lines for m in find_times(line.text))

    @cached_property
    def _currencies(self) -> tuple[tuple[frozenset[str], Place], ...]:
        """Every sign and code that may mean a currency, with all that it may mean."""
        return tuple(
            (frozenset(meant), Place(line.page, (word,), symbol))
            for line in self.lines
            for word in line.words
            for symbol in possible_symbols(word.text)
            if (meant := candidates(symbol))
        )

    def currencies(self, codes: Set[str]) -> Iterator[Place]:
        """Printed signs and codes that may mean one of these currencies (ISO 4217)."""
        return (place for meant, place in self._currencies if not codes.isdisjoint(meant))

    def codes(self, text: str, fold: Fold) -> Iterator[Place]:
        """Places of a code of letters and digits, whatever spaces and punctuation stand in it.

        A code must not be cut out of a longer run of the same sort of character, a short one not
        out of anything: 17 is no part of 17.03.2026.
        """
        wanted = "".join(map(fold, text))
        if not wanted:
            return
        if fold not in self._compacts:
            self._compacts[fold] = _Compact.of(self.lines, fold)
        for index, at in self._compacts[fold].find(wanted):
            line = self.lines[index]
            origin = [place for place, c in enumerate(line.text) for _ in fold(c)]
            first, last = origin[at], origin[at + len(wanted) - 1]
            if _stands_alone(line.text, first, last, is_short=len(wanted) <= _SHORT_CODE):
                yield line.place(first, last + 1)


@lru_cache(_CHARACTERS)
def exact_code(character: str) -> str:
    """A character of a code for comparing: letters without case, digits; punctuation is nothing."""
    return _NOT_CODE.sub("", fold_width(character).casefold())


@lru_cache(_CHARACTERS)
def similar_code(character: str) -> str:
    """The same with characters that recognisers confuse made one."""
    return _NOT_CODE.sub("", fold_ocr(character))


@lru_cache(_CHARACTERS)
def digits_only(character: str) -> str:
    """The same for numbers whose letters and signs do not matter, such as phone numbers."""
    folded = fold_width(character)
    return folded if folded.isascii() and folded.isdigit() else ""


def _stands_alone(text: str, first: int, last: int, *, is_short: bool) -> bool:
    back = text[::-1]
    return _begins(text, first, is_short) and _begins(back, len(text) - 1 - last, is_short)


def _begins(text: str, index: int, is_short: bool) -> bool:
    """Whether nothing of the same sort of character stands before; of a short code nothing joined.

    Given the text backwards: whether it ends there.
    """
    if index == 0:
        return True
    here, before = text[index], text[index - 1]
    if is_short:
        return before.isspace() or before in _APART
    return not ((here.isdigit() and before.isdigit()) or (here.isalpha() and before.isalpha()))
