"""The bound on how much of a document is interpreted."""

from __future__ import annotations

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.geometry import Polygon
from lib.pipelines.word_limit import within_limit

PLACE = Polygon.from_box(0.1, 0.1, 0.2, 0.2)


def page(number: int, *lines: str) -> Page:
    words = (Line(tuple(Word(text, PLACE) for text in line.split())) for line in lines)
    return Page(number, 100, 100, 0, PageSource.OCR, tuple(words))


def test_a_document_within_the_limit_is_handed_on_as_it_is() -> None:
    pages = (page(1, "a b", "c"), page(2, "d"))
    assert within_limit(pages, 4) == (pages, ())


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
