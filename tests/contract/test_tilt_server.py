"""The inference service over a scripted engine here, and over the real one where a GPU is."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from scripted_tilt import LIMITS, ScriptedEngine

from apps.api_gpu.engine import TiltEngine
from apps.api_gpu.server import ENGINE_DIED, serve
from apps.api_gpu.settings import Settings
from apps.api_gpu.tilt_engine import ForkEngine, TiltOptions
from lib.inference.wire import AnswersResponse, ChatResponse, ErrorResponse, ModelList

KEY = "a key of the tests"
MODEL = "Snowflake/snowflake-arctic-tilt-v1.3"
PATIENCE_S = 20.0


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class Service:
    """The server in a thread of its own, with its exit status at the end."""

    def __init__(self, engine: TiltEngine, **settings: Any) -> None:
        self.engine = engine
        self.status: int | None = None
        self.settings = Settings(
            port=free_port(),
            vllm_api_key=KEY,
            **{"tilt_probe_interval_s": 0.05, "tilt_shutdown_grace_s": 1} | settings,
        )
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=PATIENCE_S
        )
        self._servers: list[Any] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        eventually(self._answers, "a server that answers")

    def _run(self) -> None:
        self.status = serve(self.settings, self.engine, started=self._servers.append)

    def _answers(self) -> bool:
        try:
            return self.client.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        self.client.close()
        for server in self._servers:
            server.should_exit = True
        self.ended()

    def ended(self) -> int | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.status

    def metric(self, line: str) -> float:
        for found in self.client.get("/metrics").text.splitlines():
            if found.startswith(line + " "):
                return float(found.rpartition(" ")[2])
        return 0.0


def eventually(probe: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if probe():
            return
        time.sleep(0.005)
    raise AssertionError(f"waited in vain: {what}")


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


@pytest.fixture(scope="module")
def real_service() -> Iterator[Service]:
    """Arctic-TILT on this machine's GPU; `VLLM_MODEL` or `TILT_MODEL_PATH` names the weights."""
    options = TiltOptions(
        model=os.environ.get("TILT_MODEL_PATH") or os.environ.get("VLLM_MODEL", MODEL),
        revision=os.environ.get("TILT_REVISION"),
        gpu_memory_utilization=0.8,
        max_num_seqs=16,
        max_tokens=None,
        max_pages=50,
    )
    service = Service(ForkEngine(options), tilt_probe_interval_s=5)
    yield service
    service.stop()


@pytest.fixture(scope="module")
def scripted_service() -> Iterator[Service]:
    service = Service(ScriptedEngine())
    yield service
    service.stop()


@pytest.fixture(params=["scripted", pytest.param("real", marks=pytest.mark.gpu)])
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(f"{request.param}_service")
    return found


def data_uri(image: Image.Image, file_format: str = "PNG", **options: Any) -> str:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    body = base64.b64encode(out.getvalue()).decode()
    return f"data:image/{file_format.lower()};base64,{body}"


def page(*words: str, size: tuple[int, int] = (600, 800), mode: str = "RGB") -> dict[str, Any]:
    width, height = size
    return {
        "width": width,
        "height": height,
        "words": list(words),
        "bboxes": [[10, 20 * n, 100, 20 * n + 15] for n in range(len(words))],
        "image": {"url": data_uri(Image.new(mode, size, 1 if mode == "1" else "white"))},
    }


RECEIPT = ("Receipt", "Total", "12.50", "EUR")


def asked(*pages: dict[str, Any], questions: tuple[str, ...] = ("Total",)) -> dict[str, Any]:
    return {
        "document": {"pages": list(pages) or [page(*RECEIPT)]},
        "questions": [{"name": f"q{n}", "text": text} for n, text in enumerate(questions)],
    }


def chat(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = list(parts) or [document_part(), {"type": "text", "text": "Total"}]
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], **more}


def document_part() -> dict[str, Any]:
    return {"type": "ocr_document", "ocr_document": {"pages": [page(*RECEIPT)]}}


# --- what both engines have to do ------------------------------------------------------------


def test_a_document_is_sent_once_and_answered_question_by_question(service: Service) -> None:
    answer = service.client.post("/v1/tilt/answers", json=asked(questions=("Total", "Date")))
    body = AnswersResponse.model_validate_json(answer.content)
    assert answer.status_code == 200
    assert [found.name for found in body.answers] == ["q0", "q1"]
    assert all(found.finish_reason == "stop" for found in body.answers)
    assert body.usage is not None
    assert body.usage.prompt_tokens > 0


def test_a_chat_answers_one_question_with_its_log_probabilities(service: Service) -> None:
    answer = service.client.post("/v1/chat/completions", json=chat(logprobs=True))
    body = ChatResponse.model_validate_json(answer.content)
    tokens = body.choices[0].logprobs
    assert answer.status_code == 200
    assert body.choices[0].finish_reason == "stop"
    assert tokens is not None
    assert tokens.content
    assert all(token.logprob <= 0 for token in tokens.content)
    plain = ChatResponse.model_validate_json(
        service.client.post("/v1/chat/completions", json=chat()).content
    )
    assert plain.choices[0].logprobs is None


def test_the_model_is_named_with_its_length(service: Service) -> None:
    listed = ModelList.model_validate_json(service.client.get("/v1/models").content)
    assert listed.data[0].id == MODEL
    assert listed.data[0].max_model_len == service.engine.limits.tokens


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}])
def test_the_key_guards_v1_and_nothing_else(service: Service, header: dict[str, str]) -> None:
    for method, path in (
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/tilt/answers"),
        ("GET", "/v1/anything"),
    ):
        answer = httpx.request(method, service.url + path, headers=header)
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert httpx.get(service.url + "/health").status_code == 200
    assert "tilt_engine_ready 1.0" in httpx.get(service.url + "/metrics").text


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/tokenize", "/invocations"])
def test_nothing_else_is_open(service: Service, path: str) -> None:
    answer = httpx.get(service.url + path)
    assert answer.status_code == 404
    assert ErrorResponse.model_validate_json(answer.content).error.code == 404


def without_image() -> dict[str, Any]:
    return {key: value for key, value in page(*RECEIPT).items() if key != "image"}


def with_image(url: str) -> dict[str, Any]:
    return page(*RECEIPT) | {"image": {"url": url}}


_TRUNCATED = data_uri(Image.effect_noise((600, 800), 90))[: len("data:image/png;base64,") + 4000]
_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no words": (asked(page()), "empty_document"),
    "blank words": (asked(page(" ", "\t")), "empty_document"),
    "no image": (asked(without_image()), "validation_error"),
    "image behind a link": (asked(with_image("http://127.0.0.1/a.png")), "validation_error"),
    "image that is text": (
        asked(with_image("data:image/png;base64,aGVsbG8=")),
        "unreadable_document",
    ),
    "image that is cut": (asked(with_image(_TRUNCATED)), "unreadable_document"),
    "image that is no base64": (asked(with_image("data:image/png;base64,%%%")), "validation_error"),
    "image of another shape": (
        asked(with_image(data_uri(Image.new("RGB", (800, 600))))),
        "validation_error",
    ),
    "fewer boxes than words": (
        asked(page(*RECEIPT) | {"bboxes": [[0, 0, 1, 1]]}),
        "validation_error",
    ),
    "width 0": (asked(page(*RECEIPT) | {"width": 0}), "validation_error"),
    "a box that ends before it begins": (
        asked(page("a") | {"bboxes": [[9, 0, 1, 1]]}),
        "validation_error",
    ),
    "no question": (asked() | {"questions": []}, "validation_error"),
    "an empty question": (asked(questions=(" ",)), "validation_error"),
    "two questions of one name": (
        asked() | {"questions": [{"name": "a", "text": "b"}] * 2},
        "validation_error",
    ),
    "a question that is too long": (asked(questions=("much " * 600,)), "validation_error"),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_what_would_harm_the_engine_is_refused_before_it(service: Service, case: str) -> None:
    body, reason = _REFUSED[case]
    answer = service.client.post("/v1/tilt/answers", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["reason"]) == (400, 400, reason)
    assert ErrorResponse.model_validate_json(answer.content).error.type == "BadRequestError"
    assert service.client.post("/v1/tilt/answers", json=asked()).status_code == 200


def test_too_many_pages_and_too_many_tokens_are_refused(service: Service) -> None:
    limits = service.engine.limits
    pages = [page("Total", size=(60, 80))] * (limits.pages + 1)
    answer = service.client.post("/v1/tilt/answers", json=asked(*pages))
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "too_many_pages")
    long = page("a") | {"words": ["a"] * limits.tokens, "bboxes": [[0, 0, 1, 1]] * limits.tokens}
    answer = service.client.post("/v1/tilt/answers", json=asked(long))
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "too_many_words")
    half = page("a") | {
        "words": ["incomprehensibilities"] * (limits.tokens // 2),
        "bboxes": [[0, 0, 1, 1]] * (limits.tokens // 2),
    }
    answer = service.client.post("/v1/tilt/answers", json=asked(half))
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "too_many_words")


@pytest.mark.parametrize(
    "body",
    [
        chat(stream=True),
        chat(temperature=0.7),
        chat(response_format={"type": "json_object"}),
        chat(top_logprobs=3),
        chat(stop="x"),
        chat(document_part()),
        chat({"type": "text", "text": "Total"}),
        chat(document_part(), document_part(), {"type": "text", "text": "Total"}),
        chat(document_part(), {"type": "image_url", "image_url": {"url": "data:,"}}),
        {"messages": [{"role": "system", "content": "Be brief."}, *chat()["messages"]]},
        {"messages": [{"role": "user", "content": "Total"}]},
        {"messages": []},
    ],
)
def test_a_chat_that_this_model_cannot_have_is_refused(
    service: Service, body: dict[str, Any]
) -> None:
    answer = service.client.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


@pytest.mark.parametrize("body", [b"{", b"[]", b"NaN", b"\xff", b"[" * 100_000])
def test_a_body_of_the_wrong_shape_is_400(service: Service, body: bytes) -> None:
    for path in ("/v1/chat/completions", "/v1/tilt/answers"):
        answer = service.client.post(path, content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


def test_another_model_is_404_and_none_is_ours(service: Service) -> None:
    answer = service.client.post("/v1/tilt/answers", json=asked() | {"model": "nope"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NotFoundError")
    assert service.client.post("/v1/tilt/answers", json=asked()).status_code == 200


def test_a_wrong_method_is_405(service: Service) -> None:
    answer = service.client.get("/v1/tilt/answers")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_every_mode_of_an_image_is_read(service: Service, mode: str) -> None:
    file_format = "JPEG" if mode == "CMYK" else "PNG"
    picture = Image.new("L", (600, 800), 255) if mode == "I;16" else Image.new(mode, (600, 800))
    if mode == "I;16":
        picture = Image.new("I;16", (600, 800), 65535)
    sent = page(*RECEIPT) | {"image": {"url": data_uri(picture, file_format)}}
    assert service.client.post("/v1/tilt/answers", json=asked(sent)).status_code == 200


# --- what needs an engine that does as it is told ---------------------------------------------


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
    service = started(scripted)
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


class Waiting:
    """Requests that are under way while the test looks on."""

    def __init__(self, service: Service, count: int, **more: Any) -> None:
        self.answers: list[httpx.Response] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(service, more)) for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, service: Service, more: dict[str, Any]) -> None:
        self.answers.append(service.client.post("/v1/tilt/answers", json=asked(**more)))

    def statuses(self) -> list[int]:
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return sorted(answer.status_code for answer in self.answers)


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
    assert scripted.most_at_once <= LIMITS.at_once
    assert service.metric('tilt_questions_total{finish_reason="stop"}') == 9
    assert service.metric("tilt_pages_total") == 1


def test_a_client_that_goes_away_is_not_worked_for(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted)
    scripted.holding = True
    connection = http.client.HTTPConnection("127.0.0.1", service.settings.port)
    connection.request(
        "POST",
        "/v1/tilt/answers",
        json.dumps(asked(questions=("Total",) * 5)),
        {"Authorization": f"Bearer {KEY}", "X-Request-ID": "gone"},
    )
    eventually(lambda: len(scripted.running) == LIMITS.at_once, "questions in the engine")
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


def test_a_body_is_bounded_in_size_and_time(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_max_body_mb=1, tilt_body_timeout_s=0.1)
    large = b" " * (1024 * 1024 + 1)
    assert service.client.post("/v1/tilt/answers", content=large).status_code == 413
    pieces = (b" " * 65536 for _ in range(20))
    assert service.client.post("/v1/tilt/answers", content=pieces).status_code == 413

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
    service = started(scripted, tilt_probe_interval_s=60)
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


def test_an_engine_that_hangs_is_unwell_and_then_dead(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_probe_timeout_s=0.1, tilt_probe_interval_s=0.1)
    scripted.hanging = True
    eventually(lambda: service.client.get("/health").status_code == 503, "an unwell engine")
    refused = service.client.post("/v1/tilt/answers", json=asked())
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    assert service.ended() == ENGINE_DIED


def test_an_engine_that_recovers_is_well_again(
    started: Callable[..., Service], scripted: ScriptedEngine
) -> None:
    service = started(scripted, tilt_probe_timeout_s=0.3, tilt_probe_interval_s=0.05)
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
