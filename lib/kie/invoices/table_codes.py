"""Product codes that stand in the description: before it, below it, in brackets, behind a label.

Decided for the whole table, never for one line: where most descriptions have a token of that shape
in the same place it is the code, and a single one is only believed with a label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lib.kie.invoices.table_descriptions import Item
from lib.kie.layout import Span
from lib.kie.mentions import Mentions

_TOKEN = r"(?=[\w./\-]*\d)(?:\d{4,14}|(?=[\w./\-]*\d{2})[\w./\-]{4,20})"  # noqa: S105 - a pattern
_LEADING = re.compile(rf"^({_TOKEN})\s*[:\-–]?\s+(?=[^\W\d])")
_WHOLE = re.compile(rf"^({_TOKEN})$")
_BRACKETED = re.compile(rf"\s*[(\[]({_TOKEN})[)\]]$")
_BEHIND_LABEL = re.compile(rf"^[\s:.#№°º]*({_TOKEN})$")
_SIZE = re.compile(r"\d[.,]?\d*\s?(?:mm|cm|m|km|g|kg|mg|ml|cl|l|w|kw|v|ah|x\d+.*)$", re.IGNORECASE)
_STRONG = re.compile(r"^(?:\d{5,14}|(?=.*[A-Z])(?=(?:.*\d){3})[A-Z\d][A-Z\d./\-]{4,})$")
_MOSTLY = 0.6
_FEWEST = 2  # lines whose codes have no label; a single one must be unmistakable

Found = tuple[Span, list[Span]]
"""A code, and what is left of the description without it."""


def codes_of(items: Sequence[Item], mentions: Mentions) -> list[Found | None]:
    """For each item its code and the rest of its description; None where it has none.

    The place is that which most items have; all None when no place has enough.
    """
    spans = [[piece.span for piece in item.description] for item in items]
    described = sum(bool(lines) for lines in spans)
    places: list[tuple[Callable[[list[Span]], Found | None], int]] = [
        (lambda lines: _labelled(lines, mentions), 1),
        (lambda lines: _below(lines, mentions), _FEWEST),
        (lambda lines: _before(lines, mentions), _FEWEST),
        (lambda lines: _bracketed(lines, mentions), _FEWEST),
    ]
    for find, fewest in places:
        found = [find(lines) if lines else None for lines in spans]
        codes = [hit[0].text for hit in found if hit]
        texts = {" ".join(span.text for span in hit[1]) for hit in found if hit}
        enough = len(codes) >= fewest or (described == 1 and any(map(_STRONG.match, codes)))
        if (
            enough
            and len(codes) >= _MOSTLY * described
            and (len(set(codes)) > 1 or len(texts) == 1)
        ):
            return found
    return [None] * len(items)


def _is_code(span: Span, mentions: Mentions) -> bool:
    """Whether a token of a code's shape is no date, no amount of money, and no size."""
    if _SIZE.fullmatch(span.text):
        return False
    touching = [
        *(date.span for date in mentions.dates(span.cell)),
        *(a.span for a in mentions.amounts(span.cell) if a.match.decimals or a.match.symbol),
    ]
    return not any(t.start < span.end and span.start < t.end for t in touching)


def _cut(line: Span, match: re.Match[str], mentions: Mentions) -> Span | None:
    code = Span(line.cell, line.start + match.start(1), line.start + match.end(1))
    return code if _is_code(code, mentions) else None


def _labelled(lines: list[Span], mentions: Mentions) -> Found | None:
    """A line "Item no.: 4711", or a description that ends so."""
    for index, line in enumerate(lines):
        for mention in mentions.labels(line.cell):
            if "product_code" not in mention.match.columns or mention.span.start < line.start:
                continue
            behind = Span(line.cell, mention.span.end, line.end)
            match = _BEHIND_LABEL.match(behind.text)
            code = _cut(behind, match, mentions) if match else None
            if code:
                before = Span(line.cell, line.start, mention.span.start).stripped(" \t:;,-–([")
                kept = [before] if before.text else []
                return code, [*lines[:index], *kept, *lines[index + 1 :]]
    return None


def _below(lines: list[Span], mentions: Mentions) -> Found | None:
    """A line of its own, the last or the one below the first."""
    for index in dict.fromkeys((len(lines) - 1, 1, 0)):
        if len(lines) > 1 and index < len(lines) and (match := _WHOLE.match(lines[index].text)):
            code = _cut(lines[index], match, mentions)
            if code:
                return code, [*lines[:index], *lines[index + 1 :]]
    return None


def _before(lines: list[Span], mentions: Mentions) -> Found | None:
    match = _LEADING.match(lines[0].text)
    code = _cut(lines[0], match, mentions) if match else None
    if not match or code is None:
        return None
    first = lines[0]
    return code, [Span(first.cell, first.start + match.end(), first.end), *lines[1:]]


def _bracketed(lines: list[Span], mentions: Mentions) -> Found | None:
    match = _BRACKETED.search(lines[-1].text)
    code = _cut(lines[-1], match, mentions) if match else None
    if not match or code is None:
        return None
    last = lines[-1]
    rest = Span(last.cell, last.start, last.start + match.start())
    return code, [*lines[:-1], *([rest] if rest.text.strip() else [])]
