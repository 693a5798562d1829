"""The dialect `chat`: what is sent, what is asked again, and what is kept of it."""

import json
from dataclasses import replace
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
from test_grounding import ROWS, page

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.geometry import Polygon
from lib.errors import Error
from lib.inference.wire import ChatRequest, ImagePart, TextPart
from lib.kie.models.chat import ChatAsker
from lib.kie.models.prompts import ChatPrompt
from lib.kie.models.said import ModelAnswer
from lib.kie.models.sight import Sight, View, both_ends
from lib.pipelines.tasks import load_tasks

RECEIPT = load_tasks(Path(CONFIGS) / "tasks")["receipt_fields_v1"]
PAGES = (page(*ROWS), page("Page two", number=2))


def ask(client: ScriptedClient, seen: Sight, card: str = "qwen-vl", **changes: Any) -> ModelAnswer:
    cards = shipped_cards()
    chosen = next(c for c in cards.cards if c.id == card).model_copy(update=changes)
    prompt = cards.prompts[card]
    assert isinstance(prompt, ChatPrompt)
    views = [View(page) for page in PAGES]
    return ChatAsker(chosen, prompt, client).ask(RECEIPT.fields, views, "en", "a/model", seen)


def parts(request: ChatRequest) -> list[Any]:
    content = request.messages[1].content
    assert not isinstance(content, str)
    return list(content)


def test_pages_go_as_data_uris_with_the_schema_and_the_words_as_help() -> None:
    client, seen = ScriptedClient(as_json({"total": "19,90"})), sight(request_id="r1")
    answer = ask(client, seen)
    assert answer.fields["total"][0].text == "19,90"
    (request,) = client.requests
    images = [part for part in parts(request) if isinstance(part, ImagePart)]
    assert [image.image_url.url[:23] for image in images] == ["data:image/jpeg;base64,"] * 2
    texts = [part.text for part in parts(request) if isinstance(part, TextPart)]
    assert texts[:2] == ["Page 1:", "Page 2:"]
    assert "Lemon cake" in texts[2]
    assert "- total (amount): Amount to be paid" in texts[3]
    assert fields_asked(request) == [spec.name for spec in RECEIPT.fields]
    assert (request.model, request.temperature, request.max_tokens) == ("a/model", 0.0, 4096)
    assert isinstance(seen.images, BlankImages)
    assert [limits.multiple for _, _, limits in seen.images.asked] == [28, 28]


def test_a_document_is_let_go_while_the_model_writes() -> None:
    released: list[int] = []
    client, images = ScriptedClient(as_json({"total": "19,90"})), BlankImages()
    seen = sight(meanwhile=lambda: released.append(images.released))
    ask(client, replace(seen, images=images))
    assert released == [1]
    assert len(images.asked) == len(PAGES)


def test_a_card_without_guided_decoding_or_help_sends_neither() -> None:
    client = ScriptedClient(as_json({}))
    with pytest.raises(AssertionError):  # the script reads the schema that is not there
        ask(client, sight(), response_format="none", ocr_text=False)
    assert client.requests[0].response_format is None
    assert not any("Lemon cake" in part.text for part in parts(client.requests[0])[4:])


def test_an_unusable_answer_is_asked_again_with_the_reason() -> None:
    client, seen = ScriptedClient("Sorry!", as_json({"total": "19,90"})), sight()
    assert ask(client, seen).fields["total"][0].text == "19,90"
    first, second = client.requests
    assert [m.role for m in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[2].content == "Sorry!"
    assert "not one JSON object" in str(second.messages[3].content)
    assert (first.temperature, second.temperature) == (0.0, 0.2)
    calls = seen.asking.journal.calls
    assert [(call.purpose, call.error) for call in calls] == [
        ("fields", "inference_bad_output"),
        ("retry", None),
    ]
    assert calls[0].text == "Sorry!"
    assert calls[0].prompt_sha256 != calls[1].prompt_sha256
    assert len(calls[0].prompt_sha256) == 64


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (('{"vendor_name": "Corner', "length"), "cut off"),
        (("{}", "stop"), "lacks the key"),
        (("", "stop"), "not one JSON object"),
        (("{}", "content_filter"), "not finished"),
        (('{"total": NaN}', "stop"), "NaN"),
    ],
)
def test_after_the_last_try_it_is_bad_output_and_every_try_is_kept(
    reply: tuple[str, Any], reason: str
) -> None:
    client, seen = ScriptedClient(reply), sight()
    with pytest.raises(Error) as failed:
        ask(client, seen)
    assert failed.value.code == "inference_bad_output"
    assert reason in failed.value.details["reason"]
    assert [call.error for call in seen.asking.journal.calls] == ["inference_bad_output"] * 2
    assert len(client.requests) == 2


def test_what_cannot_be_reached_is_not_asked_again_here() -> None:
    client, seen = ScriptedClient(unavailable()), sight()
    with pytest.raises(Error, match="inference_unavailable"):
        ask(client, seen)
    assert [call.error for call in seen.asking.journal.calls] == ["inference_unavailable"]
    assert len(client.requests) == 1


def test_the_callers_cancellation_reaches_the_client() -> None:
    cancellation = Cancellation()
    client, seen = ScriptedClient(Canceled()), sight(cancellation=cancellation)
    with pytest.raises(Canceled):
        ask(client, seen)
    assert client.cancellations == [cancellation]
    assert [call.error for call in seen.asking.journal.calls] == ["canceled"]


def test_a_callers_temperature_goes_before_the_cards() -> None:
    client = ScriptedClient("no", as_json({}))
    ask(client, sight(temperature=0.7))
    assert [request.temperature for request in client.requests] == [0.7, 0.7]


def test_a_long_document_is_shown_by_its_first_pages_and_its_last() -> None:
    views = [View(page("words", number=number)) for number in range(1, 8)]
    for most, numbers in ((9, [1, 2, 3, 4, 5, 6, 7]), (3, [1, 2, 7]), (2, [1, 7]), (1, [1])):
        assert [view.page.number for view in both_ends(views, most)] == numbers


def test_a_view_has_the_words_and_lines_of_its_part() -> None:
    view = View(PAGES[0], Polygon.from_box(0, 0.04, 1, 0.12))
    assert view.text.splitlines()[0] == "C0RNER SHOP & SONS"
    assert "Leeds" not in view.text
    assert [word.text for word in view.words] == [
        "C0RNER",
        "SHOP",
        "&",
        "SONS",
        "12",
        "High",
        "Street",
    ]


def test_the_prompt_is_hashed_without_the_pixels() -> None:
    hashes = set()
    for _ in range(2):
        seen = sight()
        ask(ScriptedClient(as_json({})), seen)
        hashes.add(seen.asking.journal.calls[0].prompt_sha256)
    assert len(hashes) == 1
    assert json.dumps(list(hashes))
