"""A job that is canceled here ends its request at a real vLLM, not when that is through with it.

The server is `VLLM_PEER_URL`, key and model as in inference_cases; asked with `-m peer`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from inference_cases import KEY, MODEL
from one_page import OnePageLoader
from scripted_inference import shipped_cards
from starlette.testclient import TestClient

from apps.api_cpu.main import create_app
from apps.api_cpu.settings import Settings, load_settings
from apps.api_cpu.stations import Reader
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.inference.addresses import AddressBook
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.secret import Secret
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.models.card import ResponseFormat
from lib.kie.models.card_files import ModelCards
from lib.kie.models.model_extractor import ModelReader
from lib.pipelines.extract import Stations
from lib.pipelines.field_reading import ModelStation
from lib.pipelines.rules import RulesHere

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]

PATIENCE_S = 120.0
ANSWER_TOKENS = 3000
TRIES = 5
TOTAL = Task(
    "total_only",
    "One short question",
    DocumentType.INVOICE,
    (FieldSpec("total", FieldType.MONEY, "Total"),),
)


class Peer:
    """What the real server says of its work."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=PATIENCE_S)

    def sum_of(self, metric: str) -> float:
        """Of all series of a metric."""
        lines = self._client.get("/metrics").text.splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"vllm:{metric}{{")
        )


def _reader(client: HttpInferenceClient) -> Reader:
    """Asks for one field, in free text that random weights write to the last token."""
    shipped = shipped_cards()
    cards = tuple(
        card.model_copy(
            update={
                "limits": card.limits.model_copy(
                    update={"answer_tokens": ANSWER_TOKENS, "ocr_characters": 100}
                ),
                "response_format": ResponseFormat.NONE,
                "attempts": 1,
            }
        )
        for card in shipped.cards
        if card.generic
    )
    rules = build_cpu_extractor()
    model = ModelStation(
        "vllm", ModelReader(ModelCards(cards, shipped.prompts), client, MODEL, rules)
    )
    by_rules = RulesHere(rules)
    stations = Stations(OnePageLoader(), None, by_rules, {TOTAL.id: TOTAL}, model)  # type: ignore[arg-type]
    return Reader(stations, lambda: True, client.close)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[TestClient]:
    client = HttpInferenceClient(
        AddressBook(os.environ["VLLM_PEER_URL"]), Secret(KEY), ClientSettings()
    )
    settings: Settings = load_settings(data_root=tmp_path / "data", ocr_workers=1)
    app = create_app(settings, lambda _settings: _reader(client))
    with TestClient(app, "http://localhost") as served:
        yield served


def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_a_canceled_job_ends_its_request_at_the_model(service: TestClient) -> None:
    peer = Peer(os.environ["VLLM_PEER_URL"])
    assert any(_ended_by_cancel(service, peer) for _ in range(TRIES)), "it always wrote to its end"


def _ended_by_cancel(service: TestClient, peer: Peer) -> bool:
    """False when the model had written all before the cancel: on a busy machine it is soon done."""
    _until(lambda: peer.sum_of("num_requests_running") == 0, "the peer to be idle")
    ended = peer.sum_of("request_success_total")
    written = peer.sum_of("generation_tokens_total")

    def wrote_all() -> bool:
        return peer.sum_of("request_success_total") > ended

    accepted = service.post(
        "/v1/extract_async", files={"file": ("a.pdf", b"%PDF-1.4")}, data={"task_id": TOTAL.id}
    )
    assert accepted.status_code == 202, accepted.text
    job = accepted.json()["poll_url"]
    _until(lambda: peer.sum_of("generation_tokens_total") > written, "its first tokens")
    canceled = service.post(f"{job}/cancel")
    view = service.get(job, params={"wait": 60}).json()
    _until(lambda: peer.sum_of("num_requests_running") == 0, "the peer to stop")
    if wrote_all():
        return False
    assert canceled.status_code in {200, 202}, canceled.text
    assert (view["status"], view["progress"]["canceled"]) == ("canceled", 1)
    stopped_at = peer.sum_of("generation_tokens_total") - written
    assert stopped_at < ANSWER_TOKENS, "it had written all that it could before it was stopped"
    return True
