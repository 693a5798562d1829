"""Extraction through the server with the real mock process as the model: answers, faults, keys."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_place import PEPPER
from mock_process import ROOT, MockProcess
from starlette.testclient import TestClient

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.inference import serves
from apps.api_cpu.main import create_app
from apps.api_cpu.settings import CONFIGS, Settings, load_settings
from apps.api_cpu.stations import Reader, build_document_loader
from lib.inference.addresses import AddressBook
from lib.inference.connection import Timeouts
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.retry import RetryPolicy
from lib.inference.secret import Secret
from lib.kie.extractor_later import CpuExtractorLater
from lib.kie.models.card_files import load_cards
from lib.kie.models.model_extractor import ModelReader
from lib.loading.loader import ProcessLoader
from lib.pipelines.extract import Stations
from lib.pipelines.field_reading import ModelStation
from lib.pipelines.rules import RulesHere
from lib.pipelines.tasks import load_tasks
from scripts.service_processes import free_port

INVOICE = (ROOT / "samples" / "invoice_digital.pdf").read_bytes()
ONCE = ClientSettings(retry=RetryPolicy(max_attempts=1))
IMPATIENT = ClientSettings(
    timeouts=Timeouts(connect_s=5, read_s=0.3, write_s=5, pool_s=5),
    retry=RetryPolicy(max_attempts=1),
)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockProcess]:
    process = MockProcess()
    yield process
    process.close()


@pytest.fixture(scope="module")
def loader() -> Iterator[ProcessLoader]:
    with build_document_loader(load_settings()) as built:
        yield built


RULES = CpuExtractorLater()
CARDS = load_cards(CONFIGS / "models", CONFIGS / "prompts")
TASKS = load_tasks(CONFIGS / "tasks")


class ModelPlace:
    """A server whose model is the mock. Its documents have text layers, and need no OCR engine."""

    def __init__(
        self, settings: Settings, loader: ProcessLoader, url: str, model: str, **station: Any
    ) -> None:
        self.settings = settings
        self._loader = loader
        self._url, self._model, self._station = url, model, station
        self.app = create_app(settings, self._reader)
        self.client = TestClient(self.app, "http://localhost")

    def _reader(self, settings: Settings) -> Reader:
        client = HttpInferenceClient(
            AddressBook(self._url), Secret(""), self._station.pop("client", ONCE)
        )
        client.start()
        model = ModelStation(
            "mock", ModelReader(CARDS, client, self._model, RULES), **self._station
        )
        stations = Stations(self._loader, None, RulesHere(RULES), TASKS, model)  # type: ignore[arg-type]
        return Reader(stations, lambda: serves(client, self._model), client.close)

    def headers(self, role: Role) -> dict[str, str]:
        engine = open_database(self.settings.auth_database, Schema.KEYS, Durability.CRASH)
        key = KeyService(KeyStore(engine), PEPPER).create("test", role).text
        return {"Authorization": f"Bearer {key}"}

    def extract(self, debug: dict[str, Any] | None = None, **more: Any) -> Any:
        data = {"debug": json.dumps(debug)} if debug else {}
        return self.client.post("/v1/extract", files={"file": INVOICE}, data=data, **more)

    def artifact(self, answer: Any) -> dict[str, Any]:
        body = answer.json()
        rel = body.get("artifact_rel") or body["error"]["details"]["artifact_rel"]
        text = (self.settings.artifacts_folder / rel).read_text(encoding="utf-8")
        return json.loads(text)


@pytest.fixture
def place(
    tmp_path: Path, new_databases: Path, loader: ProcessLoader, mock: MockProcess
) -> Iterator[Callable[..., ModelPlace]]:
    places: list[ModelPlace] = []

    def make(
        model: str = "mock-tilt",
        faults: str = "",
        auth: bool = False,
        url: str = mock.url,
        **station: Any,
    ) -> ModelPlace:
        mock.behave(faults=faults)
        keys: dict[str, Any] = {"auth_enabled": True, "api_key_pepper": PEPPER} if auth else {}
        settings = load_settings(data_root=tmp_path / "data", ocr_workers=1, **keys)
        if not settings.data_root.exists():
            shutil.copytree(new_databases, settings.data_root)
        made = ModelPlace(settings, loader, url, model, **station)
        made.client.__enter__()
        places.append(made)
        return made

    yield make
    for each in places:
        each.client.__exit__(None, None, None)


def test_the_models_values_come_with_places_engine_and_cost(
    place: Callable[..., ModelPlace],
) -> None:
    served = place()
    answer = served.extract()
    body = answer.json()
    assert answer.status_code == 200, body
    expected = json.loads((ROOT / "samples" / "expected" / "invoice_digital.json").read_text())
    assert (body["backend"], body["model"]) == ("mock", "mock-tilt")
    names = ("document_number", "issue_date", "total", "vendor_name", "iban")
    for name in names:
        assert body["result"][name] == expected["result"][name], name
        field = body["fields"][name]
        assert (field["source"], field["engine"]) == ("model", "mock")
        assert field["page"] == 1
        assert field["polygon"]
        assert field["confidence"] > 0.6
    # The layout reads the table, so that the model is not asked about each of its cells.
    assert body["fields"]["line_items[0].amount"]["engine"] == "cpu"
    assert "model" in body["timings_ms"]
    inference = served.artifact(answer)["inference"]
    (call,) = inference["calls"]
    assert call["card"] == "mock-tilt"
    assert len(call["prompt_sha256"]) == 64
    assert call["error"] is None
    assert inference["gpu_seconds"] > 0
    assert inference["cost_usd"] == 0
    assert inference["prompt_tokens"] > 0


def test_what_a_document_cost_is_kept_at_the_price_of_its_card(
    place: Callable[..., ModelPlace],
) -> None:
    own = MockProcess("--model", "acme/reader", MOCK_LATENCY_S="1")
    try:
        served = place("acme/reader", url=own.url)
        answer = served.extract()
        inference = served.artifact(answer)["inference"]
    finally:
        own.close()
    assert answer.status_code == 200, answer.text
    price = next(card.price_per_hour for card in CARDS.cards if card.generic)
    assert inference["price_per_hour_usd"] == price > 0
    assert inference["gpu_seconds"] >= 1
    assert inference["cost_usd"] >= round(price / 3600, 6)
    assert inference["cost_usd"] == pytest.approx(inference["gpu_seconds"] * price / 3600, abs=2e-6)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("401", 503, "inference_unavailable"),
        ("404", 503, "inference_unavailable"),
        ("429", 503, "inference_unavailable"),
        ("500", 503, "inference_unavailable"),
        ("503:2", 503, "inference_unavailable"),
        ("reset", 503, "inference_unavailable"),
        ("hang", 504, "inference_timeout"),
        ("html", 502, "inference_bad_output"),
        ("length", 502, "inference_bad_output"),
        ("broken", 502, "inference_bad_output"),
        ("nan", 502, "inference_bad_output"),
        ("prose", 502, "inference_bad_output"),
    ],
)
def test_a_fault_of_the_model_has_its_status_and_an_artifact(
    place: Callable[..., ModelPlace], fault: str, status: int, code: str
) -> None:
    client = IMPATIENT if fault == "hang" else ONCE
    served = place("mock-chat", faults=f"{fault}*", client=client)
    answer = served.extract()
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("Retry-After" in answer.headers) == (status == 503)
    artifact = served.artifact(answer)
    assert artifact["status"] == status
    assert artifact["error"]["code"] == code
    calls = artifact["inference"]["calls"]
    assert [call["error"] for call in calls] == [code] * len(calls)
    assert all(call["problem"] for call in calls)
    written = fault in {"length", "broken", "nan", "prose"}
    assert len(calls) == (2 if written else 1)
    assert (artifact["raw_model_text"] is not None) == written
    assert served.settings.artifacts_folder.exists()


def test_a_good_answer_after_a_bad_one_is_the_answer(place: Callable[..., ModelPlace]) -> None:
    served = place(faults="503", client=ClientSettings(retry=RetryPolicy(first_pause_s=0.01)))
    answer = served.extract()
    assert answer.status_code == 200
    (call,) = served.artifact(answer)["inference"]["calls"]
    assert call["failed_attempts"] == ["busy"]


def test_words_instead_of_values_are_asked_again_and_then_values(
    place: Callable[..., ModelPlace],
) -> None:
    served = place(faults="prose")
    answer = served.extract()
    body = answer.json()
    assert answer.status_code == 200, body
    expected = json.loads((ROOT / "samples" / "expected" / "invoice_digital.json").read_text())
    for name in ("issue_date", "total", "iban"):
        assert body["result"][name] == expected["result"][name], name
        assert body["fields"][name]["engine"] == "mock"
    # A name may be any text: that it is not on the page is found out there.
    assert body["result"]["vendor_name"] is None
    assert "not_on_page:vendor_name" in body["review_reasons"]
    first, again = served.artifact(answer)["inference"]["calls"]
    assert first["problem"].startswith("not of the form asked for: ")
    assert "total" in first["problem"]
    assert "vendor_name" not in first["problem"]
    assert again["purpose"].endswith(" questions again")
    assert first["error"] is again["error"] is again["problem"] is None


def test_words_that_never_become_values_are_doubts(place: Callable[..., ModelPlace]) -> None:
    served = place(faults="prose*")
    answer = served.extract()
    body = answer.json()
    assert answer.status_code == 200, body
    assert body["result"]["total"] is None
    assert body["needs_review"]
    assert {"missing:total", "not_on_page:total"} <= set(body["review_reasons"])
    calls = served.artifact(answer)["inference"]["calls"]
    assert len(calls) == 2
    assert all("total" in call["problem"] for call in calls)


@pytest.mark.parametrize("cascade_below", [None, 1.0])
def test_the_cpu_answers_while_the_model_is_away(
    place: Callable[..., ModelPlace], cascade_below: float | None
) -> None:
    served = place(faults="503*", falls_back=True, cascade_below=cascade_below)
    answer = served.extract()
    body = answer.json()
    assert (answer.status_code, body["backend"]) == (200, "cpu")
    assert body["warnings"][0].startswith("fallback_cpu:inference_unavailable")
    assert {f["engine"] for f in body["fields"].values()} <= {"cpu", None}
    (call,) = served.artifact(answer)["inference"]["calls"]
    assert (call["error"], call["failed_attempts"]) == ("inference_unavailable", ["busy"])


def test_nonsense_is_not_hidden_by_the_fallback(place: Callable[..., ModelPlace]) -> None:
    served = place("mock-chat", faults="broken*", falls_back=True)
    assert served.extract().status_code == 502


def test_a_cascade_asks_nothing_about_a_document_that_is_read_surely(
    place: Callable[..., ModelPlace],
) -> None:
    served = place(faults="500*", cascade_below=0.01)
    answer = served.extract()
    assert (answer.status_code, answer.json()["backend"]) == (200, "cpu")
    assert not any("fallback" in warning for warning in answer.json()["warnings"])
    assert served.artifact(answer)["inference"] is None


def test_a_cascade_asks_only_about_doubtful_fields(place: Callable[..., ModelPlace]) -> None:
    served = place(cascade_below=0.97)
    answer = served.extract(debug={"include_raw": True})
    body = answer.json()
    assert (answer.status_code, body["backend"]) == (200, "mock")
    engines = {name: field["engine"] for name, field in body["fields"].items() if "[" not in name}
    assert {"cpu", "mock"} <= set(engines.values())
    asked = {line.partition(":")[0] for line in body["raw_model_text"].splitlines()}
    assert asked < set(body["result"])
    assert {name for name, engine in engines.items() if engine == "mock"} <= asked


def test_raw_model_text_is_for_those_who_may_read_it(place: Callable[..., ModelPlace]) -> None:
    served = place(auth=True)
    client, admin = served.headers(Role.CLIENT), served.headers(Role.ADMIN)
    asked = served.extract(debug={"include_raw": True}, headers=admin)
    assert "total: " in asked.json()["raw_model_text"]
    plain = served.extract(headers=client).json()
    assert "raw_model_text" not in plain
    ref = {"ref": plain["artifact_rel"]}
    own = served.client.get("/v1/artifacts", params=ref, headers=client).json()
    full = served.client.get("/v1/artifacts", params=ref, headers=admin).json()
    assert "raw_model_text" not in own
    assert "total: " in full["raw_model_text"]
    assert "total: " not in json.dumps(own["inference"])


def test_who_may_debug_may_ask_another_model(place: Callable[..., ModelPlace]) -> None:
    served = place(auth=True)
    client, debugger = served.headers(Role.CLIENT), served.headers(Role.DEBUGGER)
    for wish in ({"model": "mock-chat"}, {"temperature": 0.5}):
        refused = served.extract(debug=wish, headers=client)
        assert refused.status_code == 403
    unknown = served.extract(debug={"model": "acme/none"}, headers=debugger)
    assert unknown.status_code == 422
    assert unknown.json()["error"]["details"]["errors"][0]["field"] == "debug.model"
    warm = served.extract(debug={"temperature": 0.5}, headers=debugger)
    assert (warm.status_code, warm.json()["error"]["code"]) == (422, "validation_error")
    odd = served.extract(debug={"temperature": 3}, headers=debugger)
    assert odd.status_code == 422


def test_a_callers_model_and_temperature_are_sent(
    place: Callable[..., ModelPlace], mock: MockProcess
) -> None:
    served = place("mock-tilt", faults="broken*")
    answer = served.extract(debug={"model": "mock-chat", "temperature": 0.5})
    assert answer.status_code == 502
    calls = served.artifact(answer)["inference"]["calls"]
    assert {call["card"] for call in calls} == {"mock-chat"}


def test_health_tells_whether_the_model_answers_without_asking_it(
    place: Callable[..., ModelPlace], tmp_path: Path
) -> None:
    own = MockProcess()
    try:
        client = ClientSettings(probe_every_s=0.05, probe_down_every_s=0.05)
        served = place(url=own.url, client=client)
        missing = place("acme/none", url=own.url, client=client)
        assert eventually(lambda: health(served)["inference"]["ready"])
        assert health(served)["inference"] == {
            "backend": "mock",
            "ready": True,
            "model": "mock-tilt",
        }
        assert not health(missing)["inference"]["ready"]
    finally:
        own.close()
    assert eventually(lambda: health(served)["status"] == "degraded")


def test_a_model_that_comes_later_is_ready_before_anybody_asks_it(
    place: Callable[..., ModelPlace],
) -> None:
    port = free_port()
    client = ClientSettings(probe_every_s=0.05, probe_down_every_s=0.01)
    served = place(url=f"http://127.0.0.1:{port}", client=client)
    refused = served.extract()
    while refused.json()["error"]["details"]["reason"] != "all_down":
        refused = served.extract()
    assert not health(served)["inference"]["ready"]
    own = MockProcess(port=port)
    try:
        # Who sends nothing to a server that is not ready would wait for ever.
        assert eventually(lambda: health(served)["inference"]["ready"])
        assert served.extract().status_code == 200
    finally:
        own.close()


def health(served: ModelPlace) -> dict[str, Any]:
    answer = served.client.get("/v1/health")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def eventually(probe: Callable[[], bool]) -> bool:
    end = time.monotonic() + 100
    while time.monotonic() < end:
        if probe():
            return True
        time.sleep(0.02)
    return False
