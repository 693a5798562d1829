"""Placing words: skew, rows, spans, neighbours, blocks."""

import math

import pytest

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.geometry import Polygon
from lib.kie.layout import Span, lay_out

WIDTH, HEIGHT = 600, 900


def turned(x0: float, y0: float, x1: float, y1: float, degrees: float) -> Polygon:
    """A box turned about the page's middle, in page units."""
    angle = math.radians(degrees)
    corners = []
    for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
        dx, dy = x - WIDTH / 2, y - HEIGHT / 2
        corners.append(
            (
                (WIDTH / 2 + dx * math.cos(angle) - dy * math.sin(angle)) / WIDTH,
                (HEIGHT / 2 + dx * math.sin(angle) + dy * math.cos(angle)) / HEIGHT,
            )
        )
    return Polygon(tuple(corners))


def line(text: str, x: float, y: float, *, size: float = 20, degrees: float = 0) -> Line:
    """A line of type at (x, y), each character half as wide as high."""
    words, at = [], x
    for part in text.split(" "):
        end = at + len(part) * size / 2
        words.append(Word(part, turned(at, y, end, y + size, degrees)))
        at = end + size / 2
    return Line(tuple(words))


def page(*lines: Line, number: int = 1) -> Page:
    return Page(number, WIDTH, HEIGHT, 0, PageSource.OCR, lines)


@pytest.mark.parametrize("degrees", [0, 4, -7])
def test_rows_survive_skew(degrees: float) -> None:
    lines = [
        line("second left side", 30, 200, degrees=degrees),
        line("12.50", 500, 170, degrees=degrees),
        line("9.99", 510, 200, degrees=degrees),
        line("first left side", 30, 170, degrees=degrees),
    ]
    layout = lay_out([page(*lines)])
    assert [row.text for row in layout.rows] == [
        "first left side  12.50",
        "second left side  9.99",
    ]
    assert layout.pages[0].angle == pytest.approx(math.radians(degrees), abs=0.01)
    assert layout.cells[0].box.height == pytest.approx(20, rel=0.05)


def test_indexes_run_through_pages() -> None:
    first = page(line("left", 10, 10), line("right", 300, 12))
    layout = lay_out([first, page(), page(line("last", 10, 10), number=3)])
    assert [(c.text, c.index, c.row, c.column) for c in layout.cells] == [
        ("left", 0, 0, 0),
        ("right", 1, 0, 1),
        ("last", 2, 1, 0),
    ]
    assert layout.page_of(layout.cells[2]).page.number == 3


def test_a_span_knows_its_words_and_place() -> None:
    layout = lay_out([page(line("TOTAL RM 12.50 cash", 100, 50))])
    cell = layout.cells[0]
    span = Span(cell, 6, 14)
    assert span.text == "RM 12.50"
    assert [word.text for word in span.words] == ["RM", "12.50"]
    assert (span.box.x0, span.box.x1) == pytest.approx((160, 240))
    inside = Span(cell, 9, 11)
    assert [word.text for word in inside.words] == ["12.50"]
    assert inside.box.width == pytest.approx(20)
    assert Span(cell, 5, 9).stripped().text == "RM"


def test_heights_are_relative_to_the_page() -> None:
    layout = lay_out(
        [page(line("BIG", 10, 10, size=60), *(line("small", 10, 100 + 30 * i) for i in range(5)))]
    )
    assert layout.cells[0].height_ratio == pytest.approx(3.0)


def test_below_and_above_share_width_and_stay_on_the_page() -> None:
    first = page(
        line("Amount", 400, 100), line("Name", 10, 100), line("5.00", 420, 130), line("x", 10, 130)
    )
    layout = lay_out([first, page(line("other", 420, 10), number=2)])
    amount = next(c for c in layout.cells if c.text == "Amount")
    assert [c.text for c in layout.below(amount.box, amount.row)] == ["5.00"]
    value = next(c for c in layout.cells if c.text == "5.00")
    assert [c.text for c in layout.above(value.box, value.row)] == ["Amount"]


def test_blocks_join_close_aligned_lines() -> None:
    layout = lay_out(
        [
            page(
                line("ACME Ltd", 10, 10),
                line("1 High Street", 10, 34),
                line("Invoice", 400, 10),
                line("No. 5", 400, 34),
                line("far below", 10, 200),
            )
        ]
    )
    texts = [[cell.text for cell in block.cells] for block in layout.pages[0].blocks]
    assert sorted(texts) == [["ACME Ltd", "1 High Street"], ["Invoice", "No. 5"], ["far below"]]
