"""Jobs over HTTP: accepted, waited for, listed, canceled."""

from __future__ import annotations

import base64
import json
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from api_place import RECEIPT, Place

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.held_open import HeldOpen

PATIENCE_S = 60.0
WAIT = {"wait": 60}


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


def test_a_document_that_cannot_be_read_is_a_failed_job_with_its_artifact(place: Place) -> None:
    accepted = _accept(place, b"unsupported")
    job = place.client.get(accepted["poll_url"], params=WAIT).json()
    assert (job["status"], job["result"]) == ("failed", None)
    assert job["error"]["code"] == "unsupported_media_type"
    assert job["error"]["details"]["artifact_rel"] == job["result_rel"]
    artifact = place.client.get("/v1/artifacts", params={"ref": job["result_rel"]}).json()
    assert artifact["status"] == 415


def test_a_fault_of_ours_is_a_failed_job_and_the_worker_goes_on(place: Place) -> None:
    broken, well = _accept(place, b"crash"), _accept(place)
    job = place.client.get(broken["poll_url"], params=WAIT).json()
    assert (job["status"], job["error"]["code"]) == ("failed", "internal_error")
    assert "secret" not in str(job)
    assert place.client.get(well["poll_url"], params=WAIT).json()["status"] == "succeeded"


def test_json_with_a_stored_input_is_accepted(place: Place) -> None:
    kept = place.client.post(
        "/v1/extract",
        json={"image_base64": base64.b64encode(RECEIPT).decode(), "persist_inputs": True},
    ).json()["input_ref"]
    answer = place.client.post("/v1/extract_async", json={"image_ref": kept})
    assert answer.status_code == 202
    job = place.client.get(answer.json()["poll_url"], params=WAIT).json()
    assert job["status"] == "succeeded"
    missing = place.client.post("/v1/extract_async", json={"image_ref": kept[:-4] + ".xxx"})
    assert missing.status_code == 404


def test_what_is_wrong_with_a_request_is_said_at_once(place: Place) -> None:
    answer = place.client.post(
        "/v1/extract_async", json={"task_id": "none", "image_base64": "QQ=="}
    )
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["artifact_rel"]
    assert place.client.get("/v1/jobs").json() == {"jobs": [], "next_cursor": None}


def test_an_id_is_taken_when_the_job_is_accepted(place: Place) -> None:
    _accept(place, b"wait", request_id="mine")
    answer = place.client.post(
        "/v1/extract", files={"file": ("a.pdf", RECEIPT)}, data={"request_id": "mine"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_jobs_are_seen_by_their_owner_and_by_admins(locked: Place) -> None:
    mine, other = locked.headers(), locked.headers()
    job = locked.client.post(
        "/v1/extract_async", files={"file": ("a.pdf", RECEIPT)}, headers=mine
    ).json()
    assert locked.client.get(job["poll_url"], headers=other).status_code == 404
    assert locked.client.post(job["poll_url"] + "/cancel", headers=other).status_code == 404
    assert locked.client.get("/v1/jobs", headers=other).json()["jobs"] == []
    for headers in (mine, locked.headers(Role.ADMIN)):
        assert locked.client.get(job["poll_url"], headers=headers).status_code == 200
        (listed,) = locked.client.get("/v1/jobs", headers=headers).json()["jobs"]
        assert listed["job_id"] == job["job_id"]
        assert "result" not in listed


def test_the_list_is_paged_newest_first_and_filtered(place: Place) -> None:
    ids = [_accept(place)["job_id"] for _ in range(3)]
    for job_id in ids:
        place.client.get(f"/v1/jobs/{job_id}", params=WAIT)
    first = place.client.get("/v1/jobs", params={"limit": 2}).json()
    cursor = {"limit": 2, "cursor": first["next_cursor"]}
    second = place.client.get("/v1/jobs", params=cursor).json()
    listed = [job["job_id"] for job in first["jobs"] + second["jobs"]]
    assert listed == sorted(ids, reverse=True)
    assert second["next_cursor"] is None
    none = place.client.get("/v1/jobs", params={"status": ["queued", "failed"]}).json()
    assert none["jobs"] == []


def test_more_than_a_key_may_queue_is_refused(make_place: Callable[..., Place]) -> None:
    place = make_place(jobs_queued_per_key=2, jobs_max_concurrency=1)
    for _ in range(2):
        _accept(place, b"wait")
    answer = place.client.post("/v1/extract_async", files={"file": ("a.pdf", RECEIPT)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_jobs")
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["error"]["details"]["limit"] == 2


def test_a_job_that_waits_is_canceled_at_once_with_its_artifact(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(jobs_max_concurrency=0)
    accepted = _accept(place, request_id="not-wanted")
    assert place.client.get(accepted["poll_url"]).json()["queue_position"] == 1
    canceled = place.client.post(accepted["poll_url"] + "/cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    again = place.client.post(accepted["poll_url"] + "/cancel")
    assert (again.status_code, again.json()) == (200, canceled.json())
    kept = place.client.get("/v1/extracts/not-wanted")
    assert (kept.status_code, kept.json()["error"]["code"]) == (409, "canceled")


def test_a_job_that_runs_is_canceled_once_its_work_has_stopped(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(jobs_max_concurrency=1)
    accepted = _accept(place, b"until canceled")
    assert place.pipeline.entered.wait(PATIENCE_S)
    asked = place.client.post(accepted["poll_url"] + "/cancel")
    assert asked.status_code == 202
    assert asked.json()["cancel_requested"]
    job = place.client.get(accepted["poll_url"], params=WAIT).json()
    assert (job["status"], job["result"], job["error"]) == ("canceled", None, None)
    assert place.pipeline.stopped.is_set()
    assert job["progress"]["canceled"] == 1


def test_what_takes_too_long_goes_on_as_a_job_and_is_read_once(
    make_place: Callable[..., Place],
) -> None:
    place = make_place()
    files, data = {"file": ("a.pdf", b"wait")}, {"request_id": "slow"}
    answer = place.outlasted(lambda: place.client.post("/v1/extract", files=files, data=data), 202)
    assert answer.status_code == 202, answer.text
    url = answer.headers["location"]
    assert place.pipeline.entered.wait(PATIENCE_S), "begun before or after it became a job"
    running = place.client.get(url).json()
    assert (running["status"], running["attempts"]) == ("running", 1)

    def counted() -> int:
        found: int = place.client.get("/v1/health").json()["jobs"]["running"]
        return found

    end = time.monotonic() + PATIENCE_S
    while counted() == 0 and time.monotonic() < end:
        time.sleep(0.05)  # the table is counted once a second
    assert counted() == 1, "it is a job by now, and no request any more"
    place.pipeline.release.set()
    job = place.client.get(url, params=WAIT).json()
    assert (job["status"], job["result"]["request_id"]) == ("succeeded", "slow")
    assert len(place.pipeline.calls) == 1
    assert place.client.get("/v1/extracts/slow").status_code == 200


def test_the_id_of_what_goes_on_as_a_job_is_held_for_as_long_as_that_may_wait(
    make_place: Callable[..., Place],
) -> None:
    place = make_place()
    files = {"file": ("a.pdf", b"wait")}
    answer = place.outlasted(lambda: place.client.post("/v1/extract", files=files), 202)
    assert place.pipeline.entered.wait(PATIENCE_S)
    # Made by the server, and not taken by what is still being read.
    request_id = answer.headers["x-request-id"]
    engine = open_database(place.settings.index_database, Schema.INDEX, Durability.CRASH)
    held = ExtractIndex(engine, 1.0).find(request_id)
    engine.dispose()
    place.pipeline.release.set()
    assert held is not None
    assert held.lease_until == math.inf
    job = place.client.get(answer.headers["location"], params=WAIT).json()
    assert job["result"]["request_id"] == request_id


def test_what_waits_too_long_for_its_turn_is_read_as_a_job(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(extract_concurrency=1)
    files = {"file": ("a.pdf", b"wait")}
    promised = [
        place.outlasted(lambda: place.client.post("/v1/extract", files=files), 202)
        for _ in range(2)
    ]
    urls = [answer.headers["location"] for answer in promised]
    place.pipeline.release.set()
    for url in urls:
        assert place.client.get(url, params=WAIT).json()["status"] == "succeeded"
    assert len(place.pipeline.calls) == 2


def test_who_prefers_to_wait_gets_no_job(make_place: Callable[..., Place]) -> None:
    place = make_place()
    files, waits = {"file": ("a.pdf", b"wait")}, {"Prefer": "wait"}
    answer = place.outlasted(
        lambda: place.client.post("/v1/extract", files=files, headers=waits), 504
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "inference_timeout")
    assert place.client.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("prefer", "status"), [("respond-async", 202), ("respond-async, wait=10", 200), ("other", 200)]
)
def test_who_prefers_an_answer_later_gets_one(place: Place, prefer: str, status: int) -> None:
    answer = place.client.post(
        "/v1/extract", files={"file": ("a.pdf", RECEIPT)}, headers={"Prefer": prefer}
    )
    assert answer.status_code == status
    assert answer.headers.get("preference-applied") == ("respond-async" if status == 202 else None)


def test_a_key_that_is_sent_again_makes_one_job(place: Place) -> None:
    headers = {"Idempotency-Key": "once"}
    first, second = (
        place.client.post("/v1/extract_async", json={"image_base64": "QUJD"}, headers=headers)
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotent-replayed"] == "true"
    assert len(place.client.get("/v1/jobs").json()["jobs"]) == 1


def test_a_wait_ends_with_its_seconds(make_place: Callable[..., Place]) -> None:
    place = make_place(jobs_max_concurrency=0)
    accepted = _accept(place)
    job = place.client.get(accepted["poll_url"], params={"wait": 0.1}).json()
    assert (job["status"], job["queue_position"]) == ("queued", 1)


def test_health_counts_what_waits_in_the_table(make_place: Callable[..., Place]) -> None:
    place = make_place(jobs_max_concurrency=0)
    _accept(place)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        counted = place.client.get("/v1/health").json()["jobs"]
        if counted["queued"]:
            break
        time.sleep(0.05)  # the table is counted once a second
    assert counted == {"backend": "local", "queued": 1, "running": 0}


def _events(place: Place, url: str, **headers: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, id and data of every event of a stream until the server ends it."""
    answer = place.client.get(f"{url}/events", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.strip().split("\n\n"):
        said = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if said:
            found.append((said["event"], said.get("id", ""), json.loads(said["data"])))
    return found


def test_events_tell_of_progress_items_and_the_end(place: Place) -> None:
    accepted = _accept(place, request_id="told")
    events = _events(place, accepted["poll_url"])
    names = [name for name, _, _ in events]
    assert names[-1] == "ended"
    assert names.count("item") == names.count("ended") == 1
    assert set(names) <= {"progress", "item", "ended"}
    (item,) = [(number, data) for name, number, data in events if name == "item"]
    assert (item[0], item[1]["request_id"], item[1]["ok"]) == ("1", "told", True)
    assert events[-1][2]["status"] == "succeeded"


def test_a_stream_goes_on_after_the_last_event_seen(place: Place) -> None:
    accepted = _accept(place)
    place.client.get(accepted["poll_url"], params=WAIT)
    for last, items in (("0", 1), ("1", 0), ("nonsense", 1)):
        events = _events(place, accepted["poll_url"], **{"Last-Event-ID": last})
        assert [name for name, _, _ in events] == ["item"] * items + ["ended"]


def test_events_of_a_strangers_job_are_not_told(locked: Place) -> None:
    job = locked.client.post(
        "/v1/extract_async", files={"file": ("a.pdf", RECEIPT)}, headers=locked.headers()
    ).json()
    answer = locked.client.get(job["poll_url"] + "/events", headers=locked.headers())
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_more_streams_than_a_server_holds_are_refused(place: Place) -> None:
    place.app.state.watchers = HeldOpen("streams", 1, most=0)
    accepted = _accept(place)
    answer = place.client.get(accepted["poll_url"] + "/events")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")


def test_a_key_has_so_many_streams_and_waits_at_once(make_place: Any) -> None:
    place = make_place(jobs_watched_per_key=1)
    address = _accept(place, b"wait")["poll_url"]
    ended: list[Any] = []
    waiting = threading.Thread(
        target=lambda: ended.append(place.client.get(address, params={"wait": 60}))
    )
    waiting.start()
    watchers: HeldOpen = place.app.state.watchers
    while not watchers.open:
        assert waiting.is_alive()
        waiting.join(0.01)
    for answer in (
        place.client.get(address, params={"wait": 60}),
        place.client.get(address + "/events"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1
    assert place.client.get(address).status_code == 200, "who does not wait holds nothing"
    place.pipeline.release.set()
    waiting.join(60)
    assert ended[0].json()["status"] == "succeeded"
    assert watchers.open == 0
    assert place.client.get(address + "/events").status_code == 200
