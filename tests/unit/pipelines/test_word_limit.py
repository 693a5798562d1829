"""The bound on how much of a document is interpreted."""

from __future__ import annotations

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.geometry import Polygon
from lib.pipelines.word_limit import MOST_WORDS, most_words, within_limit

PLACE = Polygon.from_box(0.1, 0.1, 0.2, 0.2)


def page(number: int, *lines: str) -> Page:
    words = (Line(tuple(Word(text, PLACE) for text in line.split())) for line in lines)
    return Page(number, 100, 100, 0, PageSource.OCR, tuple(words))


def test_a_document_within_the_limit_is_handed_on_as_it_is() -> None:
    pages = (page(1, "a b", "c"), page(2, "d"))
    assert within_limit(pages, 4) == (pages, ())


def test_full_pages_are_read_as_many_as_there_are_up_to_a_bound() -> None:
    assert [most_words(pages) for pages in (1, 50, 51, 200, 201, 2000)] == [
        30_000, 30_000, 30_600, MOST_WORDS, MOST_WORDS, MOST_WORDS,
    ]  # fmt: skip


def test_pages_of_an_invoice_stay_where_as_many_words_on_few_pages_would_not() -> None:
    lines = ["4711 part of no kind 2 10.00 20.00"] * 40
    spread = tuple(page(number, *lines) for number in range(1, 121))
    assert within_limit(spread) == (spread, ())
    crammed = (page(1, *lines * 60), page(2, *lines * 60))
    kept, warnings = within_limit(crammed)
    assert sum(len(found.words) for found in kept) == 30_000
    assert warnings


def test_the_middle_of_a_long_document_is_left_out_and_said_so() -> None:
    pages = (page(1, "a b c", "d"), page(2, "e f"), page(3, "g", "h i j"))
    kept, warnings = within_limit(pages, 6)
    assert [p.text for p in kept] == ["a b c", "", "h i j"]
    assert [p.number for p in kept] == [1, 2, 3]
    assert [warning.split(":")[0] for warning in warnings] == ["too_many_words"]


def test_a_line_is_cut_inside() -> None:
    kept, _ = within_limit((page(1, "a b c d e f"),), 4)
    assert kept[0].text == "a b e f"


def test_long_words_count_for_more() -> None:
    kept, warnings = within_limit((page(1, "a", "x" * 95, "b"),), 4)
    assert kept[0].text == "a\nb"
    assert warnings
