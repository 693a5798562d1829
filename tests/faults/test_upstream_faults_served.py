"""A bad inference server behind the whole service: status, code, artifact, and an end in time."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bad_upstream import BadServer, answer, bad_server, hang, refusing_address
from one_page import OnePageLoader
from starlette.testclient import TestClient
from upstream_faults import ENDLESS, FAULTS, SERVER_ERROR, Fault, documented

from apps.api_cpu.main import create_app
from apps.api_cpu.settings import CONFIGS, Settings, load_settings
from apps.api_cpu.stations import Reader
from lib.inference.addresses import AddressBook
from lib.inference.breaker import BreakerPolicy
from lib.inference.client import Circuit
from lib.inference.connection import Timeouts
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.retry import RetryPolicy
from lib.inference.secret import Secret
from lib.kie.extractor_later import CpuExtractorLater
from lib.kie.models.card_files import load_cards
from lib.kie.models.model_extractor import ModelReader
from lib.pipelines.extract import Stations
from lib.pipelines.field_reading import ModelStation
from lib.pipelines.rules import RulesHere
from lib.pipelines.tasks import load_tasks

# Nothing here may hang: the bound is pytest's, well above what a request is allowed to take.
pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = {"image_base64": "JVBERi0xLjQK", "task_id": "invoice_fields_v1"}
DEADLINE_S = 100.0
# Nothing but the request's deadline ends a wait here: an answer of any other kind waited for none.
PATIENT = ClientSettings(
    timeouts=Timeouts(connect_s=600, read_s=600, write_s=600, pool_s=600),
    retry=RetryPolicy(
        first_pause_s=0.001, longest_pause_s=0.002, longest_retry_after_s=0.01, reserve=1e6
    ),
    breaker=BreakerPolicy(threshold=1_000_000),
    max_body_bytes=1 << 20,
)
# For what never answers: given up by the client's time-outs, long before the request's deadline.
HASTY = replace(PATIENT, timeouts=Timeouts(connect_s=2, read_s=0.5, write_s=0.5, pool_s=0.5))
RULES = CpuExtractorLater()
CARDS = load_cards(CONFIGS / "models", CONFIGS / "prompts")
TASKS = load_tasks(CONFIGS / "tasks")


class Service:
    """The server in this process; its model is at an address that misbehaves."""

    def __init__(
        self,
        folder: Path,
        address: str,
        how: ClientSettings = PATIENT,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.settings = load_settings(data_root=folder, ocr_workers=1, sync_deadline_s=deadline_s)
        self.inference = HttpInferenceClient(AddressBook(address), Secret(""), how)
        self.client = TestClient(create_app(self.settings, self._reader), "http://localhost")
        self.client.__enter__()

    def close(self) -> None:
        """End it."""
        self.client.__exit__(None, None, None)

    def extract(self, **headers: str) -> Any:
        """The answer to one document, waited for."""
        given = {"Prefer": "wait"} | headers
        return self.client.post("/v1/extract", json=DOCUMENT, headers=given)

    def artifact(self, answered: Any) -> dict[str, Any]:
        """What was kept of a request that failed."""
        rel = answered.json()["error"]["details"]["artifact_rel"]
        text = (self.settings.artifacts_folder / rel).read_text(encoding="utf-8")
        kept: dict[str, Any] = json.loads(text)
        return kept

    def _reader(self, settings: Settings) -> Reader:
        model = ModelStation("vllm", ModelReader(CARDS, self.inference, "mock-chat", RULES))
        stations = Stations(OnePageLoader(), None, RulesHere(RULES), TASKS, model)  # type: ignore[arg-type]
        return Reader(stations, lambda: True, self.inference.close)


@pytest.fixture(scope="module")
def upstream() -> Iterator[BadServer]:
    RULES.make()  # not within the time of the first request
    with bad_server(answer(), probed=True) as server:
        yield server


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory, new_databases: Path) -> Callable[[], Path]:
    """Makes folders with new databases."""
    return lambda: Path(shutil.copytree(new_databases, tmp_path_factory.mktemp("served") / "data"))


@pytest.fixture(scope="module")
def service(upstream: BadServer, data_root: Callable[[], Path]) -> Iterator[Service]:
    made = Service(data_root(), upstream.address)
    yield made
    made.close()


@pytest.fixture(scope="module")
def hasty(upstream: BadServer, data_root: Callable[[], Path]) -> Iterator[Service]:
    made = Service(data_root(), upstream.address, HASTY)
    yield made
    made.close()


@pytest.mark.parametrize(("name", "fault"), FAULTS.items(), ids=FAULTS)
def test_every_fault_has_its_answer_its_artifact_and_its_end_in_time(
    service: Service, hasty: Service, upstream: BadServer, name: str, fault: Fault
) -> None:
    service = hasty if name in ENDLESS else service
    upstream.play(fault.step)
    started = time.monotonic()
    answered = service.extract()
    took_s = time.monotonic() - started
    assert answered.status_code == fault.status, answered.text
    assert took_s < DEADLINE_S
    if name in ENDLESS:
        # One time-out, and no other try after it.
        assert took_s >= HASTY.timeouts.read_s
    error = answered.json()["error"]
    assert (error["code"], error["details"]["reason"]) == (fault.code, fault.reason)
    assert error["details"]["attempts"].count(fault.reason) == fault.attempts
    assert ("retry-after" in answered.headers) == (fault.status == 503)
    artifact = service.artifact(answered)
    assert (artifact["status"], artifact["error"]["code"]) == (fault.status, fault.code)
    (call,) = artifact["inference"]["calls"]
    assert (call["error"], call["problem"]) == (fault.code, fault.reason)
    assert upstream.address not in answered.text
    assert "169.254" not in answered.text


def test_a_refused_connection_has_its_answer_and_its_artifact(
    data_root: Callable[[], Path],
) -> None:
    with refusing_address() as address, closing(Service(data_root(), address)) as service:
        answered = service.extract()
        assert answered.status_code == 503
        error = answered.json()["error"]
        assert (error["code"], error["details"]["reason"]) == ("inference_unavailable", "connect")
        assert error["details"]["attempts"] == ["connect"] * 3
        assert service.artifact(answered)["error"]["code"] == "inference_unavailable"


def test_the_deadline_of_the_request_is_the_end_of_everything(
    data_root: Callable[[], Path], upstream: BadServer
) -> None:
    upstream.play(hang)
    patient = ClientSettings(timeouts=Timeouts(read_s=600))
    service = Service(data_root(), upstream.address, patient, deadline_s=5)
    try:
        answered = service.extract()
        assert answered.status_code == 504
        error = answered.json()["error"]
        assert (error["code"], error["details"]["reason"]) == ("inference_timeout", "timeout")
        assert service.artifact(answered)["error"]["code"] == "inference_timeout"
        assert upstream.broken_off.wait(30), "nobody waits for that answer any more"
    finally:
        service.close()


def test_a_server_that_keeps_failing_is_left_alone_then_tried_once(
    data_root: Callable[[], Path], upstream: BadServer
) -> None:
    policy = BreakerPolicy(threshold=3, first_pause_s=2, longest_pause_s=2)
    once = replace(PATIENT, retry=RetryPolicy(max_attempts=1), breaker=policy)
    upstream.play(answer(SERVER_ERROR, "500 Internal Server Error"))
    service = Service(data_root(), upstream.address, once)
    try:
        reasons = [_reason(service.extract()) for _ in range(3)]
        assert reasons == ["server_error"] * 3
        asked = len(upstream.requests)
        # Open: until the pause is over nobody asks, and the answer comes without the server.
        while (reason := _reason(service.extract())) != "server_error":
            assert reason == "all_down"
            assert len(upstream.requests) == asked
            time.sleep(0.02)
        assert len(upstream.requests) == asked + 1, "the trial was one request"
        upstream.play(answer())
        while service.inference.snapshot().upstreams[0].circuit is not Circuit.CLOSED:
            # What this server says is no extraction, but it is an answer: the circuit closes.
            assert _reason(service.extract()) != "server_error"
            time.sleep(0.01)
    finally:
        service.close()


def _reason(answered: Any) -> str:
    reason: str = answered.json()["error"]["details"]["reason"]
    return reason


def test_the_documentation_has_every_row() -> None:
    page = (ROOT / "docs" / "inference.md").read_text(encoding="utf-8")
    assert documented() in page, documented()
