"""One suite for every inference server: what was recorded, the mock, and a real vLLM.

The real one is `VLLM_PEER_URL` (key and model as in inference_cases) and is asked with `-m peer`.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from inference_cases import (
    CASES,
    IMAGE,
    KEY,
    MAX_MODEL_LEN,
    MODEL,
    PAGE,
    SCHEMA,
    Case,
    chat,
    schema,
)
from served import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.errors import Error
from lib.inference.addresses import AddressBook
from lib.inference.connection import Timeouts, Watch
from lib.inference.exchange import Exchange
from lib.inference.failures import Cause, Failure
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.parsing import chat_answer, model_names
from lib.inference.retry import RetryPolicy
from lib.inference.secret import Secret
from lib.inference.strict_json import parse
from lib.inference.wire import (
    CHAT_ROUTE,
    HEALTH_ROUTE,
    MODELS_ROUTE,
    AnswersRequest,
    ChatRequest,
    ImagePart,
    Message,
    OcrDocument,
    TextPart,
)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import mock_vllm  # noqa: E402 - the path comes first
from mock_inference.app import Behaviour, Mock, MockSettings  # noqa: E402
from mock_inference.reading import DocumentReader, Reader, Values  # noqa: E402

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "recorded" / "vllm_0_32.json").read_text()
)
_T = TypeVar("_T")
# A fast test has 120 seconds; a call that is answered takes milliseconds, but on a busy machine.
PATIENCE_S = 100.0
AT_LEISURE = Timeouts(connect_s=PATIENCE_S, pool_s=PATIENCE_S)
ONCE = ClientSettings(timeouts=AT_LEISURE, retry=RetryPolicy(max_attempts=1))
# Given up soon where nothing comes. What drips is given up once all four are over.
HASTY = {
    "hang": replace(AT_LEISURE, read_s=0.2),
    "drip": Timeouts(connect_s=3.0, read_s=0.2, write_s=0.2, pool_s=0.2),
}


async def replay(request: Request) -> Response:
    """What the real server answered to the case that the request names."""
    if request.url.path in (HEALTH_ROUTE, MODELS_ROUTE):
        name = request.url.path.rpartition("/")[2]
    else:
        name = request.headers.get("x-request-id", "wrong_method")
    answer = RECORDED[name]
    await request.body()
    return Response(answer["body"], answer["status"], answer["headers"])


def replaying() -> uvicorn.Server:
    app = Starlette(routes=[Route("/{path:path}", replay, methods=["GET", "POST"])])
    return uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))


class BlindReader:
    """Reads words, and sees nothing on images: no OCR models have to load."""

    def __init__(self) -> None:
        self._reader = DocumentReader(ROOT / "configs" / "tasks")

    def images(self, uris: Sequence[str], names: frozenset[str]) -> Values:
        empty = OcrDocument.model_validate({"pages": [{**PAGE, "words": (), "bboxes": ()}]})
        return self._reader.words(empty, names)

    def words(self, document: OcrDocument, names: frozenset[str]) -> Values:
        return self._reader.words(document, names)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return BlindReader()


def mock(reader: Reader, *, stock: bool, behaviour: Behaviour | None = None) -> Mock:
    settings = MockSettings(
        models=(MODEL,),
        api_key=KEY,
        max_model_len=MAX_MODEL_LEN,
        documents=not stock,
        die=lambda: None,
    )
    return Mock(settings, reader, behaviour or Behaviour())


@pytest.fixture(
    scope="module", params=["recorded", "mock", pytest.param("peer", marks=pytest.mark.peer)]
)
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that behaves as stock vLLM."""
    if request.param == "recorded":
        with served(replaying()) as url:
            yield url
    elif request.param == "mock":
        reader = request.getfixturevalue("reader")
        with served(mock_vllm.server(mock(reader, stock=True))) as url:
            yield url
    else:
        yield os.environ["VLLM_PEER_URL"].rstrip("/")


@pytest.fixture
def unruly(reader: Reader) -> Iterator[str]:
    """The mock with documents and faults."""
    with served(mock_vllm.server(mock(reader, stock=False))) as url:
        yield url


def behave(url: str, **behaviour: object) -> None:
    httpx.put(f"{url}/control", json=behaviour, timeout=PATIENCE_S).raise_for_status()


def sent(url: str, name: str, case: Case) -> bytes:
    """The body of a good answer. Raises `Failure`."""

    watch = Watch(Deadline.after(PATIENCE_S), Cancellation())
    with closing(Exchange(url, Secret(case.key), Timeouts(), 4, 1 << 20)) as exchange:
        if case.method == "GET":
            return exchange.get(case.route, PATIENCE_S, watch)
        return exchange.post(case.route, case.data, {"X-Request-Id": name}, watch)


def asked(
    url: str, call: Callable[[HttpInferenceClient], _T], settings: ClientSettings = ONCE
) -> _T:
    """What a call on a client without background probes gives."""
    with closing(HttpInferenceClient(AddressBook(url), Secret(KEY), settings)) as client:
        return call(client)


BAD = {name: case for name, case in CASES.items() if case.means is not None}
GOOD = [name for name, case in CASES.items() if case.means is None and case.route == CHAT_ROUTE]


@pytest.mark.parametrize("name", BAD)
def test_each_refusal_is_understood(address: str, name: str) -> None:
    case = BAD[name]
    with pytest.raises(Failure) as failed:
        sent(address, name, case)
    assert failed.value.cause is case.means
    assert failed.value.status == RECORDED[name]["status"]


@pytest.mark.parametrize("name", GOOD)
def test_each_good_answer_is_understood(address: str, name: str) -> None:
    given = chat_answer(sent(address, name, CASES[name]), (), 0.0)
    assert given.model == MODEL
    assert given.call.prompt_tokens > 0
    if name == "schema_and_logprobs":
        assert given.finish_reason == "stop"
        assert set(parse(given.text)) == set(SCHEMA["properties"])  # type: ignore[arg-type]
        assert "".join(token.text for token in given.tokens).startswith(given.text)
        assert given.score is not None
        assert 0 < given.score <= 1
    if name == "cut":
        assert given.finish_reason == "length"
        assert given.tokens == ()


def test_the_models_and_the_health_are_told(address: str) -> None:
    assert model_names(sent(address, "models", CASES["models"])) == (MODEL,)
    assert sent(address, "health", CASES["health"]) == b""
    told = asked(address, lambda client: client.probe(Deadline.after(PATIENCE_S)))
    assert told.ready
    assert told.upstreams[0].models == (MODEL,)


def request(*, text: str = "total?") -> ChatRequest:
    parts = (TextPart(text=text), ImagePart.model_validate(IMAGE))
    return ChatRequest.model_validate(
        {
            "model": MODEL,
            "messages": (Message(role="user", content=parts),),
            "max_tokens": 60,
            "temperature": 0,
            "logprobs": True,
            "response_format": schema(SCHEMA),
        }
    )


def test_a_call_through_the_client(address: str) -> None:
    with HttpInferenceClient(AddressBook(address), Secret(KEY), ClientSettings()) as client:
        given = client.complete(
            request(), Deadline.after(PATIENCE_S), request_id="schema_and_logprobs"
        )
        told = client.snapshot()
    assert given.finish_reason == "stop"
    assert given.call.failed_attempts == ()
    assert (told.calls, told.errors, told.retries) == (1, {}, {})
    assert told.completion_tokens == given.call.completion_tokens > 0
    with pytest.raises(Error) as closed:
        client.complete(request(), Deadline.after(5))
    assert closed.value.code == "shutting_down"


RECORDED_ONLY = {
    "engine_dead": ("500", Cause.SERVER_ERROR),
    "queue_full": ("503", Cause.BUSY),
    "stream_that_fails": ("html", Cause.NOT_THE_PROTOCOL),
}


@pytest.mark.parametrize("name", RECORDED_ONLY)
def test_what_no_request_provokes(unruly: str, name: str) -> None:
    fault, cause = RECORDED_ONLY[name]
    behave(unruly, faults=f"{fault}*")
    with served(replaying()) as recorded:
        for url in (recorded, unruly):
            with pytest.raises(Failure) as failed:
                chat_answer(sent(url, name, CASES["default_model"]), (), 0.0)
            assert failed.value.cause is cause


FAULTS = {
    "401": ("inference_unavailable", "key_refused"),
    "404": ("inference_unavailable", "model_unknown"),
    "429:9": ("inference_unavailable", "busy"),
    "500": ("inference_unavailable", "server_error"),
    "503": ("inference_unavailable", "busy"),
    "html": ("inference_bad_output", "not_the_protocol"),
    "hang": ("inference_timeout", "timeout"),
    "drip": ("inference_timeout", "timeout"),
    "reset": ("inference_unavailable", "reset"),
    "500-reset": ("inference_unavailable", "server_error"),
    "die": ("inference_unavailable", "server_error"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_mocks_faults(unruly: str, fault: str) -> None:
    behave(unruly, faults=fault)
    limits = replace(ONCE, timeouts=HASTY.get(fault, AT_LEISURE))
    with pytest.raises(Error) as failed:
        asked(
            unruly,
            lambda client: client.complete(request(), Deadline.after(PATIENCE_S)),
            limits,
        )
    assert (failed.value.code, failed.value.details["reason"]) == FAULTS[fault]
    given = asked(unruly, lambda client: client.complete(request(), Deadline.after(PATIENCE_S)))
    assert given.finish_reason == "stop"


def test_a_reset_after_a_500_is_a_stale_connection(unruly: str) -> None:
    behave(unruly, faults="500-reset,reset")

    def calls(client: HttpInferenceClient) -> tuple[str, ...]:
        given = client.complete(request(), Deadline.after(PATIENCE_S))
        return given.call.failed_attempts

    patient = ClientSettings(retry=RetryPolicy(first_pause_s=0.001))
    failed = asked(unruly, calls, patient)
    assert failed[0] == "server_error"
    assert failed[1] in ("stale_connection", "reset")


TEXT_FAULTS = {
    "length": ("length", False),
    "broken": ("stop", False),
    "nan": ("stop", False),
    "prose": ("stop", False),
    "ok": ("stop", True),
}


@pytest.mark.parametrize("fault", TEXT_FAULTS)
def test_the_mocks_text_may_be_bad_in_a_good_answer(unruly: str, fault: str) -> None:
    behave(unruly, faults=fault)
    given = asked(unruly, lambda client: client.complete(request(), Deadline.after(PATIENCE_S)))
    finish_reason, readable = TEXT_FAULTS[fault]
    assert given.finish_reason == finish_reason
    if readable:
        parse(given.text)
    else:
        with pytest.raises(ValueError):
            parse(given.text)


def test_a_full_queue_is_busy(unruly: str) -> None:
    behave(unruly, max_running=0, max_queued=0)
    with pytest.raises(Error) as failed:
        asked(unruly, lambda client: client.complete(request(), Deadline.after(PATIENCE_S)))
    assert failed.value.details["reason"] == "busy"


def test_a_canceled_call_gives_its_place_back(unruly: str) -> None:
    behave(unruly, latency_s=3600, max_running=1)
    cancellation = Cancellation()
    book = AddressBook(unruly)
    with HttpInferenceClient(book, Secret(KEY), ClientSettings()) as client:

        def running() -> str:
            text = httpx.get(f"{unruly}/metrics", timeout=PATIENCE_S).text
            return next(x for x in text.splitlines() if "num_requests_running" in x).split()[-1]

        def cancel_when_running() -> None:
            while running() != "1.0":
                threading.Event().wait(0.01)
            cancellation.set()

        watching = threading.Thread(target=cancel_when_running)
        watching.start()
        with pytest.raises(Canceled):
            client.complete(request(), Deadline.after(PATIENCE_S), cancellation=cancellation)
        watching.join()
        while running() != "0.0":
            threading.Event().wait(0.01)
        assert client.snapshot().canceled == 1


def test_a_document_and_its_questions(unruly: str) -> None:
    words = ("Invoice", "No.", "4711", "Total", "119.00", "EUR")
    boxes = [[40, 40, 95, 52], [100, 40, 120, 52], [125, 40, 160, 52]]
    boxes += [[40, 400, 80, 412], [300, 400, 345, 412], [350, 400, 380, 412]]
    page = {**PAGE, "width": 600, "height": 800, "words": words, "bboxes": boxes}
    questions = [
        {"name": "document_number", "text": "What is the invoice number?"},
        {"name": "total", "text": "What is the total?"},
        {"name": "iban", "text": "What is the IBAN?"},
        {"name": "line_items.description", "text": "What was bought?"},
    ]
    body = {"model": MODEL, "document": {"pages": [page]}, "questions": questions}
    request = AnswersRequest.model_validate(body)
    given = asked(unruly, lambda client: client.answers(request, Deadline.after(PATIENCE_S)))
    found = {answer.name: answer.text for answer in given.answers}
    assert found["document_number"] == "4711"
    assert "119.00" in found["total"]
    assert found["iban"] == found["line_items.description"] == ""
    for fault in ("broken", "nan"):
        behave(unruly, faults=fault)
        with pytest.raises(Error) as failed:
            asked(unruly, lambda client: client.answers(request, Deadline.after(PATIENCE_S)))
        assert failed.value.code == "inference_bad_output"


def test_a_stream_that_ends_in_an_error_stays_200(unruly: str) -> None:
    body = {**CASES["schema_and_logprobs"].body, "stream": True}  # type: ignore[dict-item]
    headers = {"Authorization": f"Bearer {KEY}"}
    for fault, marks in (("ok", (False, True)), ("stream-error", (True, False))):
        behave(unruly, faults=fault)
        answer = httpx.post(unruly + CHAT_ROUTE, json=body, headers=headers, timeout=PATIENCE_S)
        assert answer.status_code == 200
        assert answer.text.endswith("data: [DONE]\n\n")
        assert ('data: {"error"' in answer.text, '"finish_reason": "stop"' in answer.text) == marks


def test_the_control_route_refuses_what_it_does_not_know(unruly: str) -> None:
    for behaviour in ({"faults": "404*,nonsense"}, {"latency": 3}):
        refused = httpx.put(f"{unruly}/control", json=behaviour, timeout=PATIENCE_S)
        assert refused.status_code == 400
    assert httpx.get(f"{unruly}/control", timeout=PATIENCE_S).json()["faults"] == ""


@pytest.mark.slow
def test_the_mock_reads_an_image_with_the_embedded_engine() -> None:
    photo = (ROOT / "samples" / "receipt_photo.jpg").read_bytes()
    expected = json.loads((ROOT / "samples" / "expected" / "receipt_photo.json").read_text())
    image = {"url": f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"}
    text_or_null = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    row = {"type": "object", "properties": {"description": text_or_null}}
    wanted = {
        "type": "object",
        "properties": {
            "total": {"type": ["number", "null"]},
            "vendor_name": text_or_null,
            "service_charge": text_or_null,
            "line_items": {"type": "array", "items": row},
        },
    }
    body = chat({"type": "image_url", "image_url": image}, response_format=schema(wanted))
    request = ChatRequest.model_validate(body | {"max_tokens": 500})
    reader = DocumentReader(ROOT / "configs" / "tasks")
    try:
        with served(mock_vllm.server(mock(reader, stock=True))) as url:
            given = asked(url, lambda client: client.complete(request, Deadline.after(100)))
    finally:
        reader.close()
    found = parse(given.text)
    truth = expected["result"]
    assert float(found["total"]) == truth["total"]
    assert found["vendor_name"] == truth["vendor_name"]
    assert found["service_charge"] is None
    assert len(found["line_items"]) == len(truth["line_items"])
