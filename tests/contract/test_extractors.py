"""What every extractor keeps: the rules, and a model in each dialect over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from scripted_inference import CONFIGS, ScriptedClient, as_json, shipped_cards, sight

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Candidate, Hints, RawExtraction, Source
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldType, Task
from lib.errors import Error, Kind
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.extractor import Extractor
from lib.kie.models.model_extractor import ModelReader
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

TASKS = load_tasks(Path(CONFIGS) / "tasks")
HINTS = Hints(received_on=date(2026, 11, 21))
TEXT = """
CORNER SHOP LTD
12 High Street, Leeds LS1 4DY
VAT GB 999 9999 73
17.03.2026 18:45
Green tea 5.00
Lemon cake 14.90
Total GBP 19.90
Cash 20.00
Change 0.10
"""
SAID = {
    "vendor_name": "Corner Shop Ltd",
    "issue_date": "17.03.2026",
    "total": "19.90",
    "tip": "3.00",  # is not printed
    "line_items": [{"description": "Green tea", "amount": "5.00"}],
}
SAID_TO_QUESTIONS = {
    "vendor_name": "CORNER SHOP LTD",
    "issue_date": "17.03.2026",
    "total": "19.90 | 20.00",
    "tip": "3.00",
}


def page() -> Page:
    lines = []
    for row, text in enumerate(TEXT.strip().splitlines()):
        x, y = 0.1, 0.05 + 0.06 * row
        words = []
        for word in text.split():
            end = x + 0.014 * len(word)
            words.append(Word(word, Polygon.from_box(x, y, end, y + 0.03), 0.98))
            x = end + 0.012
        lines.append(Line(tuple(words)))
    return Page(1, 800, 1400, 0, PageSource.OCR, tuple(lines))


def rules() -> Extractor:
    return build_cpu_extractor()


def chat() -> Extractor:
    reader = ModelReader(shipped_cards(), ScriptedClient(as_json(SAID)), "qwen2.5-vl-7b", rules())
    return reader.looking_at(sight())


def tilt() -> Extractor:
    client = ScriptedClient(SAID_TO_QUESTIONS)
    return ModelReader(shipped_cards(), client, "arctic-tilt", rules()).looking_at(sight())


@pytest.fixture(scope="module", params=[rules, chat, tilt], ids=["rules", "chat", "tilt"])
def extractor(request: pytest.FixtureRequest) -> Extractor:
    make: Callable[[], Extractor] = request.param
    return make()


def candidates(raw: RawExtraction) -> list[Candidate]:
    cells = (cell for rows in raw.tables.values() for row in rows for cell in row.values())
    return [*(c for found in raw.fields.values() for c in found), *cells]


def test_it_has_a_name(extractor: Extractor) -> None:
    assert extractor.name


@pytest.mark.parametrize("task_id", list(TASKS))
def test_only_the_tasks_fields_are_found(extractor: Extractor, task_id: str) -> None:
    raw = extractor.extract([page()], TASKS[task_id], HINTS)
    chosen = raw.task or TASKS[task_id]
    assert not chosen.choices
    kinds = {spec.name: spec.type for spec in chosen.fields}
    assert all(kinds[name] is not FieldType.TABLE for name in raw.fields)
    assert all(kinds[name] is FieldType.TABLE for name in raw.tables)
    for spec in chosen.fields:
        columns = {column.name for column in spec.columns}
        assert all(set(row) <= columns for row in raw.tables.get(spec.name, ()))
    assert all(raw.fields.values())


def test_a_task_of_choices_is_resolved_by_what_the_document_is(extractor: Extractor) -> None:
    raw = extractor.extract([page()], TASKS["auto"], HINTS)
    assert raw.document_type is DocumentType.RECEIPT
    assert raw.task is TASKS["receipt_fields_v1"]


def test_every_candidate_is_grounded_in_words_of_its_page(extractor: Extractor) -> None:
    printed = page()
    raw = extractor.extract([printed], TASKS["receipt_fields_v1"], HINTS)
    found = candidates(raw)
    assert found
    known = {id(word) for word in printed.words}
    for candidate in found:
        assert candidate.words
        assert candidate.page == 1
        assert candidate.raw.strip()
        assert {id(word) for word in candidate.words} <= known
        assert 0 <= candidate.score <= 1
        assert candidate.value is None
        assert candidate.source is not Source.XML


def test_candidates_are_ranked(extractor: Extractor) -> None:
    raw = extractor.extract([page()], TASKS["receipt_fields_v1"], HINTS)
    for found in raw.fields.values():
        scores = [candidate.score for candidate in found]
        assert scores == sorted(scores, reverse=True)


def test_the_plain_values_are_found_and_unprinted_ones_never_answered(
    extractor: Extractor,
) -> None:
    task = TASKS["receipt_fields_v1"]
    raw = extractor.extract([page()], task, HINTS)
    reading = finish(raw, task, [page()], HINTS)
    assert str(reading.result["total"]) == "19.90"
    assert reading.result["issue_date"] == "2026-03-17"
    assert str(reading.result["vendor_name"]).casefold() == "corner shop ltd"
    assert reading.result["tip"] is None
    assert len(reading.result["line_items"] or ()) >= 1


def test_a_document_without_words_has_no_fields(extractor: Extractor) -> None:
    blank = replace(page(), lines=())
    for pages in ([], [blank]):
        raw = extractor.extract(pages, TASKS["receipt_fields_v1"], HINTS)
        assert raw.fields == {}
        assert not any(raw.tables.values())


def test_the_same_document_twice_gives_the_same(extractor: Extractor) -> None:
    task: Task = TASKS["receipt_fields_v1"]
    first, second = (extractor.extract([page()], task, HINTS) for _ in range(2))
    assert candidates(first) == candidates(second)


def too_long() -> Error:
    return Error(
        "inference_bad_output", Kind.BAD_UPSTREAM, "Too long.", {"reason": "too_many_tokens"}
    )


def test_a_document_that_does_not_fit_the_model_is_shown_in_part() -> None:
    client = ScriptedClient(too_long(), too_long(), as_json(SAID))
    reader = ModelReader(shipped_cards(), client, "qwen2.5-vl-7b", rules())
    pages = [replace(page(), number=number) for number in range(1, 8)]
    raw = reader.looking_at(sight()).extract(pages, TASKS["receipt_fields_v1"], HINTS)
    assert raw.warnings == ("pages_not_shown: the model saw 1 of 7 pages",)
    assert len(client.requests) == 3
    alone = ScriptedClient(too_long())
    reader = ModelReader(shipped_cards(), alone, "qwen2.5-vl-7b", rules())
    with pytest.raises(Error, match="inference_bad_output"):
        reader.looking_at(sight()).extract([page()], TASKS["receipt_fields_v1"], HINTS)
    assert len(alone.requests) == 1
