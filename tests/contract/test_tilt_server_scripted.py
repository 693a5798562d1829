"""The inference service with an engine that does as it is told: queues, deaths, departures."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from scripted_tilt import LIMITS, ScriptedEngine
from tilt_service import KEY, MODEL, Service, Waiting, asked, chat, eventually, page

from apps.api_gpu.engine import TiltEngine
from apps.api_gpu.server import ENGINE_DIED
from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.errors import Error
from lib.inference.addresses import AddressBook
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.secret import Secret
from lib.inference.wire import AnswersRequest


@pytest.fixture
def scripted() -> Iterator[ScriptedEngine]:
    yield ScriptedEngine()


@pytest.fixture
def started() -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def start(engine: TiltEngine, **settings: Any) -> Service:
        services.append(Service(engine, **settings))
        return services[-1]

    yield start
    for service in services:
        service.stop()


def test_values_and_score_come_from_the_engine(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted)
    two = page("Total", "12.50", "Total", "13.00")
    answer = service.client.post(
        "/v1/tilt/answers", json=asked(two, questions=("Total", "Date", "no room"))
    ).json()["answers"]
    assert answer[0]["text"] == "12.50 | 13.00"
    assert answer[0]["score"] == pytest.approx(0.7408, abs=1e-4)
    assert (answer[1]["text"], answer[1]["finish_reason"]) == ("", "stop")
    assert (answer[2]["text"], answer[2]["score"], answer[2]["finish_reason"]) == ("", 0, "length")
    short = service.client.post(
        "/v1/chat/completions",
        json=chat(
            {"type": "ocr_document", "ocr_document": {"pages": [two]}},
            {"type": "text", "text": "Total"},
            max_tokens=1,
        ),
    ).json()["choices"][0]
    assert (short["message"]["content"], short["finish_reason"]) == ("12.50", "length")


def test_pages_reach_the_engine_in_order_with_boxes_on_the_page(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_probe_interval_s=60)  # it prepares pages of its own
    first = page("one", " ", "two") | {"bboxes": [[-5, 0, 30, 900], [0, 0, 0, 0], [590, 1, 700, 9]]}
    third = page("three", size=(300, 1600), mode="L")
    answer = service.client.post("/v1/tilt/answers", json=asked(first, page(), third))
    assert answer.status_code == 200
    pages = scripted.prepared[-1]
    assert [found.words for found in pages] == [("one", "two"), ("three",)]
    assert pages[0].boxes == ((0, 0, 30, 800), (590, 1, 600, 9))
    assert [(found.image.mode, found.image.width, found.image.height) for found in pages] == [
        ("RGB", 768, 1024),
        ("L", 768, 2048),
    ]


def test_one_question_that_the_engine_refuses_fails_its_request_only(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted)
    poisoned = service.client.post("/v1/tilt/answers", json=asked(questions=("Total", "poison")))
    assert poisoned.status_code == 400
    assert service.client.post("/v1/tilt/answers", json=asked()).status_code == 200


def test_the_queue_is_bounded_and_says_when_to_come_back(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_queue=2)
    scripted.holding = True
    waiting = Waiting(service, 2)
    eventually(lambda: len(scripted.running) == 2, "two questions in the engine")
    refused = service.client.post("/v1/tilt/answers", json=asked())
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert service.metric('tilt_documents_total{outcome="busy"}') == 1
    assert service.client.get("/health").status_code == 200
    scripted.holding = False
    assert waiting.statuses() == [200, 200]
    assert service.client.post("/v1/tilt/answers", json=asked()).status_code == 200
    assert service.metric("tilt_documents_held") == 0


def test_the_engine_never_has_more_questions_than_seats(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_probe_interval_s=60)
    answer = service.client.post("/v1/tilt/answers", json=asked(questions=("Total",) * 9))
    assert len(answer.json()["answers"]) == 9
    assert scripted.most_at_once <= LIMITS.at_once - 1
    assert service.metric('tilt_questions_total{finish_reason="stop"}') == 9
    assert service.metric("tilt_pages_total") == 1


def test_a_client_that_goes_away_is_not_worked_for(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted)
    scripted.holding = True
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    connection.request(
        "POST",
        "/v1/tilt/answers",
        json.dumps(asked(questions=("Total",) * 5)),
        {"Authorization": f"Bearer {KEY}", "X-Request-ID": "gone"},
    )
    eventually(lambda: len(scripted.running) == LIMITS.at_once - 1, "questions in the engine")
    connection.close()
    eventually(lambda: not scripted.running, "an engine without questions")
    eventually(lambda: service.metric("tilt_documents_held") == 0, "a free place")
    assert {name.rpartition("-")[0] for name in scripted.given_up} == {"gone"}
    assert service.metric('tilt_documents_total{outcome="canceled"}') == 1


def test_a_request_that_takes_too_long_is_given_up(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_request_timeout_s=0.1)
    scripted.holding = True
    answer = service.client.post("/v1/tilt/answers", json=asked())
    assert (answer.status_code, answer.json()["error"]["reason"]) == (504, "inference_timeout")
    assert not scripted.running


def test_a_body_is_bounded_in_size(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_max_body_mb=1)
    large = b" " * (1024 * 1024 + 1)
    assert service.client.post("/v1/tilt/answers", content=large).status_code == 413
    pieces = (b" " * 65536 for _ in range(20))
    assert service.client.post("/v1/tilt/answers", content=pieces).status_code == 413


def test_a_body_is_bounded_in_time(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_body_timeout_s=0.1)

    def dripping() -> Iterator[bytes]:
        yield b"{"
        eventually(lambda: service.metric("tilt_documents_held") == 0, "the server's patience")
        yield b"}"

    with contextlib.suppress(httpx.TransportError):
        dripped = service.client.post("/v1/tilt/answers", content=dripping())
        assert dripped.status_code == 504
    assert service.metric('tilt_documents_total{outcome="failed"}') == 1


def test_a_dead_engine_ends_the_process_with_its_status(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_probe_interval_s=60, tilt_shutdown_grace_s=60)
    scripted.holding = True
    waiting = Waiting(service, 2)
    eventually(lambda: len(scripted.running) == 2, "two questions in the engine")
    scripted.dead = True
    assert waiting.statuses() == [500, 500]
    assert service.ended() == ENGINE_DIED
    assert scripted.stopped


def test_an_idle_engine_that_died_is_noticed(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted)
    scripted.dead = True
    assert service.ended() == ENGINE_DIED


@pytest.mark.slow  # unwell for long enough to be seen before it is dead, on a busy machine too
def test_an_engine_that_hangs_is_unwell_and_then_dead(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_probe_timeout_s=5, tilt_probe_interval_s=0.1)
    scripted.hanging = True
    eventually(lambda: service.client.get("/health").status_code == 503, "an unwell engine")
    refused = service.client.post("/v1/tilt/answers", json=asked())
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    assert service.ended() == ENGINE_DIED


@pytest.mark.slow
def test_an_engine_that_recovers_is_well_again(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_probe_timeout_s=5, tilt_probe_interval_s=0.05)
    scripted.hanging = True
    eventually(lambda: service.client.get("/health").status_code == 503, "an unwell engine")
    scripted.hanging = False
    eventually(lambda: service.client.get("/health").status_code == 200, "a well engine")
    assert service.client.post("/v1/tilt/answers", json=asked()).status_code == 200


def test_the_request_id_comes_back_unless_it_is_none(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted)
    kept = service.client.get("/v1/models", headers={"X-Request-ID": "mine-1"})
    assert kept.headers["x-request-id"] == "mine-1"
    made = service.client.get("/v1/models", headers={"X-Request-ID": "not mine"})
    assert made.headers["x-request-id"] not in {"", "not mine"}


@pytest.fixture
def client_of() -> Iterator[Callable[..., HttpInferenceClient]]:
    """The orchestrator's own client, as it asks this service."""
    with contextlib.ExitStack() as clients:

        def connect(service: Service, key: str = KEY) -> HttpInferenceClient:
            return clients.enter_context(
                HttpInferenceClient(AddressBook(service.url), Secret(key), ClientSettings())
            )

        yield connect


def test_the_orchestrators_client_is_answered(
    started: Callable[..., Service],
    scripted: ScriptedEngine,
    client_of: Callable[..., HttpInferenceClient],
) -> None:
    client = client_of(started(scripted))
    assert client.probe(Deadline.after(60)).upstreams[0].models == (MODEL,)
    request = AnswersRequest.model_validate(asked(page("Total", "12.50")))
    found = client.answers(request, Deadline.after(60))
    assert (found.answers[0].name, found.answers[0].text) == ("q0", "12.50")
    assert found.call.prompt_tokens > 0


def test_the_orchestrators_client_learns_why_not(
    started: Callable[..., Service],
    scripted: ScriptedEngine,
    client_of: Callable[..., HttpInferenceClient],
) -> None:
    service = started(scripted)
    request = AnswersRequest.model_validate(asked(questions=("much " * 20,)))
    with pytest.raises(Error) as refused:
        client_of(service).answers(request, Deadline.after(60))
    assert refused.value.code == "inference_bad_output"
    with pytest.raises(Error) as unknown:
        client_of(service, "another-key").answers(request, Deadline.after(60))
    assert unknown.value.details["reason"] == "key_refused"


def test_a_cancelled_document_leaves_the_engine(
    started: Callable[..., Service],
    scripted: ScriptedEngine,
    client_of: Callable[..., HttpInferenceClient],
) -> None:
    client = client_of(started(scripted))
    scripted.holding = True
    cancellation = Cancellation()
    threading.Thread(
        target=lambda: (
            eventually(lambda: scripted.running, "a question in the engine"),
            cancellation.set(),
        )
    ).start()
    request = AnswersRequest.model_validate(asked())
    with pytest.raises(Canceled):
        client.answers(request, Deadline.after(60), cancellation=cancellation)
    eventually(lambda: not scripted.running, "an engine without questions")
