"""Uploads that are announced, and stored inputs as their owners get them back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from api_place import PEPPER, RECEIPT, Place

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.inputs.schemas import UploadView

LOCKED = {"auth_enabled": True, "api_key_pepper": PEPPER}
PDF = b"%PDF-1.7 " + RECEIPT


def _announce(place: Place, data: bytes = PDF, headers: Any = None, **more: Any) -> Any:
    body = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "mime_type": "application/pdf",
        **more,
    }
    return place.client.post("/v1/uploads", json=body, headers=headers)


def _send(place: Place, announced: dict[str, Any], data: bytes = PDF, **headers: str) -> Any:
    sent = {**announced["headers"], "Content-Length": str(len(data)), **headers}
    return place.client.put(announced["url"], content=data, headers=sent)


def test_a_document_is_announced_sent_and_read(locked: Place) -> None:
    owner, stranger = locked.headers(), locked.headers()
    answer = _announce(locked, headers=owner)
    assert answer.status_code == 201, answer.text
    announced = answer.json()
    UploadView.model_validate(announced)
    assert announced["image_ref"].endswith(".pdf")
    body = {"image_ref": announced["image_ref"]}
    early = locked.client.post("/v1/extract", json=body, headers=owner)
    assert early.status_code == 404, "it is not there yet"
    assert _send(locked, announced).status_code == 204
    assert _send(locked, announced).status_code == 204, "a client that heard nothing sends again"
    read = locked.client.post("/v1/extract", json=body, headers=owner)
    assert read.status_code == 200, read.text
    assert locked.pipeline.calls[-1]["data"] == PDF
    assert locked.client.post("/v1/extract", json=body, headers=stranger).status_code == 404


def test_knowing_the_hash_of_somebodys_document_gives_nothing(locked: Place) -> None:
    owner, stranger = locked.headers(), locked.headers()
    _send(locked, _announce(locked, headers=owner).json())
    guessed = _announce(locked, headers=stranger).json()
    for path in ("/v1/inputs", "/v1/artifacts"):
        found = locked.client.get(path, params={"ref": guessed["image_ref"]}, headers=stranger)
        assert found.status_code == 404, path


def test_what_was_not_announced_is_refused(place: Place) -> None:
    announced = _announce(place).json()
    for wrong in (PDF + b"more", PDF[:-1], b"x" * len(PDF)):
        refused = _send(place, announced, wrong)
        assert refused.json()["error"]["code"] == "validation_error"
    assert _send(place, announced, **{"X-Upload-Token": "guessed"}).status_code == 404
    unknown = announced | {"url": f"/v1/uploads/{'0' * 32}"}
    assert _send(place, unknown).status_code == 404
    assert _send(place, announced).status_code == 204
    folder = place.settings.incoming_folder
    assert list(folder.iterdir()) == [], "nothing is left of what was refused"


def test_a_key_may_have_so_many_announced_that_did_not_come(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(**LOCKED, uploads_announced_per_key=2)
    owner, other = place.headers(), place.headers()
    first = _announce(place, headers=owner).json()
    assert _announce(place, PDF + b"2", owner).status_code == 201
    refused = _announce(place, PDF + b"3", owner)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limited"
    assert refused.json()["error"]["details"]["limit"] == 2
    assert int(refused.headers["Retry-After"]) > 0
    assert _announce(place, headers=other).status_code == 201
    assert _send(place, first).status_code == 204
    assert _announce(place, PDF + b"3", owner).status_code == 201, "what came makes room"


def test_guesses_at_tokens_are_counted_as_wrong_keys(make_place: Callable[..., Place]) -> None:
    place = make_place(**LOCKED, login_failures_per_minute=2)
    announced = _announce(place, headers=place.headers()).json()
    guessed = {"X-Upload-Token": "guessed"}
    codes = [_send(place, announced, **guessed).status_code for _ in range(3)]
    assert codes == [404, 404, 429]
    assert place.client.get("/v1/me", headers={"X-API-Key": "wrong"}).status_code == 429
    assert _send(place, announced).status_code == 204, "who has the token is not locked out"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"sha256": "short"}, "validation_error"),
        ({"sha256": "A" * 64}, "validation_error"),
        ({"size_bytes": 0}, "validation_error"),
        ({"size_bytes": 2**31}, "payload_too_large"),
        ({"unknown": 1}, "validation_error"),
    ],
)
def test_an_announcement_is_checked(shared_place: Place, more: dict[str, Any], code: str) -> None:
    assert _announce(shared_place, **more).json()["error"]["code"] == code


def test_an_announcement_needs_a_key_and_the_upload_none(locked: Place) -> None:
    assert _announce(locked).status_code == 401
    announced = _announce(locked, headers=locked.headers()).json()
    assert _send(locked, announced).status_code == 204


def test_an_input_is_given_back_to_be_saved_and_nothing_else(locked: Place) -> None:
    owner, stranger = locked.headers(), locked.headers()
    announced = _announce(locked, headers=owner).json()
    _send(locked, announced)
    params = {"ref": announced["image_ref"]}
    found = locked.client.get("/v1/inputs", params=params, headers=owner)
    assert found.content == PDF
    assert found.headers["content-type"] == "application/pdf"
    assert found.headers["content-disposition"].startswith("attachment;")
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in found.headers["content-security-policy"]
    assert (
        locked.client.get(
            "/v1/inputs", params={**params, "redirect": "true"}, headers=owner
        ).content
        == PDF
    ), "files have no address of their own"
    admin = locked.headers(Role.ADMIN)
    assert locked.client.get("/v1/inputs", params=params, headers=admin).status_code == 200
    for ref in (announced["image_ref"], "extracts/2026-11-20/a.json", "../x", "inputs/x"):
        refused = locked.client.get("/v1/inputs", params={"ref": ref}, headers=stranger)
        assert refused.json()["error"]["code"] == "not_found", ref
