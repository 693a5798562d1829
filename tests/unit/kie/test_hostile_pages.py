"""Pages that nobody printed must not take long: no comparison of each word with each."""

from __future__ import annotations

from datetime import date

import pytest

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Hints
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon

HINTS = Hints(received_on=date(2026, 1, 1))


def page(lines: list[Line]) -> Page:
    return Page(1, 1000, 1400, 0, PageSource.OCR, tuple(lines))


def box(x: float, y: float, width: float, height: float) -> Polygon:
    return Polygon.from_box(x, y, x + width, y + height)


def side_by_side(count: int) -> list[Word]:
    return [Word("total", box(i / count, 0.5, 0.8 / count, 0.01)) for i in range(count)]


def test_a_line_of_thousands_of_words_becomes_cells_that_keep_every_word_in_order() -> None:
    words = side_by_side(1_050)
    layout = lay_out([page([Line(tuple(words))])])
    assert max(len(cell.line.words) for cell in layout.cells) <= 100
    assert max(sum(len(c.line.words) for c in row.cells) for row in layout.rows) <= 200
    found = [word for cell in layout.cells for word in cell.line.words]
    assert sorted(found, key=lambda w: w.polygon.x0) == words


def test_a_row_of_thousands_of_cells_is_cut() -> None:
    words = side_by_side(450)
    layout = lay_out([page([Line((word,)) for word in words])])
    assert max(len(row.cells) for row in layout.rows) <= 200
    assert len(layout.cells) == len(words)


@pytest.mark.timeout(60)
def test_a_word_of_many_letters_is_not_compared_letter_by_letter() -> None:
    lexicon = load_lexicon()
    assert lexicon.find("x" * 100_000) == ()
    assert lexicon.find("total" * 20_000) == ()
    assert [match.fields for match in lexicon.find("grandtotal")] == [
        match.fields for match in lexicon.find("grand total")
    ]


@pytest.mark.timeout(60)
def test_thousands_of_labelled_amounts_are_not_all_added_to_each_other() -> None:
    labels = ("Subtotal", "Tax", "Tip", "Total", "Cash", "Change", "Discount")
    count = 1_400
    lines = []
    for i in range(count):
        y = i / count
        label = Word(labels[i % len(labels)], box(0.1, y, 0.2, 0.5 / count))
        amount = Word(f"{i + 1}.{i % 100:02d}", box(0.7, y, 0.2, 0.5 / count))
        lines += [Line((label,)), Line((amount,))]
    task = Task(
        "t", "", DocumentType.RECEIPT, (FieldSpec("total", FieldType.MONEY, "what to pay"),)
    )
    raw = build_cpu_extractor().extract((page(lines),), task, HINTS)
    assert raw.fields.keys() <= {"total"}
