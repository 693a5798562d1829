"""Who may do what, and that no secret is ever written anywhere."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_place import PEPPER, RECEIPT, Place

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.logs import set_up_logging

B64 = base64.b64encode(RECEIPT).decode()


@pytest.fixture
def log() -> Iterator[Callable[[str, str], None]]:
    """`set_up_logging`, taken back for the tests that follow."""
    root = logging.getLogger()
    level, handlers = root.level, set(root.handlers)
    yield set_up_logging
    root.setLevel(level)
    for handler in set(root.handlers) - handlers:
        root.removeHandler(handler)


def _keys(place: Place, **options: Any) -> KeyService:
    engine = open_database(place.settings.auth_database, Schema.KEYS, Durability.CRASH)
    return KeyService(KeyStore(engine), PEPPER, **options)


def test_every_bad_key_gets_the_same_answer(locked: Place) -> None:
    keys = _keys(locked)
    revoked = keys.create("revoked", Role.ADMIN)
    keys.revoke(revoked.key_id)
    past = _keys(locked, clock=lambda: datetime(2020, 1, 1))  # noqa: DTZ001 stored times are naive UTC
    expired = past.create("expired", Role.ADMIN, timedelta(days=1))
    good = keys.create("good", Role.ADMIN)
    bad: list[dict[str | bytes, str | bytes]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {revoked.text}"},
        {"Authorization": f"Bearer {expired.text}"},
        {"Authorization": f"Bearer {good.text}x"},
        {"Authorization": f"Bearer {good.text.upper()}"},
        {"X-API-Key": "ocr_000000000000_" + "x" * 43},
        {b"X-API-Key": "ocr_ü_€".encode()},
        {b"X-API-Key": b"\xff\xfe"},
        {"X-API-Key": "x" * 20_000},
    ]
    answers = [locked.client.get("/v1/me", headers=headers) for headers in bad]
    assert {answer.status_code for answer in answers} == {401}
    bodies = [{**answer.json()["error"], "request_id": None} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert answers[0].headers["www-authenticate"] == "Bearer"


def test_both_headers_work_and_me_says_who(locked: Place) -> None:
    key = _keys(locked).create("mine", Role.DEBUGGER)
    for headers in ({"Authorization": f"bearer {key.text}"}, {"X-API-Key": key.text}):
        answer = locked.client.get("/v1/me", headers=headers)
        assert answer.json() == {
            "key_id": key.key_id,
            "role": "debugger",
            "scopes": ["extract:run", "debug:run"],
        }


def test_without_keys_everyone_is_the_local_admin(place: Place) -> None:
    assert place.client.get("/v1/me").json()["role"] == "admin"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me"),
        ("GET", "/v1/tasks"),
        ("GET", "/v1/tasks/auto"),
        ("POST", "/v1/extract"),
        ("GET", "/v1/extracts/x"),
        ("GET", "/v1/artifacts?ref=extracts/2026-01-01/x.json"),
    ],
)
def test_everything_but_health_and_the_page_needs_a_key(
    shared_locked: Place, method: str, path: str
) -> None:
    client = shared_locked.client
    assert client.request(method, path).status_code == 401
    assert client.get("/v1/health").status_code == 200
    assert client.get("/").status_code == 200


def test_an_unauthorised_body_is_not_read_and_leaves_nothing(locked: Place) -> None:
    answer = locked.client.post("/v1/extract", content=b"{" * 100)
    assert answer.status_code == 401
    assert locked.artifact_files() == []


def test_foreign_extractions_do_not_exist(locked: Place) -> None:
    owner, stranger, admin = (locked.headers(), locked.headers(), locked.headers(Role.ADMIN))
    body = {"image_base64": B64, "request_id": "mine"}
    rel = locked.client.post("/v1/extract", json=body, headers=owner).json()["artifact_rel"]
    for path in ("/v1/extracts/mine", f"/v1/artifacts?ref={rel}"):
        assert locked.client.get(path, headers=owner).status_code == 200
        assert locked.client.get(path, headers=admin).status_code == 200
        foreign = locked.client.get(path, headers=stranger)
        assert foreign.status_code == 404
        unknown = locked.client.get(path.replace("mine", "other"), headers=stranger)
        assert foreign.json()["error"]["message"] == unknown.json()["error"]["message"]
    taken = locked.client.post("/v1/extract", json=body, headers=stranger)
    assert taken.status_code == 409
    assert taken.json()["error"]["details"] == {}, "whose it is stays unsaid"


def test_raw_model_text_is_for_those_who_may_read_it(locked: Place) -> None:
    client, admin = locked.headers(), locked.headers(Role.ADMIN)
    body = {"image_base64": B64}
    rel = locked.client.post("/v1/extract", json=body, headers=client).json()["artifact_rel"]
    seen = [
        locked.client.get("/v1/artifacts", params={"ref": rel}, headers=headers).json()
        for headers in (client, admin)
    ]
    assert "raw_model_text" not in seen[0]
    assert "raw_model_text" in seen[1]


def test_a_rotated_key_keeps_what_it_owns(locked: Place) -> None:
    keys = _keys(locked)
    old = keys.create("mine", Role.CLIENT)
    body = {"image_base64": B64, "request_id": "before"}
    locked.client.post("/v1/extract", json=body, headers={"X-API-Key": old.text})
    new = keys.rotate(old.key_id, timedelta(0))
    looked_up = locked.client.get("/v1/extracts/before", headers={"X-API-Key": new.text})
    assert looked_up.status_code == 200
    assert locked.client.get("/v1/me", headers={"X-API-Key": old.text}).status_code == 401


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_secret_is_written_anywhere(
    locked: Place,
    capfd: pytest.CaptureFixture[str],
    log: Callable[[str, str], None],
    style: str,
) -> None:
    log("DEBUG", style)
    key = locked.key()
    headers = {"X-API-Key": key}
    client = locked.client
    client.post("/v1/extract", json={"image_base64": B64}, headers=headers)
    client.post("/v1/extract", content=key.encode(), headers=headers)
    client.get(f"/v1/{key}", headers=headers)
    client.get(f"/v1/tasks/{key}?token={key}", headers=headers)
    client.get("/v1/me", headers={"Authorization": f"Bearer {key}"})
    client.post(
        "/v1/extract",
        json={"image_base64": base64.b64encode(b"crash").decode()},
        headers=headers,
    )
    client.request(key.replace("_", "")[:20], "/v1/me", headers=headers)
    logged = capfd.readouterr().err
    assert "request" in logged
    secret = key.split("_", 2)[2]
    assert secret not in logged
    assert key not in logged
    assert PEPPER not in logged
    assert B64 not in logged
    for path, written in locked.everything_written():
        assert secret.encode() not in written, path


def test_the_access_log_names_the_route_and_not_the_path(
    locked: Place, capfd: pytest.CaptureFixture[str], log: Callable[[str, str], None]
) -> None:
    log("INFO", "json")
    headers = {**locked.headers(), "X-Request-ID": "logged-1"}
    capfd.readouterr()
    locked.client.get("/v1/tasks/somebodys-name?q=private", headers=headers)
    # Others of this process may say something as well.
    (line,) = (json.loads(t) for t in capfd.readouterr().err.splitlines() if "logged-1" in t)
    assert line["path"] == "/v1/tasks/{task_id}"
    assert line["status"] == 404
    assert line["method"] == "GET"
    assert len(line["key_id"]) == 12
    assert datetime.fromisoformat(line["time"]) <= datetime.now(UTC)
    assert "private" not in str(line)


def test_security_headers_are_on_every_answer(place: Place) -> None:
    for path in ("/", "/static/app.js", "/v1/health", "/v1/nothing"):
        headers = place.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-request-id"]


def test_requests_to_other_servers_are_not_narrated(
    log: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    log("DEBUG", "json")
    for logger in ("httpx", "httpcore.http11"):
        logging.getLogger(logger).info("HTTP Request: GET http://gpu:8001/health")
    assert "gpu:8001" not in capsys.readouterr().err
    logging.getLogger("botocore.auth").debug("Signature:\n0123456789abcdef")
    assert "Signature" not in capsys.readouterr().err
    logging.getLogger("another").info("but others are heard")
    assert "but others are heard" in capsys.readouterr().err
