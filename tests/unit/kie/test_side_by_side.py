"""Two receipts in one picture are told of; one with its prices far to the right is not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Hints
from lib.domain.geometry import Polygon
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

TASKS = Path(__file__).parents[3] / "configs" / "tasks"
RECEIPT = (
    ("Harbour Lane Grocers", ""), ("4 Harbour Lane", ""), ("17/03/2026 14:02", ""),
    ("Brown bread", "2.40"), ("Salted butter", "3.10"), ("Green tea", "4.50"),
    ("Total", "10.00"), ("Cash", "20.00"), ("Change", "10.00"),
)  # fmt: skip
OTHER = (
    ("Corner Bakery", ""), ("9 Mill Street", ""), ("18/03/2026 09:30", ""),
    ("Cheese roll", "3.00"), ("Apple cake", "2.00"), ("White coffee", "2.50"),
    ("Total", "7.50"), ("Card", "7.50"), ("Thank you", ""),
)  # fmt: skip


def _line(text: str, x: float, y: float) -> Line:
    words = []
    for word in text.split():
        words.append(Word(word, Polygon.from_box(x, y, x + 0.011 * len(word), y + 0.02)))
        x += 0.011 * (len(word) + 1)
    return Line(tuple(words))


def _lines(receipt: tuple[tuple[str, str], ...], left: float, prices: float) -> list[Line]:
    return [
        _line(text, x, 0.05 + 0.04 * row)
        for row, cells in enumerate(receipt)
        for text, x in zip(cells, (left, prices), strict=True)
        if text
    ]


def _warnings(*lines: Line, source: PageSource = PageSource.OCR) -> list[str]:
    in_order = sorted(lines, key=lambda line: line.words[0].polygon.corners[0][1])
    pages = (Page(1, 1200, 1000, 0, source, tuple(in_order)),)
    hints, task = Hints(date(2026, 11, 21)), load_tasks(TASKS)["receipt_fields_v1"]
    reading = finish(build_cpu_extractor().extract(pages, task, hints), task, pages, hints)
    return [found for found in reading.warnings if found.startswith("several_documents")]


def test_two_receipts_side_by_side_are_told_of() -> None:
    (told,) = _warnings(*_lines(RECEIPT, 0.05, 0.35), *_lines(OTHER, 0.55, 0.85))
    assert told.startswith("several_documents:page 1:")


def test_one_receipt_is_one_however_far_its_prices_stand() -> None:
    for prices in (0.35, 0.6, 0.9):
        assert _warnings(*_lines(RECEIPT, 0.05, prices)) == []


def test_a_strip_beside_a_receipt_without_a_total_of_its_own_is_no_document() -> None:
    advert = tuple((text, "") for text, _ in OTHER)
    assert _warnings(*_lines(RECEIPT, 0.05, 0.35), *_lines(advert, 0.55, 0.85)) == []


def test_a_page_that_was_typeset_is_no_picture() -> None:
    lines = (*_lines(RECEIPT, 0.05, 0.35), *_lines(OTHER, 0.55, 0.85))
    assert _warnings(*lines, source=PageSource.TEXT_LAYER) == []
