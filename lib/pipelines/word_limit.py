"""How much of a document is interpreted: KIE and post run unwatched, so their work is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lib.domain.document import Line, Page, Word

MOST_WORDS = 30_000
"""Fifty full pages; a longer document is read at both ends, where letterheads and sums stand."""

_LETTERS = 10  # a word counts once for each ten letters begun: length costs time as well


def within_limit(
    pages: Sequence[Page], most: int = MOST_WORDS
) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """The pages with at most `most` words, and the warning `too_many_words` where some were cut.

    The first and the last words of the document are kept, half of the limit each; pages stay, with
    fewer lines or none.
    """
    total = sum(_weight(word) for page in pages for word in page.words)
    if total <= most:
        return tuple(pages), ()
    kept_pages: list[Page] = []
    before = 0
    for page in pages:
        lines: list[Line] = []
        for line in page.lines:
            kept: list[Word] = []
            for word in line.words:
                after = total - before
                before += _weight(word)
                if before <= most // 2 or after <= most // 2:
                    kept.append(word)
            if kept:
                lines.append(Line(tuple(kept)))
        kept_pages.append(replace(page, lines=tuple(lines)))
    warning = f"too_many_words: only the first and last {most // 2} words were interpreted"
    return tuple(kept_pages), (warning,)


def _weight(word: Word) -> int:
    return len(word.text) // _LETTERS + 1
