"""Hostile and broken requests: each has its named error and, where authorised, an artifact."""

from __future__ import annotations

import base64
import json
import tempfile
from typing import Any

import pytest
from api_place import RECEIPT, Place

from apps.api_cpu.middleware import BodyLimitMiddleware

B64 = base64.b64encode(RECEIPT).decode()
JSON = {"Content-Type": "application/json"}


def _error(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code
    assert set(error) == {"code", "message", "request_id", "details"}
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"image_base64": NaN}',
        b'{"image_base64": 1e999}',
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b'{"filename": "\xff\xfe"}',
        b'{"filename": "\\ud800"}',
        b"\x00",
        b"not json",
    ],
)
def test_broken_json_is_a_bad_request_with_an_artifact(shared_place: Place, body: bytes) -> None:
    answer = shared_place.client.post("/v1/extract", content=body, headers=JSON)
    error = _error(answer, 400, "bad_request")
    kept = shared_place.client.get(
        "/v1/artifacts", params={"ref": error["details"]["artifact_rel"]}
    )
    assert kept.json()["error"]["code"] == "bad_request"
    assert kept.json()["status"] == 400


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, ""),
        ({"image_base64": B64, "image_ref": "inputs/2026-01-01/a.pdf"}, ""),
        ({"image_base64": 5}, "image_base64"),
        ({"image_base64": B64, "task_id": None}, "task_id"),
        ({"image_base64": B64, "task_id": "../../etc/passwd"}, "task_id"),
        ({"image_base64": B64, "persist_inputs": 10**400}, "persist_inputs"),
        ({"image_base64": B64, "persist_inputs": "perhaps"}, "persist_inputs"),
        ({"image_base64": B64, "pages": ["1"]}, "pages"),
        ({"image_base64": B64, "language": "de; drop table"}, "language"),
        ({"image_base64": B64, "currency_hint": "euro"}, "currency_hint"),
        ({"image_base64": B64, "date_order_hint": "DDM"}, "date_order_hint"),
        ({"image_base64": B64, "max_error_rate": 0}, "max_error_rate"),
        ({"image_base64": B64, "max_error_rate": 0.51}, "max_error_rate"),
        ({"image_base64": B64, "max_error_rate": "few"}, "max_error_rate"),
        ({"image_base64": B64, "callback_url": "https://example.org"}, "callback_url"),
        ({"image_base64": B64, "debug": {"include_word": True}}, "debug.include_word"),
        ({"image_base64": B64, "debug": [1]}, "debug"),
        ({"image_base64": B64, "imagebase64": "x"}, "imagebase64"),
        ({"image_base64": B64, "request_id": "€"}, "request_id"),
        ({"image_base64": B64, "request_id": "a\nb"}, "request_id"),
        ({"image_base64": B64, "request_id": "a\n"}, "request_id"),
        ({"image_base64": B64, "request_id": "x" * 129}, "request_id"),
        ({"image_base64": B64, "request_id": ""}, "request_id"),
        ({"image_base64": B64, "request_id": 7}, "request_id"),
    ],
)
def test_wrong_fields_are_named(shared_place: Place, fields: dict[str, Any], field: str) -> None:
    body = (
        json.dumps(fields)
        if fields.get("persist_inputs") != 10**400
        else ('{"image_base64":"' + B64 + '","persist_inputs":1' + "0" * 400 + "}")
    )
    answer = shared_place.client.post("/v1/extract", content=body, headers=JSON)
    if answer.status_code == 400:  # a number too large for JSON readers
        _error(answer, 400, "bad_request")
        return
    error = _error(answer, 422, "validation_error")
    assert field in [problem["field"] for problem in error["details"]["errors"]]
    assert B64 not in answer.text
    assert "artifact_rel" in error["details"]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"1"])
def test_json_that_is_no_object(shared_place: Place, body: bytes) -> None:
    _error(
        shared_place.client.post("/v1/extract", content=body, headers=JSON), 422, "validation_error"
    )


@pytest.mark.parametrize(
    "text", ["a", "====", "YQ=", "YQ== ", "Y\nQ==", "data:image/png;base64,YQ==", "YQ==\x00", "é"]
)
def test_base64_is_taken_strictly(shared_place: Place, text: str) -> None:
    answer = shared_place.client.post("/v1/extract", json={"image_base64": text})
    _error(answer, 400, "bad_request")


@pytest.mark.parametrize("bad_id", ["€".encode(), b"a b", b"../x", b"-x", b"x" * 129, b"", b"a\tb"])
def test_request_id_header_is_checked(shared_place: Place, bad_id: bytes) -> None:
    answer = shared_place.client.get("/v1/me", headers={b"X-Request-ID": bad_id})
    if bad_id == b"":
        assert answer.status_code == 422
    error = _error(answer, 422, "validation_error")
    assert error["details"]["errors"][0]["field"] == "X-Request-ID"
    assert error["request_id"].encode() != bad_id


BOUNDARY = "----x"
NAMELESS = b"Content-Disposition: form-data"
FILE_HEADER = NAMELESS + b'; name="file"; filename="a"'
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=", b"--\r\n"),
        (MULTIPART["Content-Type"], b"garbage"),
        (MULTIPART["Content-Type"], b"------x\r\n" + NAMELESS + b"\r\n\r\nx\r\n------x--\r\n"),
        (MULTIPART["Content-Type"], b"------x\r\n: \r\n\r\n"),
        (MULTIPART["Content-Type"], b"------x\r\n" + b"A: b\r\n" * 50_000),
        (MULTIPART["Content-Type"], b"------x\r\n" + FILE_HEADER + b"\r\n\r\nhalf"),
    ],
)
def test_broken_multipart_is_a_bad_request(
    shared_place: Place, content_type: str, body: bytes
) -> None:
    answer = shared_place.client.post(
        "/v1/extract", content=body, headers={"Content-Type": content_type}
    )
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["error"]["code"] in {"bad_request", "validation_error"}


@pytest.mark.parametrize(
    "parts",
    [
        {"file": (None, "text without a filename")},
        {"other": ("a.pdf", RECEIPT)},
        [("file", ("a.pdf", RECEIPT)), ("file", ("b.pdf", RECEIPT))],
        [("file", ("a.pdf", RECEIPT)), ("task_id", (None, "auto")), ("task_id", (None, "auto"))],
        [("file", ("a.pdf", RECEIPT)), ("image_ref", (None, "inputs/2026-01-01/a.pdf"))],
        [("file", ("a.pdf", RECEIPT)), ("debug", (None, "[]"))],
    ],
)
def test_wrong_form_fields(shared_place: Place, parts: Any) -> None:
    _error(shared_place.client.post("/v1/extract", files=parts), 422, "validation_error")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_other_bodies_are_refused(shared_place: Place, content_type: str) -> None:
    answer = shared_place.client.post(
        "/v1/extract", content=b"a=b", headers={"Content-Type": content_type}
    )
    _error(answer, 415, "unsupported_media_type")


def test_too_large_is_refused_by_announced_length_and_by_counting(make_place: Any) -> None:
    place = make_place(max_upload_mb=1)
    limit = place.app.state.body_limit
    announced = place.client.post("/v1/extract", content=b"x" * (limit + 1), headers=JSON)
    assert _error(announced, 413, "payload_too_large")["details"]["limit"] == limit

    pulled = 0

    def chunks() -> Any:
        nonlocal pulled
        for _ in range(200):
            pulled += 1
            yield b"y" * 65536

    chunked = place.client.post("/v1/extract", content=chunks(), headers=JSON)
    assert "artifact_rel" in _error(chunked, 413, "payload_too_large")["details"]

    document = base64.b64encode(b"z" * (1024 * 1024 + 1)).decode()
    answer = place.client.post("/v1/extract", json={"image_base64": document})
    assert _error(answer, 413, "payload_too_large")["details"]["limit"] == 1024 * 1024


def test_bodies_of_all_requests_share_a_bound_and_give_it_back(place: Place) -> None:
    place.client.get("/v1/health")
    layer: Any = place.app.middleware_stack
    while not isinstance(layer, BodyLimitMiddleware):
        layer = getattr(layer, "app", None) or layer._app
    layer._held = others = layer._together - 1000

    def send(size: int) -> Any:
        chunks = (b"x" * 100 for _ in range(size // 100))
        return place.client.post("/v1/extract", content=chunks, headers=JSON)

    refused = send(1200)
    assert _error(refused, 503, "inference_unavailable")["details"]["artifact_rel"]
    assert refused.headers["retry-after"] == "5"
    assert layer._held == others
    _error(send(900), 400, "bad_request")
    assert layer._held == others


@pytest.mark.parametrize(
    "body",
    [b"[" + b"{}," * 20_000 + b"{}]", b'{"a":[' + b"0," * 20_000 + b"0]}", b"[" * 9_999],
)
def test_json_of_too_many_parts_is_not_built(shared_place: Place, body: bytes) -> None:
    error = _error(
        shared_place.client.post("/v1/extract", content=body, headers=JSON), 400, "bad_request"
    )
    assert error["details"]["artifact_rel"]


@pytest.mark.parametrize(
    "path", ["/v1/extract/", "/v1/health/", "/static", "//v1/health", "/v1//me"]
)
def test_no_redirect_repeats_the_host_header(shared_place: Place, path: str) -> None:
    answer = shared_place.client.get(path, headers={"Host": "a.localhost"}, follow_redirects=False)
    assert "a.localhost" not in str(answer.headers)
    _error(answer, 404, "not_found")


@pytest.mark.parametrize("path", ["/", "/v1/me", "/v1/extracts/x", "/openapi.json"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example"])
def test_without_keys_a_page_that_rebinds_its_name_gets_nothing(
    shared_place: Place, path: str, host: str
) -> None:
    _error(shared_place.client.get(path, headers={"Host": host}), 400, "bad_request")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "192.0.2.7"])
def test_without_keys_addresses_of_the_machine_work(shared_place: Place, host: str) -> None:
    assert shared_place.client.get("/v1/me", headers={"Host": host}).status_code == 200


def test_with_keys_any_name_works(locked: Place) -> None:
    headers = locked.headers() | {"Host": "ocr.example.org"}
    assert locked.client.get("/v1/me", headers=headers).status_code == 200


def test_an_upload_is_not_written_to_the_temporary_folder(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    document = RECEIPT * 100_000
    answer = place.client.post("/v1/extract", files={"file": ("a.pdf", document)})
    assert answer.status_code == 200
    assert place.pipeline.calls[0]["data"] == document


@pytest.mark.parametrize(
    "ref",
    [
        "../auth.sqlite3",
        "extracts/../../auth.sqlite3",
        "extracts/2026-01-01/../../../auth.sqlite3",
        "/etc/passwd",
        "extracts/2026-01-01/a.json\x00",
        "extracts/2026-01-01/.json",
        "extracts\\2026-01-01\\a.json",
        "inputs/2026-01-01/a.pdf",
        "",
        ".incoming/x",
        "extracts/2026-01-01/a.json\n",
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/latest",
        "file:///etc/passwd",
        "data:application/pdf;base64,JVBERi0xLjcK",
    ],
)
def test_no_path_leads_out_of_the_store(shared_place: Place, ref: str) -> None:
    _error(shared_place.client.get("/v1/artifacts", params={"ref": ref}), 404, "not_found")
    answer = shared_place.client.post("/v1/extract", json={"image_ref": ref})
    assert _error(answer, 404, "not_found")["details"]["artifact_rel"]


def test_the_frameworks_own_errors_have_the_envelope(shared_place: Place) -> None:
    _error(shared_place.client.get("/v1/no-such"), 404, "not_found")
    _error(shared_place.client.get("/docs"), 404, "not_found")
    _error(shared_place.client.get("/static/../settings.py"), 404, "not_found")
    answer = shared_place.client.put("/v1/extract")
    _error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    answer = shared_place.client.put("/v1/extracts/x/corrections")
    assert answer.headers["allow"] == "GET, POST"
    _error(shared_place.client.get("/v1/artifacts"), 422, "validation_error")
    _error(shared_place.client.get("/v1/extracts/x?format=pdf"), 422, "validation_error")


def test_an_unexpected_exception_tells_nothing(place: Place, capfd: Any) -> None:
    body = {"image_base64": base64.b64encode(b"crash").decode(), "request_id": "boom"}
    answer = place.client.post("/v1/extract", json=body)
    error = _error(answer, 500, "internal_error")
    assert "secret words" not in answer.text
    kept = place.client.get("/v1/artifacts", params={"ref": error["details"]["artifact_rel"]})
    assert kept.json()["error"]["code"] == "internal_error"
    assert "secret words" not in kept.text
    assert "secret words" not in capfd.readouterr().err
