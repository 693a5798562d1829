"""A document that comes again, as a client is told."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from api_place import RECEIPT, Place

from apps.api_cpu.extractions.schemas import ExtractResponse


def _extract(place: Place, request_id: str, data: bytes = RECEIPT, **headers: Any) -> Any:
    body = {"image_base64": base64.b64encode(data).decode(), "request_id": request_id}
    answer = place.client.post("/v1/extract", json=body, **headers)
    return answer.json()


def test_the_same_bytes_are_told_and_kept_in_the_artifact(place: Place) -> None:
    assert _extract(place, "first")["duplicates"] == []
    second = _extract(place, "second")

    ExtractResponse.model_validate(second)
    told = [{"request_id": "first", "reason": "same_bytes", "score": 1.0}]
    assert second["duplicates"] == told
    assert second["warnings"] == ["duplicate:first"]
    assert not second["needs_review"]
    assert place.client.get("/v1/extracts/second").json()["duplicates"] == told
    assert _extract(place, "third", b"another one")["duplicates"] == []


def test_a_request_that_failed_is_nobodys_original(place: Place) -> None:
    for name in ("first", "second"):
        assert _extract(place, name, b"unsupported")["error"]["code"] == "unsupported_media_type"
    assert _extract(place, "third")["duplicates"] == []


def test_another_key_is_told_nothing(locked: Place) -> None:
    mine, other = locked.headers(), locked.headers()
    _extract(locked, "first", headers=mine)
    assert _extract(locked, "second", headers=other)["duplicates"] == []
    assert len(_extract(locked, "third", headers=mine)["duplicates"]) == 1


def test_it_can_be_switched_off(make_place: Callable[..., Place]) -> None:
    place = make_place(duplicates_days=0)
    _extract(place, "first")
    assert _extract(place, "second")["duplicates"] == []


def test_what_was_erased_is_forgotten(place: Place) -> None:
    _extract(place, "first")
    assert place.client.delete("/v1/extracts/first").status_code == 200
    assert _extract(place, "second")["duplicates"] == []
