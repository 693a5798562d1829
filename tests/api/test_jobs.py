"""Jobs over HTTP: accepted, waited for, listed, canceled."""

from __future__ import annotations

from typing import Any

from conftest import RECEIPT, Place

WAIT = {"wait": 20}


def _accept(place: Place, data: bytes = RECEIPT, **fields: Any) -> dict[str, Any]:
    answer = place.client.post("/v1/extract_async", files={"file": ("a.pdf", data)}, data=fields)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == body["poll_url"] == f"/v1/jobs/{body['job_id']}"
    assert body["status"] == "queued"
    return body


def test_a_job_ends_with_what_the_request_would_have_answered(place: Place) -> None:
    accepted = _accept(place, request_id="later-1")
    job = place.client.get(accepted["poll_url"], params=WAIT).json()
    assert (job["status"], job["error"], job["attempts"]) == ("succeeded", None, 1)
    assert job["progress"] | {"current": None} == {
        "stage": "ended", "total": 1, "done": 1, "ok": 1, "failed": 0, "canceled": 0,
        "needs_review": 0, "current": None, "eta_s": None,
    }  # fmt: skip
    assert job["result"]["request_id"] == "later-1"
    assert job["result"]["result"]["total"] == 19.9
    assert job["result_rel"] == job["result"]["artifact_rel"]
    again = place.client.get("/v1/extracts/later-1")
    assert again.json() == job["result"]
    artifact = place.client.get("/v1/artifacts", params={"ref": job["result_rel"]}).json()
    assert artifact["input"]["filename"] == "a.pdf"
    assert [attempt["number"] for attempt in artifact["attempts"]] == [1]
