"""Documents of more pages than anybody reads: every line of them, in time that grows with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Hints
from lib.domain.geometry import Polygon
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.pipelines.tasks import load_tasks
from lib.pipelines.word_limit import ALWAYS_READ, within_limit
from lib.post.finish import finish

TASKS = Path(__file__).parents[3] / "configs" / "tasks"
COLUMNS = (0.06, 0.15, 0.55, 0.67, 0.85)
HEADER = ("Pos", "Description", "Qty", "Unit price", "Amount")
ROWS = 40


def _line(row: int, left: float, text: str) -> Line:
    y, words = 0.03 + 0.022 * row, []
    for word in text.split():
        words.append(Word(word, Polygon.from_box(left, y, left + 0.008 * len(word), y + 0.012)))
        left += 0.008 * (len(word) + 1)
    return Line(tuple(words))


def _page(number: int, above: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Page:
    lines = [_line(row, COLUMNS[0], text) for row, text in enumerate(above)]
    for row, cells in enumerate([HEADER, *rows], start=len(above) + 1):
        placed = zip(COLUMNS, cells, strict=True)
        lines += [_line(row, left, cell) for left, cell in placed if cell]
    return Page(number, 1240, 1754, 0, PageSource.TEXT_LAYER, tuple(lines))


def _invoice(pages: int) -> tuple[Page, ...]:
    made = []
    for number in range(pages):
        first = number * (ROWS - 4)
        rows = [
            (str(at + 1), f"Part of kind {at + 1}", "2", "10.00", "20.00")
            for at in range(first, first + ROWS - 4)
        ]
        if number == pages - 1:
            rows.append(("Total to pay", "", "", "", f"{pages * (ROWS - 4) * 20}.00"))
        above = ("Invoice", "Long Works Ltd", "Invoice No: LW-60") if not number else ("LW-60",)
        made.append(_page(number + 1, above, rows))
    return tuple(made)


@pytest.mark.slow
def test_an_invoice_of_more_words_than_any_may_have_on_few_pages_is_read_whole() -> None:
    pages = _invoice(110)
    assert sum(len(page.words) for page in pages) > ALWAYS_READ
    interpreted, warnings = within_limit(pages)
    assert warnings == ()
    hints, task = Hints(date(2026, 11, 21)), load_tasks(TASKS)["invoice_fields_v1"]
    result = finish(
        build_cpu_extractor().extract(interpreted, task, hints), task, interpreted, hints
    ).result
    lines = result["line_items"]
    assert isinstance(lines, tuple)
    assert [line["description"] for line in lines] == [
        f"Part of kind {number}" for number in range(1, 110 * (ROWS - 4) + 1)
    ]
    assert {line["amount"] for line in lines} == {Decimal("20.00")}
    assert result["document_number"] == "LW-60"
    assert result["total"] == Decimal(110 * (ROWS - 4) * 20)
