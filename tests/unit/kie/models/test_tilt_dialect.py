"""The dialect `tilt`: words, boxes, one question a field; values told apart, rows by cells."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted_inference import CALL, CONFIGS, ScriptedClient, shipped_cards, sight, tilt_answers
from test_grounding import ROWS, page

from lib.domain.document import Page
from lib.domain.geometry import Polygon
from lib.domain.task import FieldSpec, FieldType
from lib.errors import Error
from lib.inference.client import TiltAnswers
from lib.inference.wire import AnswersRequest
from lib.kie.models.prompts import TiltPrompt
from lib.kie.models.said import ModelAnswer
from lib.kie.models.sight import Sight, View
from lib.kie.models.tilt import TiltAsker
from lib.pipelines.tasks import load_tasks

TASKS = load_tasks(Path(CONFIGS) / "tasks")
RECEIPT = TASKS["receipt_fields_v1"]
SCALARS = tuple(spec for spec in RECEIPT.fields if spec.type is not FieldType.TABLE)
ITEMS = tuple(spec for spec in RECEIPT.fields if spec.name == "line_items")


def ask(
    client: ScriptedClient,
    fields: tuple[FieldSpec, ...] = SCALARS,
    views: tuple[View, ...] = (View(page(*ROWS)),),
    language: str | None = "en",
    seen: Sight | None = None,
) -> ModelAnswer:
    cards = shipped_cards()
    card = next(c for c in cards.cards if c.id == "arctic-tilt")
    prompt = cards.prompts[card.id]
    assert isinstance(prompt, TiltPrompt)
    return TiltAsker(card, prompt, client).ask(fields, views, language, "tilt", seen or sight())


def test_one_question_a_field_about_the_document_once() -> None:
    client = ScriptedClient({"total": "19,90"})
    answer = ask(client)
    assert {name: values[0].text for name, values in answer.fields.items()} == {"total": "19,90"}
    assert answer.fields["total"][0].score == 0.9
    (request,) = client.requests
    assert [question.name for question in request.questions] == [spec.name for spec in SCALARS]
    (sent,) = request.document.pages
    assert sent.words[:2] == ("C0RNER", "SHOP")
    assert len(sent.bboxes) == len(sent.words)
    assert (sent.width, sent.height) == (800, 1000)
    assert sent.bboxes[0] == (40.0, 50.0, 112.0, 70.0)
    assert sent.image.url.startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize(
    ("language", "word"),
    [("de", "Gesamtbetrag"), ("fr-FR", "total"), ("xx", "total amount"), (None, "total amount")],
)
def test_questions_are_in_the_documents_language(language: str | None, word: str) -> None:
    client = ScriptedClient({})
    ask(client, language=language)
    questions = {question.name: question.text for question in client.requests[0].questions}
    assert word in questions["total"]
    assert questions["total"].endswith("?")


def test_every_question_is_short_and_asked_in_each_language() -> None:
    for task in (RECEIPT, TASKS["invoice_fields_v1"]):
        for spec in (*task.fields, *(c for f in task.fields for c in f.columns)):
            if spec.type is not FieldType.TABLE:
                assert spec.question, spec.name
                languages = {language for language, _ in spec.translations}
                assert languages >= {"de", "es", "fr", "it", "nl", "pl", "pt"}, spec.name
                assert all(len(text) < 120 for _, text in spec.translations)


def test_several_values_are_told_apart_and_a_cut_one_is_left_out() -> None:
    def cut(request: AnswersRequest) -> TiltAnswers:
        done = tilt_answers(request, {"vendor_phone": "0113 1 | 0113 2 | 0113 2", "total": "19,9"})
        answers = tuple(
            a.model_copy(update={"finish_reason": "length"}) if a.name == "total" else a
            for a in done.answers
        )
        return replace(done, answers=answers)

    answer = ask(ScriptedClient(cut))
    assert [said.text for said in answer.fields["vendor_phone"]] == ["0113 1", "0113 2"]
    assert "total" not in answer.fields


def test_a_page_without_words_is_not_sent_and_a_blank_document_asks_nobody() -> None:
    blank = Page(2, 1000, 1400, 0, page().source, ())
    client = ScriptedClient({})
    ask(client, views=(View(page(*ROWS)), View(blank)))
    assert len(client.requests[0].document.pages) == 1
    silent = ScriptedClient({})
    assert ask(silent, views=(View(blank),)) == ModelAnswer({}, {})
    assert silent.requests == []


def test_a_part_of_a_page_is_sent_as_a_page_of_its_own() -> None:
    client = ScriptedClient({})
    ask(client, views=(View(page(*ROWS), Polygon.from_box(0, 0.4, 1, 0.48)),))
    (sent,) = client.requests[0].document.pages
    assert sent.words == ("Total", "EUR", "19,90", "Card", "19,90")
    assert (sent.width, sent.height) == (800, 80)
    assert all(0 <= top <= bottom <= 80 for _, top, _, bottom in sent.bboxes)


def test_a_long_document_is_asked_on_the_pages_that_matter() -> None:
    views = tuple(View(page(f"page {number}", number=number)) for number in range(1, 8))
    client = ScriptedClient({})
    ask(client, (*SCALARS, *ITEMS), views)
    asked = {
        question.name: [sent.words[1] for sent in request.document.pages]
        for request in client.requests
        for question in request.questions
    }
    assert asked["vendor_name"] == ["1", "2"]
    assert asked["total"] == ["1", "2", "6", "7"]
    assert asked["line_items.description"] == list("1234567")


def test_rows_are_named_first_and_then_asked_for_their_cells() -> None:
    client = ScriptedClient(
        {"line_items.description": "Green tea | Lemon cake"},
        {"0.amount": "5,00", "1.amount": "14,90", "1.quantity": "1"},
    )
    answer = ask(client, ITEMS)
    first, second = answer.tables["line_items"]
    assert {name: said.text for name, said in first.items()} == {
        "description": "Green tea",
        "amount": "5,00",
    }
    assert {"quantity", "amount"} < set(second)
    questions = {q.name: q.text for q in client.requests[1].questions}
    assert "Lemon cake" in questions["1.amount"]
    assert "product_code" not in " ".join(questions)


def test_more_rows_than_the_card_allows_are_left_to_the_layout() -> None:
    names = " | ".join(f"item {number}" for number in range(40))
    client = ScriptedClient({"line_items.description": names})
    assert ask(client, ITEMS).tables == {"line_items": ()}
    assert len(client.requests) == 1


@pytest.mark.parametrize("fault", ["names", "memory"])
def test_answers_to_other_questions_or_to_none_are_bad_output(fault: str) -> None:
    def wrong(request: AnswersRequest) -> Any:
        done = tilt_answers(request, {})
        if fault == "names":
            return TiltAnswers(done.answers[1:], "tilt", CALL)
        cut = tuple(a.model_copy(update={"finish_reason": "length"}) for a in done.answers)
        return TiltAnswers(cut, "tilt", CALL)

    seen = sight()
    with pytest.raises(Error) as failed:
        ask(ScriptedClient(wrong), seen=seen)
    assert failed.value.code == "inference_bad_output"
    (call,) = seen.asking.journal.calls
    assert call.problem == failed.value.details["reason"]
