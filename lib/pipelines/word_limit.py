"""How much of a document is interpreted, so that KIE and post end well within their time.

They take about 0.15 s for 1,000 words, however many there are and whatever they are
(`scripts/bench_load.py growth`). So the bound is no matter of growth, but of time: a document that
takes longer than it may is not read at all, and few pages crammed with words should cost little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lib.domain.document import Line, Page, Word

MOST_WORDS = 120_000
"""More is not interpreted, however many pages it has: a third of a minute's work."""

ALWAYS_READ, FULL_PAGE = 30_000, 600
"""Words that any document may have, however few its pages, and those of a page that is full."""

_LETTERS = 10  # a word counts once for each ten letters begun: length costs time as well


def within_limit(
    pages: Sequence[Page], most: int | None = None
) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """The pages with at most `most` words, and the warning `too_many_words` where some were cut.

    The first and the last words of the document are kept, half of the limit each, since letterheads
    and sums stand there; pages stay, with fewer lines or none. `most` depends on the pages unless
    it is given: `most_words`.
    """
    most = most_words(len(pages)) if most is None else most
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


def most_words(pages: int) -> int:
    """How many words of a document of so many pages are interpreted."""
    return min(MOST_WORDS, max(ALWAYS_READ, FULL_PAGE * pages))


def _weight(word: Word) -> int:
    return len(word.text) // _LETTERS + 1
