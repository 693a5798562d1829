"""The dialect `tilt`: words, boxes, one question a field; values told apart, rows by cells."""

from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from scripted_inference import (
    CALL,
    CONFIGS,
    ScriptedClient,
    shipped_cards,
    sight,
    tilt_answers,
    unavailable,
)
from test_grounding import ROWS, page

from lib.domain.cancellation import Canceled
from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.extraction import Hints, ModelWeights
from lib.domain.geometry import Polygon
from lib.domain.task import FieldSpec, FieldType
from lib.errors import Error, Kind
from lib.inference.client import TiltAnswers
from lib.inference.wire import AnswersRequest
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.models.card import Confidence
from lib.kie.models.card_files import ModelCards
from lib.kie.models.forms import FORMS
from lib.kie.models.model_extractor import ModelReader
from lib.kie.models.prompts import TiltPrompt
from lib.kie.models.said import ModelAnswer
from lib.kie.models.sight import Sight, View
from lib.kie.models.tilt import TiltAsker
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

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
    **changes: int,
) -> ModelAnswer:
    cards = shipped_cards()
    card = next(c for c in cards.cards if c.id == "arctic-tilt").model_copy(update=changes)
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
    said = {"vendor_phone": "0113 496 1 | 0113 496 2 | 0113 496 2", "tip": "1,5 | 19,9"}
    answer = ask(ScriptedClient(lambda request: cut(request, said, "tip")))
    assert [said.text for said in answer.fields["vendor_phone"]] == ["0113 496 1", "0113 496 2"]
    assert [said.text for said in answer.fields["tip"]] == ["1,5"]


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


def wrong_names(request: AnswersRequest) -> TiltAnswers:
    return TiltAnswers(tilt_answers(request, {}).answers[1:], "tilt", CALL)


def cut(request: AnswersRequest, texts: dict[str, str], *names: str) -> TiltAnswers:
    done = tilt_answers(request, texts)
    answers = tuple(
        a.model_copy(update={"finish_reason": "length"}) if a.name in names else a
        for a in done.answers
    )
    return replace(done, answers=answers)


def test_answers_to_other_questions_are_bad_output_after_the_attempts() -> None:
    seen = sight()
    client = ScriptedClient(wrong_names)
    with pytest.raises(Error) as failed:
        ask(client, seen=seen)
    assert failed.value.code == "inference_bad_output"
    calls = seen.asking.journal.calls
    assert [call.problem for call in calls] == [failed.value.details["reason"]] * 2
    assert {call.error for call in calls} == {"inference_bad_output"}
    again = ScriptedClient(wrong_names, {"total": "19,90"})
    assert ask(again).fields["total"][0].text == "19,90"
    assert again.requests[0] == again.requests[1]


def test_a_document_that_does_not_fit_the_models_memory_has_too_many_tokens() -> None:
    seen = sight()
    client = ScriptedClient(lambda asked: cut(asked, {}, *(q.name for q in asked.questions)))
    with pytest.raises(Error) as failed:
        ask(client, seen=seen)
    assert failed.value.code == "inference_bad_output"
    (call,) = seen.asking.journal.calls
    assert call.problem == failed.value.details["reason"] == "too_many_tokens"


@pytest.mark.parametrize(
    ("language", "reason"),
    [
        ("en", 'The answer must be an amount in figures, not "cash".'),
        ("de-AT", "Die Antwort muss ein Betrag in Ziffern sein, nicht „cash“."),
        ("xx", 'The answer must be an amount in figures, not "cash".'),
    ],
)
def test_what_has_not_its_form_is_asked_again_with_the_reason(language: str, reason: str) -> None:
    said = {"vendor_name": "Corner Shop", "total": "cash", "issue_date": "yesterday", "tip": "1,50"}
    client = ScriptedClient(said, {"total": "19,90", "issue_date": "17.03.2026"})
    seen = sight()
    answer = ask(client, language=language, seen=seen)
    assert {name: values[0].text for name, values in answer.fields.items()} == {
        "vendor_name": "Corner Shop",
        "total": "19,90",
        "issue_date": "17.03.2026",
        "tip": "1,50",
    }
    first, second = client.requests
    usual = {question.name: question.text for question in first.questions}
    assert second.document == first.document
    assert [question.name for question in second.questions] == ["issue_date", "total"]
    assert second.questions[1].text == f"{usual['total']} {reason}"
    bad, good = seen.asking.journal.calls
    assert bad.purpose == f"{len(SCALARS)} questions"
    assert bad.problem == "not of the form asked for: issue_date, total"
    assert (good.purpose, good.problem) == ("2 questions again", "")
    assert bad.error is good.error is None
    assert bad.prompt_sha256 != good.prompt_sha256


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_it_is_asked_again_as_often_as_the_card_allows(attempts: int) -> None:
    client = ScriptedClient({"total": "cash", "tip": "1,50"})
    answer = ask(client, attempts=attempts)
    assert len(client.requests) == attempts
    assert answer.fields["total"][0].text == "cash"
    assert answer.fields["tip"][0].text == "1,50"


def test_what_is_said_in_the_last_attempt_counts_and_nothing_is_an_answer_too() -> None:
    client = ScriptedClient({"total": "cash", "tip": "some"}, {"total": "by card"})
    answer = ask(client)
    assert {name: values[0].text for name, values in answer.fields.items()} == {"total": "by card"}


def test_several_values_of_which_one_has_the_form_are_not_asked_again() -> None:
    client = ScriptedClient({"total": "EUR | 19,90"})
    assert [said.text for said in ask(client).fields["total"]] == ["EUR", "19,90"]
    assert len(client.requests) == 1


def test_an_answer_that_was_cut_is_asked_for_at_less_length() -> None:
    said = {"vendor_address": "Leeds Leeds Leeds"}
    client = ScriptedClient(
        lambda request: cut(request, said, "vendor_address"), {"vendor_address": "Leeds"}
    )
    assert ask(client, language="fr").fields["vendor_address"][0].text == "Leeds"
    (question,) = client.requests[1].questions
    assert question.text.endswith("? Répondre uniquement par la valeur.")


@pytest.mark.parametrize(
    "failure",
    [
        unavailable(),
        Error("inference_timeout", Kind.TIMEOUT, "Too late.", retryable=True),
        wrong_names,
    ],
)
def test_a_first_answer_is_not_lost_to_a_second_that_fails(failure: Any) -> None:
    seen = sight()
    client = ScriptedClient({"total": "cash", "tip": "1,50"}, failure)
    answer = ask(client, seen=seen)
    assert {n: said[0].text for n, said in answer.fields.items()} == {
        "total": "cash",
        "tip": "1,50",
    }
    first, second = seen.asking.journal.calls
    assert first.error is None
    assert second.error is not None


def test_a_second_answer_is_waited_for_half_the_time_that_is_left() -> None:
    client = ScriptedClient({"total": "cash"})
    seen = replace(sight(), deadline=Deadline(at=100.0, clock=lambda: 40.0))
    ask(client, seen=seen)
    assert [deadline.at for deadline in client.deadlines] == [100.0, 70.0]


def test_who_cancels_gets_no_answer_of_before() -> None:
    client = ScriptedClient({"total": "cash"}, Canceled())
    with pytest.raises(Canceled):
        ask(client)


def test_cells_of_a_row_are_asked_again_too() -> None:
    client = ScriptedClient(
        {"line_items.description": "Green tea | Lemon cake"},
        {"0.amount": "5,00", "1.amount": "Lemon cake"},
        {"1.amount": "14,90"},
    )
    rows = ask(client, ITEMS).tables["line_items"]
    assert [row["amount"].text for row in rows] == ["5,00", "14,90"]
    (question,) = client.requests[2].questions
    assert "(Lemon cake)" in question.text
    assert 'not "Lemon cake"' in question.text


def test_a_model_that_says_none_has_said_nothing() -> None:
    client = ScriptedClient({"total": "None", "tip": "-", "change": "n/a"})
    assert ask(client).fields == {}
    assert len(client.requests) == 1


def test_what_never_has_its_form_is_a_doubt_and_never_an_answer() -> None:
    said = {"vendor_name": "C0RNER SHOP", "total": "cash", "issue_date": "yesterday"}
    client = ScriptedClient(said)
    rules = build_cpu_extractor()
    extractor = ModelReader(shipped_cards(), client, "arctic-tilt", rules).looking_at(sight())
    pages, hints = [page(*ROWS)], Hints(received_on=date(2026, 11, 22))
    reading = finish(extractor.extract(pages, RECEIPT, hints), RECEIPT, pages, hints)
    assert reading.result["total"] is None
    assert reading.result["issue_date"] is None
    assert reading.needs_review
    assert {"not_on_page:total", "not_on_page:issue_date"} <= set(reading.review_reasons)
    assert "not_on_page:vendor_name" not in reading.review_reasons


def test_a_fitted_model_is_believed_as_its_card_says() -> None:
    shipped = shipped_cards()
    unsure = Confidence(fitted_on="a set", **asdict(ModelWeights(bias=-4.0)))
    measured = tuple(c.model_copy(update={"confidence": unsure}) for c in shipped.cards)
    pages, hints = [page(*ROWS)], Hints(received_on=date(2026, 11, 22))
    sure = []
    for cards in (shipped, ModelCards(measured, shipped.prompts)):
        client = ScriptedClient({"total": "19,90"})
        reader = ModelReader(cards, client, "arctic-tilt", build_cpu_extractor())
        raw = reader.looking_at(sight()).extract(pages, RECEIPT, hints)
        sure.append(finish(raw, RECEIPT, pages, hints).fields["total"].confidence)
    by_judgement, by_card = sure
    assert by_judgement > by_card + 0.1


def test_every_shipped_reason_is_in_the_languages_of_the_questions_and_short() -> None:
    prompt = shipped_cards().prompts["arctic-tilt"]
    assert isinstance(prompt, TiltPrompt)
    specs = [s for s in (*RECEIPT.fields, *ITEMS[0].columns) if s.type in FORMS]
    for spec in specs:
        for language, question in (("en", spec.question), *spec.translations):
            assert language in prompt.again
            text = prompt.ask_again(question, language, spec.type, "x" * 500)
            assert text.startswith(question)
            assert len(text) < 300
            assert len(prompt.ask_shorter(question, language)) < 300
