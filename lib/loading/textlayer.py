"""From a PDF page's characters to words and lines: geometry only, no PDF library."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from lib.domain.document import Line, Word
from lib.domain.geometry import Polygon

# Shares of the character height (ascent to descent, about 1.15 of the font size).
WORD_GAP = 0.45
BASELINE_SHIFT = 0.25
# A gap of 1.6 font sizes is no word space, justified text included: a column ends there. Where the
# words were placed one by one, without a space between them, 1.15 font sizes are enough.
COLUMN_GAP = 1.4
PLACED_GAP = 1.0

SOFT_HYPHENS = frozenset({0x02, 0xAD})
"""U+00AD, and the U+0002 that pdfium gives for a hyphen at the end of a line."""

_REPLACEMENT = "\ufffd"
_LINE_ENDS = frozenset({0x0A, 0x0D})
# Points: what is thinner is compared as if it were as high.
_LEAST_HEIGHT = 0.1


class Glyph(NamedTuple):
    """A character and its box in PDF user space (points, y upwards): left, bottom, right, top.

    A space that is not in the file, but follows from its neighbours' distance, is a line feed.
    """

    code: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Run:
    """A word in PDF user space.

    `first` is the index of its first glyph. `quadrant` is its writing direction in quarter turns
    counter-clockwise: 0 to the right, 1 upwards, 2 to the left (upside down), 3 downwards.
    `spaced` says whether the file has a space between the word before and this one.
    """

    text: str
    first: int
    quadrant: int
    spaced: bool
    box: tuple[float, float, float, float]


class PlacedWord(NamedTuple):
    """A word as the page is seen: points from the top left, y downwards; the baseline included.

    `order` is its number in content order, `spaced` as in `Run`.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    upright: bool
    spaced: bool
    order: int


@lru_cache(maxsize=1024)
def is_unmapped(code: int) -> bool:
    """Whether a character stands for a glyph that has no Unicode value."""
    if code in SOFT_HYPHENS:
        return False
    return (
        code < 0x20
        or 0x7F <= code < 0xA0
        or 0xD800 <= code <= 0xF8FF
        or 0xFFF0 <= code <= 0xFFFF
        or code >= 0xF0000
    )


@lru_cache(maxsize=1024)
def is_space(code: int) -> bool:
    """Whether a character separates words (line ends, zero-width space and byte order mark too)."""
    return chr(code).isspace() or code in {0x200B, 0xFEFF}


@lru_cache(maxsize=1024)
def character(code: int) -> str:
    """The text of one character: ligatures spelled out, hyphens printed, unmapped ones U+FFFD."""
    if code in SOFT_HYPHENS:
        return "-"
    if is_unmapped(code):
        return _REPLACEMENT
    if 0xFB00 <= code <= 0xFB06:
        return unicodedata.normalize("NFKC", chr(code))
    return chr(code)


def runs(glyphs: Sequence[Glyph], quadrant_of: Callable[[int], int]) -> list[Run]:
    """Characters in content order to words.

    A word ends at white space, at a gap, at a jump backwards and at a change of baseline.
    `quadrant_of(index)` is asked once for each word, at its first glyph.
    """
    found: list[Run] = []
    word: list[Glyph] = []
    first, quadrant, spaced = 0, 0, False
    for index, glyph in enumerate(glyphs):
        space = is_space(glyph.code)
        if word and (space or _breaks(word[-1], glyph, quadrant)):
            found.append(_run(word, first, quadrant, spaced=spaced))
            word, spaced = [], False
        if space:
            spaced = spaced or glyph.code not in _LINE_ENDS
            continue
        if not word:
            first, quadrant = index, quadrant_of(index)
        word.append(glyph)
    if word:
        found.append(_run(word, first, quadrant, spaced=spaced))
    return found


def _breaks(before: Glyph, after: Glyph, quadrant: int) -> bool:
    if quadrant == 0:
        _, start_a, low_a, end_a, high_a = before
        _, start_b, low_b, end_b, high_b = after
    else:
        start_a, end_a, low_a, high_a = _along(before, quadrant)
        start_b, end_b, low_b, high_b = _along(after, quadrant)
    height = max(min(high_a - low_a, high_b - low_b), _LEAST_HEIGHT)
    if abs((low_a + high_a) - (low_b + high_b)) > height:
        return True
    gap = start_b - end_a
    backwards = start_b < start_a - 0.1 * height and end_b < end_a
    return gap > WORD_GAP * height or backwards


def _along(glyph: Glyph, quadrant: int) -> tuple[float, float, float, float]:
    """Start and end along a writing direction that is turned, then the extent across it."""
    if quadrant == 1:
        return glyph.y0, glyph.y1, glyph.x0, glyph.x1
    if quadrant == 2:
        return -glyph.x1, -glyph.x0, glyph.y0, glyph.y1
    return -glyph.y1, -glyph.y0, glyph.x0, glyph.x1


def _run(word: Sequence[Glyph], first: int, quadrant: int, *, spaced: bool) -> Run:
    codes, x0, y0, x1, y1 = zip(*word, strict=True)
    return Run(
        text="".join(map(character, codes)),
        first=first,
        quadrant=quadrant,
        spaced=spaced,
        box=(min(x0), min(y0), max(x1), max(y1)),
    )


def lines(words: Iterable[PlacedWord], width: float, height: float) -> tuple[Line, ...]:
    """Words to lines in reading order: rows from the top, in a row from the left.

    `width` and `height` are the page's, in points; words off the page are left out. Words that do
    not stand upright become a line for each run of them, after the upright ones. A word drawn twice
    on one place (imitated bold, a form field and its appearance) counts once.
    """
    upright: list[PlacedWord] = []
    turned: list[list[PlacedWord]] = []
    seen: set[tuple[str, int, int]] = set()
    after_upright = True
    for word in words:
        key = (word.text, round(word.x0 / 2), round(word.baseline / 2))
        if key in seen or not _is_on_page(word, width, height):
            continue
        seen.add(key)
        if word.upright:
            upright.append(word)
        elif after_upright:
            turned.append([word])
        else:
            turned[-1].append(word)
        after_upright = word.upright
    grouped = [part for row in _rows(upright) for part in _split_at_columns(row)]
    return tuple(
        Line(tuple(_to_word(word, width, height) for word in group)) for group in grouped + turned
    )


def _is_on_page(word: PlacedWord, width: float, height: float) -> bool:
    """Whether a word's middle lies on the page."""
    return 0 <= word.x0 + word.x1 <= 2 * width and 0 <= word.y0 + word.y1 <= 2 * height


def _rows(words: list[PlacedWord]) -> list[list[PlacedWord]]:
    """Words that share a baseline, top to bottom."""
    rows: list[list[PlacedWord]] = []
    for word in sorted(words, key=lambda word: word.baseline):
        if rows and _same_row(rows[-1][0], word):
            rows[-1].append(word)
        else:
            rows.append([word])
    return rows


def _same_row(first: PlacedWord, word: PlacedWord) -> bool:
    height = min(first.y1 - first.y0, word.y1 - word.y0)
    return word.baseline - first.baseline <= BASELINE_SHIFT * height


def _split_at_columns(row: list[PlacedWord]) -> list[list[PlacedWord]]:
    """A row's words from the left, cut where a gap is too wide for a word space."""
    parts: list[list[PlacedWord]] = []
    for word in sorted(row, key=lambda word: word.x0):
        if parts and _continues(parts[-1][-1], word):
            parts[-1].append(word)
        else:
            parts.append([word])
    return parts


def _continues(before: PlacedWord, word: PlacedWord) -> bool:
    """Whether two neighbours of a row belong together; the larger of them sets the scale."""
    size = max(before.y1 - before.y0, word.y1 - word.y0)
    spaced = word.spaced and word.order == before.order + 1
    return word.x0 - before.x1 <= (COLUMN_GAP if spaced else PLACED_GAP) * size


def _to_word(word: PlacedWord, width: float, height: float) -> Word:
    box = (word.x0 / width, word.y0 / height, word.x1 / width, word.y1 / height)
    return Word(word.text, Polygon.from_box(*box))
