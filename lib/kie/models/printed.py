"""What is printed on the pages, by kind of value: where a model's value may have come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache

from lib.domain.document import Page, Word
from lib.values.amounts import AmountMatch, find_amounts
from lib.values.currencies import candidates, find_symbols
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

    @property
    def middle(self) -> float:
        """Height of the place on its page, 0 at the top."""
        return (self.top + self.bottom) / 2

    @cached_property
    def word_ids(self) -> frozenset[int]:
        """Its words, each by its `id`: a word of the same text elsewhere is another."""
        return frozenset(map(id, self.words))


@dataclass(frozen=True, eq=False)
class PrintedLine:
    """A line's words and its text, in the forms in which values are looked for."""

    page: int
    words: tuple[Word, ...]
    text: str

    @cached_property
    def tokens(self) -> tuple[tuple[str, ...], ...]:
        """Per word its parts for comparing: look-alike characters made one, no punctuation."""
        return tuple(tuple(fold_ocr(word.text).split()) for word in self.words)

    @cached_property
    def _compacts(self) -> dict[Fold, tuple[str, tuple[int, ...]]]:
        return {}

    def compact(self, fold: Fold) -> tuple[str, tuple[int, ...]]:
        """What `fold` makes of the text, and where in the text each of its characters stands."""
        if fold not in self._compacts:
            found = [(part, index) for index, c in enumerate(self.text) for part in fold(c)]
            origin = tuple(index for _, index in found)
            self._compacts[fold] = "".join(part for part, _ in found), origin
        return self._compacts[fold]

    def place(self, start: int, end: int, fit: float = 1.0) -> Place:
        """The words that text[start:end] touches, and exactly that text as printed."""
        found: list[Word] = []
        at = 0
        for word in self.words:
            if at < end and at + len(word.text) > start:
                found.append(word)
            at += len(word.text) + 1
        return Place(self.page, tuple(found), self.text[start:end].strip(), fit)


class Printed:
    """An index over the pages' lines; each kind of value is looked for once, when first asked."""

    def __init__(self, pages: Sequence[Page], language: str | None) -> None:
        self.pages = tuple(pages)
        self.language = language

    @cached_property
    def lines(self) -> tuple[PrintedLine, ...]:
        """Every line in reading order."""
        return tuple(
            PrintedLine(page.number, line.words, line.text)
            for page in self.pages
            for line in page.lines
            if line.words
        )

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Every token of the lines once."""
        return tuple({token for line in self.lines for word in line.tokens for token in word})

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
    def dates(self) -> tuple[tuple[PrintedLine, DateMatch], ...]:
        """Every date."""
        return tuple((line, m) for line in self.lines for m in find_dates(line.text, self.language))

    @cached_property
    def times(self) -> tuple[tuple[PrintedLine, TimeMatch], ...]:
        """Every time of day."""
        return tuple((line, m) for line in self.lines for m in find_times(line.text))

    @cached_property
    def _compacts(self) -> dict[Fold, str]:
        return {}

    def _compact(self, fold: Fold) -> str:
        """What `fold` makes of all lines, each on a line."""
        if fold not in self._compacts:
            self._compacts[fold] = "\n".join(line.compact(fold)[0] for line in self.lines)
        return self._compacts[fold]

    def currencies(self, codes: Set[str]) -> Iterator[Place]:
        """Printed signs and codes that may mean one of these currencies (ISO 4217)."""
        for line in self.lines:
            for word in line.words:
                for symbol in dict.fromkeys((*find_symbols(word.text), word.text)):
                    if not codes.isdisjoint(candidates(symbol)):
                        yield Place(line.page, (word,), symbol)

    def codes(self, text: str, fold: Fold) -> Iterator[Place]:
        """Places of a code of letters and digits, whatever spaces and punctuation stand in it.

        A code must not be cut out of a longer run of the same sort of character, a short one not
        out of anything: 17 is no part of 17.03.2026.
        """
        wanted = "".join(map(fold, text))
        if not wanted or wanted not in self._compact(fold):
            return
        for line in self.lines:
            yield from _codes_in(line, wanted, fold)


@lru_cache(_CHARACTERS)
def exact_code(character: str) -> str:
    """A character of a code for comparing: letters without case, digits; punctuation is nothing."""
    return _NOT_CODE.sub("", fold_width(character).casefold())


@lru_cache(_CHARACTERS)
def similar_code(character: str) -> str:
    """The same with characters that recognisers confuse made one."""
    return _NOT_CODE.sub("", fold_ocr(character))


def digits_only(character: str) -> str:
    """The same for numbers whose letters and signs do not matter, such as phone numbers."""
    folded = fold_width(character)
    return folded if folded.isascii() and folded.isdigit() else ""


def _codes_in(line: PrintedLine, wanted: str, fold: Fold) -> Iterator[Place]:
    joined, origin = line.compact(fold)
    start = joined.find(wanted)
    while start >= 0:
        first, last = origin[start], origin[start + len(wanted) - 1]
        is_short = len(wanted) <= _SHORT_CODE
        back = line.text[::-1]
        if _begins(line.text, first, is_short) and _begins(back, len(back) - 1 - last, is_short):
            yield line.place(first, last + 1)
        start = joined.find(wanted, start + 1)


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
