"""A photo that is sent again is answered without being read, until its extraction is erased."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from server_process import SMALL, ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_day")]
_DECIDED_BY_THE_DOCUMENT = ("result", "fields", "checks", "pages", "review_reasons", "model")


def _send(server: ServerProcess, request_id: str) -> dict[str, Any]:
    with SMALL.open("rb") as file:
        answer = server.client.post(
            "/v1/extract", files={"file": file}, data={"request_id": request_id}
        )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_photo_is_answered_again_until_its_extraction_is_erased(
    start: Callable[..., ServerProcess],
) -> None:
    server = start(RESULT_CACHE_HOURS="24", OCR_WORKERS="1")
    server.wait_ready()
    first = _send(server, "photo-1")
    assert "cached_from" not in first
    server.process.kill()
    server.process.wait()

    server = start(RESULT_CACHE_HOURS="24", OCR_WORKERS="1")
    server.wait_ready()
    again = _send(server, "photo-2")
    assert again["cached_from"] == "photo-1"
    assert "ocr" not in again["timings_ms"]
    for name in _DECIDED_BY_THE_DOCUMENT:
        assert again[name] == first[name]
    kept = server.client.get("/v1/artifacts", params={"ref": again["artifact_rel"]}).json()
    assert kept["cached_from"]["artifact_rel"] == first["artifact_rel"]
    assert kept["ocr_words"][0]["words"]

    assert server.client.delete("/v1/extracts/photo-1").status_code == 200
    read = _send(server, "photo-3")
    assert "cached_from" not in read
    assert read["result"] == first["result"]
    server.stop()
