"""What rules keep wherever they are at work: in this process, in a reader of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from scripted_inference import CONFIGS, sight

from lib.domain.date_order import DateOrder
from lib.domain.deadline import Deadline
from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Hints, ModelWeights, RawExtraction, Reading
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.domain.vendors import KnownVendor, VendorBook
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.models.asked import Asked
from lib.kie.models.said import ModelAnswer, Said, SaidRow
from lib.pipelines.readers.pool import ReaderLimits, ReaderPool
from lib.pipelines.readers.remote import RulesInReaders
from lib.pipelines.rules import Rules, RulesHere
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

TASKS = load_tasks(Path(CONFIGS) / "tasks")
AUTO = TASKS["auto"]
HINTS = Hints(received_on=date(2026, 11, 21))
RECEIPT = """
CORNER SHOP LTD
12 High Street, Leeds LS1 4DY
VAT GB 999 9999 73
03.04.2026 18:45
Green tea 5.00
Lemon cake 14.90
Total GBP 19.90
Cash 20.00
Change 0.10
"""
INVOICE = """
Invoice
Harbour Lane Grocers GmbH
Invoice No: HL-2026-17
Invoice date: 2026-03-17
Pos Description Qty Price Amount
1 Rope 2 10.00 20.00
2 Anchor 1 99.50 99.50
Subtotal EUR 119.50
VAT 19 % 22.71
Total EUR 142.21
"""
CUSTOM = Task(
    "not_told_before",
    "One field.",
    DocumentType.RECEIPT,
    (FieldSpec("total", FieldType.MONEY, "the total"),),
)


def printed(text: str, number: int = 1) -> Page:
    lines = []
    for row, printed_line in enumerate(text.strip().splitlines()):
        x, y, words = 0.1, 0.05 + 0.06 * row, []
        for word in printed_line.split():
            end = x + 0.014 * len(word)
            words.append(Word(word, Polygon.from_box(x, y, end, y + 0.03), 0.98))
            x = end + 0.012
        lines.append(Line(tuple(words)))
    return Page(number, 800, 1400, 0, PageSource.OCR, tuple(lines))


@pytest.fixture(scope="module")
def here() -> Rules:
    return RulesHere(build_cpu_extractor())


@pytest.fixture(scope="module")
def in_readers(here: Rules) -> Iterator[Rules]:
    with ReaderPool(ReaderLimits(readers=1, waiting=4), TASKS.values()) as pool:
        assert pool.wait_ready(Deadline.after(60))
        yield RulesInReaders(here, pool, TASKS)


@pytest.fixture(params=["here", "in_readers"])
def rules(request: pytest.FixtureRequest) -> Rules:
    chosen: Rules = request.getfixturevalue(request.param)
    return chosen


def read(
    rules: Rules, pages: Sequence[Page], task: Task = AUTO, hints: Hints = HINTS
) -> tuple[Task, RawExtraction, Reading]:
    with rules.on(pages, task, hints, sight()) as work:
        return work.extract(), work.found(), work.finish()


@pytest.mark.parametrize("text", [RECEIPT, INVOICE])
@pytest.mark.parametrize("rate", [None, 0.05])
def test_it_reads_what_the_stations_read(rules: Rules, text: str, rate: float | None) -> None:
    pages, hints = [printed(text)], replace(HINTS, max_error_rate=rate)
    raw = build_cpu_extractor().extract(pages, AUTO, hints)
    assert raw.task is not None
    assert read(rules, pages, hints=hints) == (raw.task, raw, finish(raw, raw.task, pages, hints))


def said(text: str, score: float = 0.75) -> tuple[Said, ...]:
    return (Said(text, score),)


LINES: Sequence[SaidRow] = (
    {"description": Said("Green tea", 0.9), "amount": Said("5.00", 0.8)},
    {"description": Said("Nothing of the kind", 0.9), "amount": Said("77.00", 0.8)},
)
OF_A_MODEL = [
    Asked(
        ModelAnswer(
            {"total": said("19.90"), "vendor_name": said("Corner Shop Ltd"), "tip": said("3.00")},
            {"line_items": tuple(LINES)},
        ),
        ("total", "vendor_name", "tip", "line_items"),
        ModelWeights(bias=0.25),
        ("pages_not_shown: the model saw 1 of 2 pages",),
    ),
    Asked(
        ModelAnswer({"total": (Said("19.90", 0.5), Said("20.00", 0.4))}, {}),
        ("total", "issue_date"),
        ModelWeights(),
        kept=("line_items",),
    ),
    Asked(
        ModelAnswer({"total": said("20.00")}, {"line_items": tuple(LINES[:1])}),
        ("total", "line_items"),
        ModelWeights(),
        competes=True,
    ),
    Asked(ModelAnswer({}, {}), (), ModelWeights()),
    None,
]


@pytest.mark.parametrize("asked", OF_A_MODEL)
def test_what_a_model_said_is_looked_for_and_checked(rules: Rules, asked: Asked | None) -> None:
    pages, task = [printed(RECEIPT), printed("Thank you", 2)], TASKS["receipt_fields_v1"]
    found = build_cpu_extractor().extract(pages, task, HINTS)
    raw = found if asked is None else asked.over(found, pages, task)
    with rules.on(pages, task, HINTS, sight()) as work:
        assert work.finish_over(found, asked) == finish(raw, task, pages, HINTS)


def test_a_model_is_heard_after_others_had_the_reader(rules: Rules) -> None:
    pages = [printed(RECEIPT)]
    task, found, by_rules = read(rules, pages)
    assert read(rules, [printed(INVOICE)])[2] != by_rules
    cash = Asked(ModelAnswer({"total": said("20.00", 1.0)}, {}), ("total",), ModelWeights())
    with rules.on(pages, task, HINTS, sight()) as work:
        assert work.finish_over(found, None) == by_rules
        assert str(work.finish_over(found, cash).result["total"]) == "20.00"


def test_the_task_of_a_document_is_one_of_the_choices_themselves(rules: Rules) -> None:
    task, _, reading = read(rules, [printed(RECEIPT)])
    assert any(task is choice for choice in AUTO.choices)
    assert str(reading.result["total"]) == "19.90"
    assert reading.fields["total"].confidence > 0.5


def test_candidates_hold_the_pages_own_words(rules: Rules) -> None:
    pages = [printed(INVOICE), printed("Page 2\nTotal EUR 142.21", 2)]
    own = {id(word) for page in pages for word in page.words}
    _, found, _ = read(rules, pages)
    (number, *_) = found.fields["document_number"]
    assert number.raw == "HL-2026-17"
    assert {id(word) for word in number.words} <= own


def test_hints_are_heard(rules: Rules) -> None:
    american = replace(HINTS, date_order=DateOrder.MDY, currency="USD", language="en")
    assert read(rules, [printed(RECEIPT)], hints=american)[2].result["issue_date"] == "2026-03-04"


def test_vendors_are_known_again_document_after_document(rules: Rules) -> None:
    pages = [printed(RECEIPT)]
    for number in range(12):  # more books than a reader keeps, each met twice
        known = KnownVendor(
            f"Corner Shop Ltd. ({number})",
            "12 High Street, Leeds LS1 4DY",
            ("GB 999 9999 73",),
            confirmations=9,
        )
        hints = replace(HINTS, vendors=VendorBook((known,)))
        expected = read_directly(pages, hints)
        assert read(rules, pages, hints=hints)[2] == expected
        assert read(rules, pages, hints=hints)[2] == expected


def read_directly(pages: Sequence[Page], hints: Hints) -> Reading:
    raw = build_cpu_extractor().extract(pages, AUTO, hints)
    return finish(raw, raw.task or AUTO, pages, hints)


def test_a_task_of_the_callers_own_is_read_too(rules: Rules) -> None:
    task, _, reading = read(rules, [printed(RECEIPT)], CUSTOM)
    assert task == CUSTOM
    assert str(reading.result["total"]) == "19.90"


def test_pages_without_words_have_no_fields(rules: Rules) -> None:
    blank = Page(1, 800, 1400, 0, PageSource.OCR, ())
    assert read(rules, [blank], TASKS["receipt_fields_v1"])[2].fields == {}


def test_work_that_is_left_in_the_middle_leaves_the_next_alone(rules: Rules) -> None:
    pages = [printed(RECEIPT)]
    with pytest.raises(LookupError), rules.on(pages, AUTO, HINTS, sight()) as work:
        work.extract()
        raise LookupError
    assert str(read(rules, [printed(INVOICE)])[2].result["total"]) == "142.21"


def test_it_has_the_name_of_the_rules(rules: Rules) -> None:
    assert rules.name == build_cpu_extractor().name
