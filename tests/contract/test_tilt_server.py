"""The inference service over a scripted engine here, and over the real one where a GPU is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from scripted_tilt import ScriptedEngine
from tilt_service import (
    KEY,
    MODEL,
    PATIENCE_S,
    RECEIPT,
    Service,
    asked,
    chat,
    data_uri,
    document_part,
    page,
)

from apps.api_gpu.tilt_engine import ForkEngine, TiltOptions
from lib.inference.wire import AnswersResponse, ChatResponse, ModelList


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
        answer = httpx.request(method, service.url + path, headers=header, timeout=PATIENCE_S)
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert httpx.get(service.url + "/health", timeout=PATIENCE_S).status_code == 200
    assert "tilt_engine_ready 1.0" in httpx.get(service.url + "/metrics", timeout=PATIENCE_S).text


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/tokenize", "/invocations"])
def test_nothing_else_is_open(service: Service, path: str) -> None:
    answer = httpx.get(service.url + path, timeout=PATIENCE_S)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == 404


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
    assert answer.json()["error"]["type"] == "BadRequestError"
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
