"""The orchestrator's dialect `tilt`, its client and our TILT server, together over HTTP.

The engine is scripted here: it answers a question that is one word by the word after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scripted_inference import BlankImages, shipped_cards
from scripted_tilt import ScriptedEngine
from test_extractors import HINTS, page
from tilt_service import KEY, MODEL, Service

from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.geometry import Polygon
from lib.domain.page_images import EncodedImage, ImageLimits
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.inference.addresses import AddressBook
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.retry import RetryPolicy
from lib.inference.secret import Secret
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.models.card_files import ModelCards
from lib.kie.models.forms import FORMS
from lib.kie.models.model_extractor import ModelExtractor, ModelReader
from lib.kie.models.prompts import TiltPrompt
from lib.kie.models.sight import Asking, Sight, View

TASK = Task(
    "receipt_words_v1",
    "Receipts, asked by the word before the value",
    DocumentType.RECEIPT,
    (
        FieldSpec("total", FieldType.MONEY, "The sum", "GBP"),
        FieldSpec("change", FieldType.MONEY, "The change", "Change"),
        FieldSpec("tip", FieldType.MONEY, "The tip", "Tip"),
    ),
)


class Sized(BlankImages):
    """Grey pictures in the shape of the part."""

    def encoded(self, page: Page, part: Polygon, limits: ImageLimits) -> EncodedImage:
        height = max(1, round(1000 * (part.y1 - part.y0)))
        _, encoded = cv2.imencode(".jpg", np.full((height, 571, 3), 200, np.uint8))
        return EncodedImage("image/jpeg", 571, height, encoded.tobytes())

    def release(self) -> None:
        """Nothing is held."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service(ScriptedEngine())
    yield service
    service.stop()


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[HttpInferenceClient]:
    settings = ClientSettings(retry=RetryPolicy(max_attempts=1))
    with HttpInferenceClient(AddressBook(service.url), Secret(KEY), settings) as client:
        yield client


def extractor(
    client: HttpInferenceClient, asking: Asking, cards: ModelCards | None = None
) -> ModelExtractor:
    reader = ModelReader(cards or shipped_cards(), client, MODEL, build_cpu_extractor())
    return reader.looking_at(Sight(Sized(), Deadline.after(60), asking))


def cards_that_ask_again(form: str) -> ModelCards:
    """The shipped ones; asked again, any question ends in this word."""
    shipped = shipped_cards()
    prompt = TiltPrompt(
        rows="$question",
        cell="$question ($row)",
        again={"en": '$question "$answer" $form'},
        cut={"en": "$question"},
        forms={kind: {"en": form} for kind in FORMS},
    )
    return ModelCards(shipped.cards, {**shipped.prompts, "arctic-tilt": prompt})


def test_what_the_engine_says_is_found_on_the_page(client: HttpInferenceClient) -> None:
    asking = Asking()
    raw = extractor(client, asking).extract([page()], TASK, HINTS)
    assert {name: found[0].raw for name, found in raw.fields.items()} == {
        "total": "GBP 19.90",
        "change": "0.10",
    }
    assert raw.doubts == {}
    (call,) = asking.journal.calls
    assert call.card == "arctic-tilt"
    assert call.prompt_tokens > 0
    assert call.error is None


ASKED_BY_LABEL = replace(
    TASK,
    fields=(
        FieldSpec("total", FieldType.MONEY, "The sum", "Total"),
        FieldSpec("change", FieldType.MONEY, "The change", "Change"),
    ),
)


def test_an_answer_that_is_no_amount_is_asked_for_again(client: HttpInferenceClient) -> None:
    asking = Asking()
    reading = extractor(client, asking, cards_that_ask_again("GBP"))
    raw = reading.extract([page()], ASKED_BY_LABEL, HINTS)
    assert {name: found[0].raw for name, found in raw.fields.items()} == {
        "total": "GBP 19.90",
        "change": "0.10",
    }
    assert raw.doubts == {}
    first, again = asking.journal.calls
    assert (first.purpose, first.problem) == ("2 questions", "not of the form asked for: total")
    assert (again.purpose, again.problem, again.error) == ("1 questions again", "", None)
    assert 0 < again.prompt_tokens < first.prompt_tokens


def test_one_that_never_is_an_amount_is_a_doubt(client: HttpInferenceClient) -> None:
    asking = Asking()
    reading = extractor(client, asking, cards_that_ask_again("Total"))
    raw = reading.extract([page()], ASKED_BY_LABEL, HINTS)
    assert set(raw.fields) == {"change"}
    assert [doubt.raw for doubt in raw.doubts["total"]] == ["GBP"]
    assert [call.error for call in asking.journal.calls] == [None, None]


def test_a_part_of_a_page_is_a_page_to_the_engine(
    client: HttpInferenceClient, service: Service
) -> None:
    rules = build_cpu_extractor().extract([page()], TASK, HINTS)
    part = View(page(), Polygon.from_box(0, 0.4, 1, 0.62))
    model = extractor(client, Asking())
    said = model.ask(lambda: rules, TASK.fields, [part], rules.language)
    raw = said.over(rules, [page()], TASK)
    assert raw.fields["change"][0].raw == "0.10"
    assert isinstance(service.engine, ScriptedEngine)
    asked = [{word for page in pages for word in page.words} for pages in service.engine.prepared]
    assert any("Change" in words and "CORNER" not in words for words in asked)


def test_a_document_that_is_too_long_for_the_engine_is_shown_in_part(
    client: HttpInferenceClient,
) -> None:
    many = [replace(page(), number=number, lines=page().lines * 2) for number in range(1, 4)]
    asking = Asking()
    raw = extractor(client, asking).extract(many, TASK, HINTS)
    assert any(warning.startswith("pages_not_shown") for warning in raw.warnings)
    *refused, answered = asking.journal.calls
    assert {call.problem for call in refused} == {"too_many_tokens"}
    assert answered.error is None
