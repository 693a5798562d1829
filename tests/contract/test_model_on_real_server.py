"""A real vLLM with random weights: our schemas compile there, and nonsense is never believed.

The server is `VLLM_PEER_URL`, key and model as in inference_cases; asked with `-m peer`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
from inference_cases import KEY, MODEL
from scripted_inference import CONFIGS, BlankImages, shipped_cards
from test_extractors import page

from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.extraction import Hints, Source
from lib.domain.geometry import Polygon
from lib.domain.page_images import EncodedImage, ImageLimits
from lib.domain.task import FieldSpec
from lib.errors import Error
from lib.inference.addresses import AddressBook
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.retry import RetryPolicy
from lib.inference.secret import Secret
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.models.card_files import ModelCards
from lib.kie.models.model_extractor import ModelExtractor, ModelReader
from lib.kie.models.sight import Asking, Sight, View
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

pytestmark = pytest.mark.peer

TASKS = load_tasks(Path(CONFIGS) / "tasks")
HINTS = Hints(received_on=date(2026, 11, 21))
ANSWER_TOKENS = 300
PAGE = page()
EVERY_FIELD = [(task_id, spec.name) for task_id, task in TASKS.items() for spec in task.fields]


class Grey(BlankImages):
    """A small grey picture: the server decodes it for real."""

    def encoded(self, page: Page, part: Polygon, limits: ImageLimits) -> EncodedImage:
        _, encoded = cv2.imencode(".jpg", np.full((112, 112, 3), 200, np.uint8))
        return EncodedImage("image/jpeg", 112, 112, encoded.tobytes())

    def release(self) -> None:
        """Nothing is held."""


@pytest.fixture(scope="module")
def client() -> Iterator[HttpInferenceClient]:
    client = HttpInferenceClient(
        AddressBook(os.environ["VLLM_PEER_URL"]),
        Secret(KEY),
        ClientSettings(retry=RetryPolicy(max_attempts=1)),
    )
    with client:
        yield client


def extractor(client: HttpInferenceClient, asking: Asking) -> ModelExtractor:
    """The generic card with answers that a tiny context holds."""
    shipped = shipped_cards()
    cards = tuple(
        card.model_copy(
            update={
                "limits": card.limits.model_copy(
                    update={"answer_tokens": ANSWER_TOKENS, "ocr_characters": 200, "table_rows": 2}
                )
            }
        )
        for card in shipped.cards
    )
    reader = ModelReader(ModelCards(cards, shipped.prompts), client, MODEL, build_cpu_extractor())
    return reader.looking_at(Sight(Grey(), Deadline.after(300), asking))


@pytest.mark.parametrize(("task_id", "name"), EVERY_FIELD)
def test_the_grammar_of_every_field_compiles(
    client: HttpInferenceClient, task_id: str, name: str
) -> None:
    """A schema that the server cannot compile is a 500 of it, and no answer."""
    spec: FieldSpec | None = TASKS[task_id].field(name)
    assert spec is not None
    asking = Asking()
    rules = build_cpu_extractor().extract([PAGE], TASKS[task_id], HINTS)
    try:
        extractor(client, asking).ask(lambda: rules, [spec], [View(PAGE)])
    except Error as error:
        assert error.code == "inference_bad_output"
        assert asking.journal.calls[0].finish_reason in {"stop", "length"}
    assert asking.journal.calls[0].completion_tokens > 0


@pytest.mark.parametrize("task_id", ["receipt_fields_v1", "invoice_fields_v1", "auto"])
def test_random_weights_give_bad_output_or_doubts_and_never_a_sure_value(
    client: HttpInferenceClient, task_id: str
) -> None:
    asking = Asking()
    try:
        raw = extractor(client, asking).extract([PAGE], TASKS[task_id], HINTS)
    except Error as error:
        assert error.code == "inference_bad_output"
        assert [call.error for call in asking.journal.calls] == ["inference_bad_output"] * 2
        return
    words = {id(word) for word in PAGE.words}
    for candidates in raw.fields.values():
        for candidate in candidates:
            assert {id(word) for word in candidate.words} <= words
    reading = finish(raw, raw.task or TASKS[task_id], [PAGE], HINTS)
    assert reading.needs_review
    assert all(f.page for f in reading.fields.values() if f.source is Source.MODEL and f.value)
