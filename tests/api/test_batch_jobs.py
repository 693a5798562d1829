"""Batches as jobs: later, too long to wait for, canceled, looked at while they go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_place import RECEIPT, Place
from httpx import Response

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.batches.schemas import BatchResponse
from apps.api_cpu.runs.schemas import RunView

PATIENCE_S = 60.0
WAIT = {"wait": 60}


@pytest.fixture
def folder(place: Place) -> Path:
    """Three documents, of which the second waits until the pipeline is released."""
    root = place.settings.data_root / "march"
    root.mkdir(parents=True)
    (root / "1.pdf").write_bytes(RECEIPT)
    (root / "2.pdf").write_bytes(b"wait")
    (root / "3.pdf").write_bytes(b"unsupported")
    return root


def _later(place: Place, path: str = "/v1/batch_extract_async", **body: Any) -> str:
    answer = place.client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["poll_url"]
    url: str = answer.json()["poll_url"]
    return url


def _ended(place: Place, url: str) -> dict[str, Any]:
    job: dict[str, Any] = place.client.get(url, params=WAIT).json()
    assert job["finished_at"], job
    return job


def _eventually(probe: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not probe():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_run_shows_itself_while_it_goes_on_and_after(place: Place, folder: Path) -> None:
    url = _later(place, images_dir="march", run_id="march", concurrency=1)
    assert place.pipeline.entered.wait(PATIENCE_S)
    run = place.client.get("/v1/runs/march").json()
    RunView.model_validate(run)
    assert (run["status"], run["item_count"], run["ok_count"]) == ("running", 3, 1)
    assert url.endswith(run["job_id"])
    assert [r["run_id"] for r in place.client.get("/v1/runs").json()["runs"]] == ["march"]
    items = place.client.get("/v1/runs/march/items").json()["items"]
    assert [(item["file"], item["ok"]) for item in items] == [("1.pdf", True)]
    place.pipeline.release.set()
    job = _ended(place, url)
    assert (job["status"], job["kind"], job["run_id"]) == ("succeeded", "batch_extract", "march")
    BatchResponse.model_validate(job["result"])
    assert [item["ok"] for item in job["result"]["items"]] == [True, True, False]
    assert place.client.get("/v1/runs/march").json() | {"items": 0, "eval": None} == {
        **job["result"],
        "items": 0,
        "status": "succeeded",
        "job_id": job["job_id"],
    }
    assert place.client.get("/v1/runs/march/items").json()["items"] == job["result"]["items"]
    ref = {"ref": job["result_rel"]}
    artifact = place.client.get("/v1/artifacts", params=ref).json()
    assert artifact["items"] == job["result"]["items"]


def test_who_waits_too_long_is_told_where_the_work_goes_on(place: Place, folder: Path) -> None:
    body = {"images_dir": "march", "run_id": "march"}
    answer = place.outlasted(lambda: place.client.post("/v1/batch_extract", json=body), 202)
    assert answer.status_code == 202
    place.pipeline.release.set()
    job = _ended(place, answer.json()["poll_url"])
    assert job["status"] == "succeeded"
    assert job["result"]["ok_count"] == 2


def test_who_says_so_waits_for_the_end(place: Place, folder: Path) -> None:
    body, waits = {"images_dir": "march"}, {"Prefer": "wait"}

    def send() -> Response:
        threading.Timer(0.3, place.pipeline.release.set).start()
        return place.client.post("/v1/batch_extract", json=body, headers=waits)

    answer = place.outlasted(send, 200)
    assert answer.status_code == 200
    assert answer.json()["ok_count"] == 2


def test_a_canceled_batch_keeps_what_was_read(place: Place, folder: Path) -> None:
    url = _later(place, images_dir="march", run_id="march", concurrency=1)
    assert place.pipeline.entered.wait(PATIENCE_S)
    assert place.client.post(f"{url}/cancel").status_code == 202
    place.pipeline.release.set()
    job = _ended(place, url)
    assert job["status"] == "canceled"
    run = place.client.get("/v1/runs/march").json()
    assert run["status"] == "canceled"
    assert run["ok_count"] + run["failed_count"] + run["canceled_count"] == 3
    assert run["ok_count"] >= 1
    assert run["canceled_count"] >= 1
    items = place.client.get("/v1/runs/march/items").json()["items"]
    assert [item["file"] for item in items] == ["1.pdf", "2.pdf", "3.pdf"]
    assert items[2]["error"]["code"] == "canceled"
    artifact = place.client.get("/v1/artifacts", params={"ref": run["artifact_rel"]}).json()
    assert artifact["items"] == items
    assert artifact["canceled_count"] == run["canceled_count"]


def test_a_rerun_reads_what_was_kept_with_another_task(place: Place, folder: Path) -> None:
    place.pipeline.release.set()
    url = _later(place, images_dir="march", run_id="march", persist_inputs=True)
    first = _ended(place, url)["result"]
    assert all(item["input_ref"] for item in first["items"])
    body = {"run_id": "march", "only": "failed", "new_run_id": "again"}
    rerun = "/v1/batch_extract_rerun_async"
    again = _ended(place, _later(place, rerun, **body, task_id="receipt_fields_v1"))
    assert again["kind"] == "batch_extract_rerun"
    assert again["result"]["task_id"] == "receipt_fields_v1"
    assert [(i["file"], i["error"]["code"]) for i in again["result"]["items"]] == [
        ("3.pdf", "unsupported_media_type")
    ]


def test_a_run_that_goes_on_is_not_read_again(place: Place, folder: Path) -> None:
    url = _later(place, images_dir="march", run_id="march")
    answer = place.client.post("/v1/batch_extract_rerun", json={"run_id": "march"})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "conflict"
    place.pipeline.release.set()
    _ended(place, url)


def test_documents_of_a_folder_are_let_go_when_the_batch_has_ended(
    place: Place, folder: Path
) -> None:
    place.pipeline.release.set()
    _ended(place, _later(place, images_dir="march", run_id="march"))
    item = place.client.get("/v1/runs/march/items").json()["items"][0]
    assert item["input_ref"] is None
    stored = [path for path in place.artifact_files() if "inputs" in path.parts]
    assert len(stored) == 3
    body = {"run_id": "march"}
    again = place.client.post("/v1/batch_extract_rerun", json=body).json()
    assert {i["error"]["code"] for i in again["items"]} == {"input_not_persisted"}


def test_the_truth_of_a_batch_is_the_one_that_it_was_accepted_with(
    place: Place, folder: Path
) -> None:
    truth = folder.parent / "truth.jsonl"
    truth.write_text(
        '{"id":"1.pdf","file":"1.pdf","document_type":"receipt","fields":{"total":"19.90"}}'
    )
    url = _later(place, images_dir="march", gt_ref="truth.jsonl", concurrency=1)
    assert place.pipeline.entered.wait(PATIENCE_S)
    truth.write_text("no truth any more")
    place.pipeline.release.set()
    assert _ended(place, url)["result"]["eval"]["micro"]["exact"]["recall"] == 1


def test_a_model_is_for_who_may_debug_and_where_there_is_one(place: Place, locked: Place) -> None:
    body = {"images_dir": "march", "model": "other"}
    answer = locked.client.post("/v1/batch_extract", json=body, headers=locked.headers())
    assert answer.status_code == 403
    folder = place.settings.data_root / "march"
    folder.mkdir(exist_ok=True)
    (folder / "1.pdf").write_bytes(RECEIPT)
    answer = place.client.post("/v1/batch_extract", json=body)
    assert answer.json()["error"]["details"]["errors"][0]["field"] == "model"


def test_a_callback_is_for_later_only(place: Place, folder: Path) -> None:
    body = {"images_dir": "march", "callback_url": "https://example.com/hook"}
    answer = place.client.post("/v1/batch_extract", json=body)
    assert answer.json()["error"]["details"]["errors"][0]["field"] == "callback_url"
    assert place.pipeline.calls == []


def test_one_key_makes_one_batch(place: Place, folder: Path) -> None:
    place.pipeline.release.set()
    headers = {"Idempotency-Key": "march"}
    body = {"images_dir": "march"}
    first = place.client.post("/v1/batch_extract_async", json=body, headers=headers)
    again = place.client.post("/v1/batch_extract_async", json=body, headers=headers)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    _ended(place, first.json()["poll_url"])
    assert len(place.client.get("/v1/runs").json()["runs"]) == 1


def test_a_run_is_its_keys_own_while_it_goes_on(locked: Place) -> None:
    folder = locked.settings.data_root / "march"
    folder.mkdir()
    (folder / "1.pdf").write_bytes(b"wait")
    mine, other = locked.headers(), locked.headers()
    body = {"images_dir": "march", "run_id": "march"}
    answer = locked.client.post("/v1/batch_extract_async", json=body, headers=mine)
    for headers, status in ((mine, 200), (other, 404), (locked.headers(Role.ADMIN), 200)):
        for path in ("/v1/runs/march", "/v1/runs/march/items", answer.json()["poll_url"]):
            assert locked.client.get(path, headers=headers).status_code == status
    locked.pipeline.release.set()
    _eventually(
        lambda: locked.client.get("/v1/runs/march", headers=mine).json()["status"] == "succeeded"
    )
