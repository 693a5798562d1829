"""What the model is asked in a cascade: doubtful fields, on the parts of pages that show them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from scripted_inference import (
    CONFIGS,
    BlankImages,
    ScriptedClient,
    as_json,
    fields_asked,
    shipped_cards,
    sight,
    unavailable,
)

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Candidate, Hints, RawExtraction, Source, Value
from lib.domain.geometry import Polygon
from lib.domain.page_images import WHOLE_PAGE
from lib.domain.task import DocumentType, Task
from lib.errors import Error, Kind
from lib.kie.models.model_extractor import ModelReader
from lib.kie.models.sight import Sight
from lib.pipelines.cascade import doubtful_fields, views_of
from lib.pipelines.field_reading import FieldsRead, ModelStation, read_fields
from lib.pipelines.rules import RulesHere
from lib.pipelines.stopwatch import Stopwatch
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

RECEIPT = load_tasks(Path(CONFIGS) / "tasks")["receipt_fields_v1"]
HINTS = Hints(received_on=date(2026, 11, 21))


def word(text: str, row: int, column: int = 0) -> Word:
    x, y = 0.1 + 0.2 * column, 0.05 * row
    return Word(text, Polygon.from_box(x, y, x + 0.15, y + 0.02), 0.97)


ROWS = (
    ("CORNER", "SHOP"),
    ("17.03.2026",),
    ("Tea", "5.00"),
    ("Cake", "14.90"),
    ("Total", "19.90"),
    ("Card", "19.90"),
)
LINES = tuple(
    Line(tuple(word(text, row, column) for column, text in enumerate(texts)))
    for row, texts in enumerate(ROWS)
)
PAGE = Page(1, 800, 1400, 0, PageSource.OCR, LINES)
LAST = replace(PAGE, number=2, lines=())


def printed(row: int, column: int, score: float) -> Candidate:
    words = (LINES[row].words[column],)
    return Candidate(words[0].text, score, Source.OCR, 1, words)


def exact(row: int, column: int, value: Value) -> Candidate:
    """A candidate whose value its source gives exactly: sure, however confidence is fitted."""
    return replace(printed(row, column, 1.0), source=Source.XML, value=value)


def found(**fields: Candidate) -> RawExtraction:
    """Sure in everything, but for the `fields` given."""
    known = {
        "vendor_name": exact(0, 0, "CORNER SHOP"),
        "issue_date": exact(1, 0, "2026-03-17"),
        "total": exact(4, 1, Decimal("19.90")),
        **fields,
    }
    candidates = {name: (candidate,) for name, candidate in known.items()}
    return RawExtraction(DocumentType.RECEIPT, 0.9, candidates, {}, language="en", task=RECEIPT)


class Rules:
    """An extractor that has found what it was given."""

    name = "rules"

    def __init__(self, raw: RawExtraction) -> None:
        self.raw = raw

    def extract(self, pages: Any, task: Task, hints: Hints) -> RawExtraction:
        return self.raw


def read(
    raw: RawExtraction,
    client: ScriptedClient,
    seen: Sight | None = None,
    below: float | None = 0.7,
    falls_back: bool = False,
) -> FieldsRead:
    rules = Rules(raw)
    station = ModelStation(
        "vllm", ModelReader(shipped_cards(), client, "qwen3-vl-8b", rules), below, falls_back
    )
    return read_fields(
        RulesHere(rules), station, [PAGE], RECEIPT, HINTS, seen or sight(), Stopwatch()
    )


def test_nothing_is_asked_about_what_is_sure() -> None:
    client = ScriptedClient(AssertionError("nobody is asked"))
    done = read(found(), client)
    assert (done.backend, done.model) == ("cpu", "rules")
    assert client.requests == []


def test_only_the_doubtful_field_is_asked_with_the_part_that_shows_it() -> None:
    doubted = found(total=printed(3, 1, 0.1))
    client, seen = ScriptedClient(as_json({"total": "19.90"})), sight()
    done = read(doubted, client, seen)
    (request,) = client.requests
    assert fields_asked(request) == ["total"]
    assert (done.backend, done.model) == ("vllm", "qwen3-vl-8b")
    assert done.reading.result["total"] == Decimal("19.90")
    assert done.reading.fields["total"].source is Source.MODEL
    assert done.reading.fields["vendor_name"].source is Source.XML
    assert isinstance(seen.images, BlankImages)
    ((number, part, _),) = seen.images.asked
    assert number == 1
    assert (part.x0, part.x1) == (0, 1)
    assert part.y0 < 0.15 < 0.17 < part.y1 < 0.6


def test_what_is_missing_is_asked_where_its_kind_stands() -> None:
    raw = found()
    specs = [RECEIPT.field("vendor_name"), RECEIPT.field("total")]
    bare = replace(raw, fields={})
    first, last = views_of([s for s in specs if s], bare, [PAGE, LAST])
    assert (first.page.number, first.part.y1 < 0.6) == (1, True)
    assert (last.page.number, last.part) == (2, WHOLE_PAGE)


def test_a_field_that_is_needed_and_missing_is_doubtful_and_an_optional_one_is_not() -> None:
    bare = found()
    bare = replace(bare, fields={n: c for n, c in bare.fields.items() if n != "issue_date"})
    reading = finish(bare, RECEIPT, [PAGE], HINTS)
    names = [spec.name for spec in doubtful_fields(reading, RECEIPT, 0.5)]
    assert names == ["issue_date"]


def test_what_a_failed_check_names_is_doubtful_tables_as_a_whole() -> None:
    rows = ({"description": printed(2, 0, 0.9), "amount": printed(2, 1, 0.9)},)
    raw = replace(found(subtotal=printed(3, 1, 0.9)), tables={"line_items": rows})
    reading = finish(raw, RECEIPT, [PAGE], HINTS)
    failed = {name for check in reading.checks if check.status == "failed" for name in check.fields}
    assert failed
    names = {spec.name for spec in doubtful_fields(reading, RECEIPT, 0.0)}
    assert {name.partition("[")[0] for name in failed} <= names


def test_a_value_that_is_not_printed_does_not_replace_the_rules_answer() -> None:
    doubted = found(total=printed(4, 1, 0.1))
    done = read(doubted, ScriptedClient(as_json({"total": "99.90"})))
    field = done.reading.fields["total"]
    assert field.value == Decimal("19.90")
    assert Decimal("99.90") in [other.value for other in field.alternatives]
    assert "not_on_page:total" in done.reading.review_reasons


@pytest.mark.parametrize("below", [None, 1.0])
def test_the_rules_answer_while_the_model_is_away(below: float | None) -> None:
    done = read(found(), ScriptedClient(unavailable()), below=below, falls_back=True)
    assert (done.backend, done.model) == ("cpu", "rules")
    assert done.warnings[0].startswith("fallback_cpu:inference_unavailable")
    assert done.reading.result["total"] == Decimal("19.90")


def test_without_a_fallback_the_model_must_answer() -> None:
    with pytest.raises(Error, match="inference_unavailable"):
        read(found(), ScriptedClient(unavailable()), below=None)


def test_nonsense_and_a_caller_who_left_are_not_answered_by_the_rules() -> None:
    with pytest.raises(Error, match="inference_bad_output"):
        read(found(), ScriptedClient("nonsense"), below=None, falls_back=True)
    with pytest.raises(Canceled):
        read(found(), ScriptedClient(Canceled()), below=None, falls_back=True)


def test_past_the_deadline_nobody_waits_for_the_rules_either() -> None:
    late = Error("inference_timeout", Kind.TIMEOUT, "Too late.", retryable=True)
    now = 0.0

    def time_out(_: object) -> str:
        nonlocal now
        now = 100.0
        raise late

    seen = replace(sight(), deadline=Deadline(50.0, lambda: now))
    with pytest.raises(Error, match="inference_timeout"):
        read(found(), ScriptedClient(time_out), seen, below=None, falls_back=True)


def test_a_model_that_hangs_leaves_time_to_answer_without_it() -> None:
    for falls_back, until in ((True, 95.0), (False, 100.0)):
        client = ScriptedClient(as_json({}))
        seen = replace(sight(), deadline=Deadline(100.0, lambda: 40.0))
        read(found(), client, seen, below=None, falls_back=falls_back)
        assert [deadline.at for deadline in client.deadlines] == [until]


def test_nobody_is_asked_for_a_caller_who_has_left() -> None:
    cancellation = Cancellation()
    cancellation.set()
    client = ScriptedClient(as_json({}))
    with pytest.raises(Canceled):
        read(found(), client, sight(cancellation=cancellation), below=None)
    assert client.requests == []


class Asked(Rules):
    """Rules that note how many questions the model had when they were asked for candidates."""

    def __init__(self, raw: RawExtraction, client: ScriptedClient) -> None:
        super().__init__(raw)
        self.client = client
        self.after: list[int] = []

    def extract(self, pages: Any, task: Task, hints: Hints) -> RawExtraction:
        self.after.append(len(self.client.requests))
        return replace(self.raw, task=task.for_document(DocumentType.RECEIPT))


@pytest.mark.parametrize(
    ("model", "task_id", "below", "after"),
    [
        ("qwen3-vl-8b", "receipt_fields_v1", None, 1),
        ("qwen3-vl-8b", "auto", None, 0),
        ("qwen3-vl-8b", "receipt_fields_v1", 1.0, 0),
        ("mock-tilt", "receipt_fields_v1", None, 0),
    ],
)
def test_the_rules_look_while_the_model_writes_unless_it_has_to_be_told_what_they_found(
    model: str, task_id: str, below: float | None, after: int
) -> None:
    chat = as_json({"total": "19.90"})
    client = ScriptedClient({"total": "19.90"} if model == "mock-tilt" else chat)  # type: ignore[arg-type]
    rules = Asked(found(), client)
    station = ModelStation("vllm", ModelReader(shipped_cards(), client, model, rules), below)
    task, watch = load_tasks(Path(CONFIGS) / "tasks")[task_id], Stopwatch()
    done = read_fields(RulesHere(rules), station, [PAGE], task, HINTS, sight(), watch)
    assert rules.after == [after]
    assert (done.task.id, done.reading.result["total"]) == (RECEIPT.id, Decimal("19.90"))
    assert done.backend == "vllm"
    assert set(watch.timings_ms) == {"kie", "model", "post"}


def test_what_the_rules_cannot_read_is_not_waited_for_at_the_model() -> None:
    client = ScriptedClient(as_json({}))

    class Failing(Rules):
        def extract(self, pages: Any, task: Task, hints: Hints) -> RawExtraction:
            raise Error("unreadable_document", Kind.UNPROCESSABLE, "It took too long.")

    seen = sight()
    station = ModelStation(
        "vllm", ModelReader(shipped_cards(), client, "qwen3-vl-8b", Failing(found()))
    )
    with pytest.raises(Error, match="unreadable_document"):
        read_fields(RulesHere(Failing(found())), station, [PAGE], RECEIPT, HINTS, seen, Stopwatch())
    assert [call.error for call in seen.asking.journal.calls] == ["unreadable_document"]


def test_the_price_of_a_document_is_the_models_time() -> None:
    seen = sight()
    read(found(), ScriptedClient(as_json({"total": "19.90"})), seen, below=None)
    journal = seen.asking.journal
    assert journal.price_per_hour == 0.79
    assert journal.cost == journal.seconds * 0.79 / 3600
    assert journal.raw_text is not None
