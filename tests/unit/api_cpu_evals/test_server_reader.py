"""A server as the reader: answers, refusals, a busy server, nonsense."""

import json
from decimal import Decimal

import httpx
import pytest

from apps.api_cpu.evals.server_reader import ServerReader
from lib.domain.task import DocumentType
from lib.errors import Error

ANSWER = b"""{"document_type": "receipt", "result": {"total": 19.90, "tip": null},
  "fields": {"total": {"value": 19.90, "confidence": 0.97}},
  "pages": [{"number": 1, "width": 4, "height": 3, "rotation": 0, "source": "ocr"},
    {"number": 2, "width": 4, "height": 3, "rotation": 90, "source": "ocr"}]}"""


def read(handler, **options):
    transport = httpx.MockTransport(handler)
    with ServerReader("http://server", "auto", transport=transport, **options) as reader:
        return reader.read("a", "a.jpg", b"bytes")


def test_an_answer_becomes_a_prediction():
    prediction = read(lambda request: httpx.Response(200, content=ANSWER))
    assert prediction.document_type is DocumentType.RECEIPT
    assert prediction.result == {"total": Decimal("19.90"), "tip": None}
    assert prediction.confidences == {"total": 0.97}
    assert prediction.page_count == 2
    assert prediction.milliseconds >= 0
    assert prediction.error is None


def test_the_request_is_that_of_the_contract():
    seen = []

    def handler(request):
        seen.append(request)
        return httpx.Response(200, content=ANSWER)

    read(handler, api_key="secret")
    (request,) = seen
    assert (request.method, request.url.path) == ("POST", "/v1/extract")
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.headers["Prefer"] == "wait"
    body = request.content
    assert b'name="file"; filename="a.jpg"' in body
    assert b"bytes" in body
    assert b'name="task_id"\r\n\r\nauto' in body


def test_no_key_is_sent_without_one():
    def handler(request):
        assert "Authorization" not in request.headers
        return httpx.Response(200, content=ANSWER)

    assert read(handler).error is None


def test_an_error_of_the_document_is_its_code():
    body = {"error": {"code": "encrypted_document", "message": "", "details": {}}}
    assert read(lambda request: httpx.Response(422, json=body)).error == "encrypted_document"


@pytest.mark.parametrize(
    ("status", "content", "code"),
    [
        (500, b"<html>", "http_500"),
        (502, b'{"error": "text"}', "http_502"),
        (200, b"<html>", "not_the_api_contract"),
        (200, b"[]", "not_the_api_contract"),
        (200, b'{"document_type": "bill"}', "not_the_api_contract"),
        (200, ANSWER.replace(b"0.97", b"null"), "not_the_api_contract"),
        (200, b"[" * 200_000, "not_the_api_contract"),
        (202, b"{}", "http_202"),
    ],
)
def test_whatever_else_comes_is_named(status, content, code):
    assert read(lambda request: httpx.Response(status, content=content)).error == code


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_caller_ends_the_evaluation(status):
    body = {"error": {"code": "unauthorized"}}
    with pytest.raises(Error, match=str(status)):
        read(lambda request: httpx.Response(status, json=body))


def test_a_dead_server_ends_the_evaluation():
    def handler(request):
        raise httpx.ConnectError("refused")

    with pytest.raises(Error) as caught:
        read(handler)
    assert caught.value.code == "inference_unavailable"


def test_a_document_that_takes_too_long_is_one_that_failed():
    def handler(request):
        raise httpx.ReadTimeout("slow")

    assert read(handler).error == "http_504"


def test_a_busy_server_is_asked_again():
    pauses = []
    waits = iter(["3", "Fri, 01 Jan 2027 00:00:00 GMT", "1e9"])

    def handler(request):
        after = next(waits, None)
        if after is None:
            return httpx.Response(200, content=ANSWER)
        return httpx.Response(429, headers={"Retry-After": after})

    assert read(handler, sleep=pauses.append).error is None
    assert pauses == [3.0, 1.0, 30.0]


def test_a_server_that_stays_busy_fails_the_document():
    body = json.dumps({"error": {"code": "inference_unavailable"}}).encode()
    asked = []

    def handler(request):
        asked.append(request)
        return httpx.Response(503, content=body)

    assert read(handler, sleep=lambda _: None).error == "inference_unavailable"
    assert len(asked) == 4
