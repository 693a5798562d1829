"""Digits and separators to numbers: grouping, the decimal mark, and what recognisers do to both."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal

Spans = tuple[tuple[int, int], ...]

_MAX_DIGITS = 15  # beyond: no amount of money on a receipt or an invoice
_MAX_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Numeral:
    """Digits up to text[end], unsigned.

    `readings`: most likely first, two when the separator is ambiguous; `mark`: the decimal mark of
    the last group, "" for none; `separated`: whether there is any separator; `repaired`: whether
    damage was undone.
    """

    end: int
    readings: tuple[Decimal, ...]
    mark: str = ""
    repaired: bool = False
    separated: bool = True

    @property
    def decimals(self) -> int:
        """Decimals of the most likely reading."""
        return places(self.readings[0])


START = re.compile(r"(?<![.,'\d])[.,]?\d")
"""Where a numeral may start."""

_NOT_DIGIT = re.compile(r"\D")
_RUN = re.compile(r"\d+(?:[.,']\d+)*")
_BARE_FRACTION = re.compile(r"[.,]\d{2}(?!\d|[.,]\d)")
_SPACED = re.compile(r"\d{1,3}(?: \d{3}){1,4}(?! \d{3}(?!\d))(?:[.,]\d{1,4})?(?![.,']?\d)")
_SPLIT_MARK = re.compile(r"(\d{1,3}(?:[.,']\d{3})*)(?: ([.,])|([.,]) )(\d{2})(?![.,']?\d)")
# A decimal mark too faint to be read: nothing but a tax code may follow.
_LOST_MARK = re.compile(r"(\d{1,4}) (\d{2})(?= ?[A-Z]{0,2}$)")
_EURO_AS_MARK = re.compile(r"(\d{1,5})€(\d{2})(?!\d)")
_WESTERN = re.compile(r"\d{1,3}(?:([.,'])\d{3})(?:\1\d{3})*")
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}")

# Spaces that are set between digits on purpose, unlike the one between two words.
_GROUPING_SPACE = re.compile("(?<=\\d)[\u00a0\u2007\u2009\u202f](?=\\d{3}(?!\\d))")

# Letters read for digits, only in a token shaped like a price with at least as many digits.
_LETTERS = str.maketrans("OoQIl|SsB", "000111558")
_DOUBTFUL = re.compile(r"[OoQIl|SsB]")
_DOLLAR = re.compile(r"(?<![^\W_])S(?=\d{1,5}(?:[.,]\d\d(?!\d)| \d\d$))")
_DAMAGED = re.compile(
    r"(?:(?<![^\W_])|(?<=RM)|(?<=Rp))(?=[^\s]{0,15}[OoQIl|SsB])[\dOoQIl|SsB]{1,3}"
    r"(?:[.,']?[\dOoQIl|SsB]{3}){0,4}[.,][\dOoQIl|SsB]{2}(?![^\W_])"
)


def places(value: Decimal) -> int:
    """The number of decimals that a value was written with."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def join_groups(text: str) -> str:
    """The text with no-break spaces inside numbers as apostrophes, position by position."""
    return text if text.isascii() else _GROUPING_SPACE.sub("'", text)


def repair(text: str) -> tuple[str, Spans]:
    """The text with letters read for digits undone, place by place, and where that was done."""
    if not _DOUBTFUL.search(text):
        return text, ()
    spans: list[tuple[int, int]] = [(m.start(), m.end() + 1) for m in _DOLLAR.finditer(text)]
    if spans:
        text = _DOLLAR.sub("$", text)

    def undo(match: re.Match[str]) -> str:
        token = match[0]
        digits = sum(map(str.isdigit, token))
        letters = sum(c.isalpha() or c == "|" for c in token)
        if digits < 2 or letters > digits:
            return token
        spans.append(match.span())
        return token.translate(_LETTERS)

    undone = _DAMAGED.sub(undo, text)
    return undone, tuple(sorted(spans))


def touches(spans: Spans, start: int, end: int) -> bool:
    """Whether one of the spans, which are in order, overlaps start..end."""
    index = bisect_left(spans, (end, 0))
    return index > 0 and spans[index - 1][1] > start


def numeral_with_spaces(text: str, start: int, *, sure: bool) -> Numeral | None:
    """A numeral with a space inside that starts at `start`: `1 234,56`, `12 .50`, `1,234. 56`.

    `sure`: a currency or the whole text speaks for its being one number and not two; then a space
    may stand where the decimal mark is.
    """
    if text.find(" ", start) < 0:
        return None
    return (
        _spaced(text, start, sure)
        or _split_mark(text, start, sure)
        or (_lost_mark(text, start) if sure else None)
    )


def numeral(text: str, start: int) -> Numeral | None:
    """A numeral without spaces that starts at `start`, or None for what no locale writes."""
    if fraction := _BARE_FRACTION.match(text, start):
        if start and (text[start - 1].isalnum() or text[start - 1] in ".,'"):
            return None
        return Numeral(fraction.end(), (Decimal("0." + fraction[0][1:]),), fraction[0][0])
    if text[start] in ".,":
        start += 1
    if euro := _EURO_AS_MARK.match(text, start):
        return Numeral(euro.end(), (_number(euro[1], euro[2]),))
    run = _RUN.match(text, start)
    if run is None or sum(map(str.isdigit, run[0])) > _MAX_DIGITS:
        return None
    marks = [c for c in run[0] if not c.isdigit()]
    if not marks:
        return Numeral(run.end(), (Decimal(run[0]),), separated=False)
    if len(marks) == 1:
        return _one_mark(run[0], run.end(), marks[0])
    if len(set(marks)) == 1:
        return _same_marks(run[0], run.end(), marks[0])
    return _different_marks(run[0], run.end(), marks)


def end_of_run(text: str, start: int) -> int:
    """Where the run of digits and separators at `start` ends; at least one character on."""
    run = _RUN.match(text, start)
    return run.end() if run else start + 1


def _one_mark(token: str, end: int, mark: str) -> Numeral | None:
    """`12.50` is clear; `1.234` groups thousands or has three decimals, `0.525` only the latter."""
    whole, _, fraction = token.partition(mark)
    if mark == "'":
        return Numeral(end, (_number(token),)) if _WESTERN.fullmatch(token) else None
    if len(fraction) > _MAX_DECIMALS:
        return None
    if len(fraction) == 3 and len(whole) <= 3 and not whole.startswith("0"):
        return Numeral(end, (_number(token), _number(whole, fraction)), mark)
    return Numeral(end, (_number(whole, fraction),), mark)


def _same_marks(token: str, end: int, mark: str) -> Numeral | None:
    """`1.234.567` and `1,23,456` are grouped; `1.234.56` has its comma misread."""
    if _WESTERN.fullmatch(token) or _INDIAN.fullmatch(token):
        return Numeral(end, (_number(token),))
    whole, _, fraction = token.rpartition(mark)
    if mark != "'" and len(fraction) == 2 and _WESTERN.fullmatch(whole):
        return Numeral(end, (_number(whole, fraction),), mark, repaired=True)
    return None


def _different_marks(token: str, end: int, marks: list[str]) -> Numeral | None:
    """The last mark is the decimal mark, when it stands once and what is before is well grouped."""
    last = marks[-1]
    whole, _, fraction = token.rpartition(last)
    if last == "'" or marks.count(last) > 1 or not 1 <= len(fraction) <= _MAX_DECIMALS:
        return None
    if _WESTERN.fullmatch(whole) or _INDIAN.fullmatch(whole):
        return Numeral(end, (_number(whole, fraction),), last)
    return None


def _spaced(text: str, start: int, sure: bool) -> Numeral | None:
    """Thousands grouped by spaces.

    A quantity may stand before a price (2 100.00), so with a full stop, or without decimals, the
    groups are joined only when that is sure; with a comma they are joined, and the price alone is
    the second reading.
    """
    token = _SPACED.match(text, start)
    if token is None or text[start] == "0":
        return None
    mark = next((c for c in token[0] if c in ".,"), "")
    whole, _, fraction = token[0].partition(mark) if mark else (token[0], "", "")
    joined = _number(whole, fraction)
    if sure:
        return Numeral(token.end(), (joined,), mark)
    if mark != ",":
        return None
    return Numeral(token.end(), (joined, _number(whole.rpartition(" ")[2], fraction)), mark)


def _split_mark(text: str, start: int, sure: bool) -> Numeral | None:
    """A decimal mark that the recogniser set apart, but not a list (`53, 55`)."""
    token = _SPLIT_MARK.match(text, start)
    if token is None:
        return None
    mark = token[2] or token[3]
    grouped = not token[1].isdigit()
    if (grouped and mark in token[1]) or not (token[2] or grouped or sure):
        return None
    return Numeral(token.end(), (_number(token[1], token[4]),), mark, repaired=True)


def _lost_mark(text: str, start: int) -> Numeral | None:
    """`80 91` and `3 61` where money is expected: 80.91 and 3.61."""
    token = _LOST_MARK.match(text, start)
    return Numeral(token.end(), (_number(token[1], token[2]),), repaired=True) if token else None


def is_lost_mark(text: str) -> bool:
    """Whether the whole text is digits, a space and two digits."""
    return bool(_LOST_MARK.fullmatch(text))


def _number(whole: str, fraction: str = "") -> Decimal:
    digits = _NOT_DIGIT.sub("", whole)
    return Decimal(f"{digits}.{fraction}" if fraction else digits)
