"""Article codes of a receipt's items on the row of their price or before the description."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lib.kie.layout import Row, Span

# An optional count before it: "1 78327 Satay", "2X K-85203 Bread".
_LEADING = re.compile(
    r"^\W{0,2}(?:(?P<count>\d{1,3})(?:\s?[xX])?\s+)?"
    r"(?P<code>(?=[\w-]*\d{3})(?:[A-Z]{1,3}-|[A-Z]{0,3})\d[\dA-Z\-]{2,17})(?=\s|$)"
)
_LONG_CODE = re.compile(r"(?<![\w.,])\d{6,14}(?![\w.,])")
_SURE_LENGTH = 5  # "500 ml" and "S40 bulb" hold no codes unless most items begin so
_SURE_DIGITS = 4
_MEASURE = re.compile(r"\d{1,4}(?:[A-Z]{2,4}|[GLM])")  # "350PCS", "1000ML"


@dataclass(frozen=True, slots=True)
class LeadingCode:
    """A code, the count before it if there is one, and the text behind it."""

    code: Span
    count: Span | None
    rest: Span


def leading_codes(texts: Sequence[Span | None]) -> list[LeadingCode | None]:
    """The code of each item's text, or None.

    A long number is one wherever it stands; a short one where most items begin with a code.
    """
    found = [_leading_code(text) if text is not None else None for text in texts]
    column = sum(code is not None for code in found)
    if column >= 2 and 2 * column >= len(found):
        return found
    return [code if code and _is_sure(code) else None for code in found]


def long_code(row: Row) -> Span | None:
    """A long number that stands alone anywhere in the row, as bar codes are printed."""
    for cell in row.cells:
        if match := _LONG_CODE.search(cell.text):
            return Span(cell, match.start(), match.end())
    return None


def _leading_code(text: Span) -> LeadingCode | None:
    match = _LEADING.match(text.text)
    if match is None or _MEASURE.fullmatch(match["code"]):
        return None

    def part(start: int, end: int) -> Span:
        return Span(text.cell, text.start + start, text.start + end)

    return LeadingCode(
        part(*match.span("code")),
        part(*match.span("count")) if match["count"] else None,
        part(match.end(), len(text.text)).stripped(),
    )


def _is_sure(code: LeadingCode) -> bool:
    text = code.code.text
    return len(text) >= _SURE_LENGTH or sum(map(str.isdigit, text)) >= _SURE_DIGITS
