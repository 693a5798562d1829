"""Batches, runs and evaluations, as a client sees them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_place import RECEIPT, Place

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.batches.schemas import BatchResponse
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.evals.schemas import EvalView
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.runs.schemas import RunItems, RunList, RunView

CONTENTS = {
    "march/01.pdf": RECEIPT,
    "march/02.pdf": b"unsupported",
    "march/deep/03.pdf": RECEIPT + b"3",
    "march/04.txt": b"crash",
    "march/.hidden/05.pdf": RECEIPT,
}


@pytest.fixture
def folder(place: Place) -> Path:
    """Documents below DATA_ROOT."""
    return _filled(place.settings.data_root)


@pytest.fixture(scope="module")
def refusing(shared_place: Place) -> Place:
    """A server with these documents, of which none is read."""
    _filled(shared_place.settings.data_root)
    return shared_place


def _filled(root: Path) -> Path:
    for name, content in CONTENTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def _batch(place: Place, **body: Any) -> dict[str, Any]:
    answer = place.client.post("/v1/batch_extract", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _store(place: Place, data: bytes, headers: dict[str, str] | None = None) -> str:
    body = {"image_base64": base64.b64encode(data).decode(), "persist_inputs": True}
    ref: str = place.client.post("/v1/extract", json=body, headers=headers).json()["input_ref"]
    return ref


def test_one_bad_file_never_fails_a_batch(place: Place, folder: Path) -> None:
    found = _batch(place, images_dir="march", run_id="march")
    BatchResponse.model_validate(found)
    assert [(item["file"], item["ok"]) for item in found["items"]] == [
        ("01.pdf", True),
        ("02.pdf", False),
        ("04.txt", False),
        ("deep/03.pdf", True),
    ]
    assert (found["item_count"], found["ok_count"], found["failed_count"]) == (4, 2, 2)
    codes = [item["error"]["code"] for item in found["items"] if not item["ok"]]
    assert codes == ["unsupported_media_type", "internal_error"]
    assert found["eval"] is None
    for item in found["items"]:
        again = place.client.get(f"/v1/extracts/{item['request_id']}")
        assert (again.status_code == 200) is item["ok"]
        ref = {"ref": item["artifact_rel"]}
        assert place.client.get("/v1/artifacts", params=ref).status_code == 200


def test_a_batch_is_kept_as_an_artifact(place: Place, folder: Path) -> None:
    found = _batch(place, images_dir="march", glob="*.pdf", run_id="march")
    ref = {"ref": found["artifact_rel"]}
    artifact = place.client.get("/v1/artifacts", params=ref).json()
    assert artifact["items"] == found["items"]
    assert found["artifact_rel"].endswith("/march.json")
    assert found["artifact_rel"].startswith("batches/")


def test_stored_inputs_are_read_and_a_missing_one_fails_alone(place: Place) -> None:
    ref = _store(place, RECEIPT)
    missing = f"inputs/2026-01-01/{'0' * 64}.pdf"
    items = [{"image_ref": ref, "filename": "a.pdf"}, {"image_ref": missing}]
    found = _batch(place, items=items, task_id="receipt_fields_v1")
    assert [(item["file"], item["ok"]) for item in found["items"]] == [
        ("a.pdf", True),
        (missing, False),
    ]
    assert found["items"][0]["result"]["total"] == 19.9
    assert found["items"][0]["input_ref"] == ref
    assert found["items"][1]["error"]["code"] == "not_found"


def test_a_name_that_is_too_long_keeps_its_end(place: Place, folder: Path) -> None:
    deep = folder / "march" / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    (deep / "06.pdf").write_bytes(RECEIPT)
    found = _batch(place, images_dir="march", glob="**/06.pdf")
    (item,) = found["items"]
    assert (item["ok"], len(item["file"])) == (True, 255)
    assert item["file"].endswith("/06.pdf")
    (item,) = _batch(place, items=[{"image_ref": "x" * 300}])["items"]
    assert (item["file"], item["error"]["code"]) == ("x" * 255, "not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "validation_error"),
        ({"items": []}, 422, "validation_error"),
        ({"images_dir": "march", "items": [{"image_ref": "x"}]}, 422, "validation_error"),
        ({"images_dir": "none"}, 404, "not_found"),
        ({"images_dir": "0" * 500}, 404, "not_found"),
        ({"images_dir": ".."}, 404, "not_found"),
        ({"images_dir": "/etc"}, 404, "not_found"),
        ({"images_dir": "artifacts"}, 404, "not_found"),
        ({"images_dir": "march", "glob": "*.gif"}, 422, "validation_error"),
        ({"images_dir": "march", "glob": "/etc/*"}, 422, "validation_error"),
        ({"images_dir": "march", "glob": "../*.sqlite3"}, 422, "validation_error"),
        ({"images_dir": "march", "task_id": "none"}, 422, "validation_error"),
        ({"images_dir": "march", "gt_ref": "auth.sqlite3"}, 404, "not_found"),
        ({"images_dir": "march", "gt_ref": "march/01.pdf"}, 422, "validation_error"),
        ({"images_dir": "march", "run_id": "../x"}, 422, "validation_error"),
    ],
)
def test_what_cannot_be_a_batch_is_refused_before_work(
    refusing: Place, body: dict[str, Any], status: int, code: str
) -> None:
    answer = refusing.client.post("/v1/batch_extract", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code


def test_links_out_of_the_data_root_are_not_followed(
    place: Place, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.pdf"
    outside.write_bytes(RECEIPT)
    (folder / "march" / "link.pdf").symlink_to(outside)
    (folder / "march" / "elsewhere").symlink_to(tmp_path)
    found = _batch(place, images_dir="march", glob="**/*.pdf")
    assert [item["file"] for item in found["items"]] == ["01.pdf", "02.pdf", "deep/03.pdf"]


def test_a_name_that_is_no_utf8_fails_nothing(place: Place, folder: Path) -> None:
    with open(os.fsencode(folder) + b"/march/\xe9.pdf", "wb") as file:
        file.write(RECEIPT)
    found = _batch(place, images_dir="march", glob="*.pdf")
    assert [(i["file"], i["ok"]) for i in found["items"]] == [
        ("01.pdf", True),
        ("02.pdf", False),
        ("\ufffd.pdf", True),
    ]


def test_more_at_once_than_the_server_does_fills_no_queue(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(extract_concurrency=1, extract_queue=2)
    folder = _filled(place.settings.data_root)
    for number in range(20):
        (folder / "march" / f"many-{number}.pdf").write_bytes(RECEIPT)
    found = _batch(place, images_dir="march", glob="many-*.pdf", concurrency=256)
    assert (found["item_count"], found["ok_count"]) == (20, 20)


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/batch_extract", {"images_dir": "none", "run_id": "march"}),
        ("/v1/batch_extract", {}),
        ("/v1/batch_extract_rerun", {"run_id": "none"}),
        ("/v1/evals", {"run_id": "none"}),
        ("/v1/extracts/none/corrections", {"fields": {"total": 1}}),
    ],
)
def test_what_is_refused_is_kept_too(
    place: Place, folder: Path, url: str, body: dict[str, Any]
) -> None:
    answer = place.client.post(url, json=body)
    error = answer.json()["error"]
    ref = {"ref": error["details"]["artifact_rel"]}
    artifact = place.client.get("/v1/artifacts", params=ref).json()
    assert (artifact["status"], artifact["error"]) == (answer.status_code, error)
    assert _batch(place, images_dir="march", run_id="march")["run_id"] == "march"


def test_truth_that_is_none_is_refused_before_work(place: Place, folder: Path) -> None:
    (folder / "bad.jsonl").write_text("no truth", "utf-8")
    body = {"images_dir": "march", "gt_ref": "bad.jsonl", "run_id": "march"}
    answer = place.client.post("/v1/batch_extract", json=body)
    assert answer.status_code == 422
    assert place.pipeline.calls == []
    assert _batch(place, images_dir="march", run_id="march")["ok_count"] == 2


def test_a_run_id_is_used_once(place: Place, folder: Path) -> None:
    _batch(place, images_dir="march", run_id="march")
    answer = place.client.post("/v1/batch_extract", json={"images_dir": "march", "run_id": "march"})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "conflict"


def test_runs_are_listed_page_by_page(place: Place, folder: Path) -> None:
    for number in range(5):
        _batch(place, images_dir="march", glob="01.pdf", run_id=f"run-{number}")
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = place.client.get("/v1/runs", params=params).json()
        RunList.model_validate(page)
        seen += [run["run_id"] for run in page["runs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"run-{number}" for number in (4, 3, 2, 1, 0)]
    one = place.client.get("/v1/runs/run-3").json()
    RunView.model_validate(one)
    assert one["item_count"] == 1
    assert place.client.get("/v1/runs/none").status_code == 404
    assert place.client.get("/v1/runs", params={"cursor": "x"}).status_code == 422


def test_items_are_shown_page_by_page(place: Place, folder: Path) -> None:
    _batch(place, images_dir="march", run_id="march")
    first = place.client.get("/v1/runs/march/items", params={"limit": 3}).json()
    RunItems.model_validate(first)
    cursor = {"limit": 3, "cursor": first["next_cursor"]}
    second = place.client.get("/v1/runs/march/items", params=cursor).json()
    assert [i["file"] for i in first["items"] + second["items"]] == [
        "01.pdf",
        "02.pdf",
        "04.txt",
        "deep/03.pdf",
    ]
    assert second["next_cursor"] is None


def test_what_failed_can_be_read_again_where_it_was_kept(place: Place) -> None:
    kept = _store(place, RECEIPT)
    missing = f"inputs/2026-01-01/{'0' * 64}.pdf"
    items = [{"image_ref": kept}, {"image_ref": missing}]
    _batch(place, items=items, run_id="first")
    body = {"run_id": "first", "only": "failed", "new_run_id": "second"}
    again = place.client.post("/v1/batch_extract_rerun", json=body).json()
    assert again["run_id"] == "second"
    assert [item["file"] for item in again["items"]] == [missing]
    everything = place.client.post("/v1/batch_extract_rerun", json={"run_id": "first"}).json()
    assert everything["item_count"] == 2
    review = {"run_id": "first", "only": "needs_review"}
    assert place.client.post("/v1/batch_extract_rerun", json=review).status_code == 422
    assert place.client.post("/v1/batch_extract_rerun", json={"run_id": "x"}).status_code == 404


def test_a_document_of_a_folder_was_not_kept(place: Place, folder: Path) -> None:
    _batch(place, images_dir="march", glob="01.pdf", run_id="first")
    again = place.client.post("/v1/batch_extract_rerun", json={"run_id": "first"}).json()
    assert again["items"][0]["error"]["code"] == "input_not_persisted"
    assert again["items"][0]["artifact_rel"]


def test_somebody_elses_runs_do_not_exist(locked: Place) -> None:
    mine, other, admin = locked.headers(), locked.headers(), locked.headers(Role.ADMIN)
    ref = _store(locked, RECEIPT, mine)
    body = {"items": [{"image_ref": ref}], "run_id": "mine"}
    assert locked.client.post("/v1/batch_extract", json=body, headers=mine).status_code == 200
    for url in ("/v1/runs/mine", "/v1/runs/mine/items"):
        assert locked.client.get(url, headers=other).status_code == 404
        assert locked.client.get(url, headers=admin).status_code == 200
    assert locked.client.get("/v1/runs", headers=other).json()["runs"] == []
    foreign = {"items": [{"image_ref": ref}]}
    found = locked.client.post("/v1/batch_extract", json=foreign, headers=other).json()
    assert found["items"][0]["error"]["code"] == "not_found"
    rerun = {"run_id": "mine"}
    answer = locked.client.post("/v1/batch_extract_rerun", json=rerun, headers=other)
    assert answer.status_code == 404


def _truth(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "file": name, "document_type": "receipt", "fields": fields}


def test_a_batch_is_evaluated_where_ground_truth_is_named(place: Place, folder: Path) -> None:
    lines = [_truth("01.pdf", total="19.90"), _truth("02.pdf", total="5.00")]
    (folder / "march.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    found = _batch(place, images_dir="march", gt_ref="march.jsonl")
    assert found["eval"]["documents"] == 2
    assert found["eval"]["micro"]["exact"]["recall"] == 0.5
    whole = place.client.get(f"/v1/evals/{found['eval']['eval_id']}").json()
    EvalView.model_validate(whole)
    assert [item["error"] for item in whole["items"]] == [None, "unsupported_media_type"]


def test_a_run_is_evaluated_against_truth_that_is_sent(place: Place, folder: Path) -> None:
    _batch(place, images_dir="march", run_id="march")
    truth = [_truth("01.pdf", total="19.90", vendor_name="Other"), _truth("9.pdf", total="1")]
    sent = {"run_id": "march", "truth": truth}
    answer = place.client.post("/v1/evals", json=sent)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    EvalView.model_validate(found)
    assert found["fields"]["total"]["exact"]["correct"] == 1
    assert found["fields"]["vendor_name"]["exact"]["correct"] == 0
    assert found["items"][1]["error"] == "not_in_the_run"
    assert place.client.get(f"/v1/evals/{found['eval_id']}").json() == found
    ref = {"ref": found["artifact_rel"]}
    assert place.client.get("/v1/artifacts", params=ref).json() == found


def test_corrections_are_the_truth_when_none_is_sent(place: Place, folder: Path) -> None:
    found = _batch(place, images_dir="march", glob="*.pdf", run_id="march")
    refused = place.client.post("/v1/evals", json={"run_id": "march"})
    assert refused.status_code == 422
    url = f"/v1/extracts/{found['items'][0]['request_id']}/corrections"
    place.client.post(url, json={"fields": {"total": 19.90, "vendor_name": "Right Ltd"}})
    judged = place.client.post("/v1/evals", json={"run_id": "march"}).json()
    assert judged["documents"] == 1
    assert judged["micro"]["exact"]["recall"] == 0.5


def _purge(place: Place, request_id: str, rel: str) -> None:
    """As retention does with what is too old."""
    engine = open_database(place.settings.index_database, Schema.INDEX, Durability.CRASH)
    ExtractIndex(engine, 0.0).forget(request_id, rel)
    engine.dispose()
    place.app.state.store.delete(rel)


def test_what_has_been_purged_is_not_judged(place: Place, folder: Path) -> None:
    for name in ("05.pdf", "06.pdf"):
        (folder / "march" / name).write_bytes(RECEIPT)
    found = _batch(place, images_dir="march", glob="0[56].pdf", run_id="march")
    gone, kept = found["items"]
    for item in (gone, kept):
        url = f"/v1/extracts/{item['request_id']}/corrections"
        assert place.client.post(url, json={"fields": {"total": 19.90}}).status_code == 201
    _purge(place, gone["request_id"], gone["artifact_rel"])
    both = {"run_id": "march", "truth": [_truth("05.pdf", total="1"), _truth("06.pdf", total="1")]}
    refused = place.client.post("/v1/evals", json=both)
    assert refused.status_code == 404
    error = refused.json()["error"]
    assert (error["code"], error["details"]["extraction"]) == ("not_found", gone["request_id"])
    one = {"run_id": "march", "truth": [_truth("06.pdf", total="19.90")]}
    assert place.client.post("/v1/evals", json=one).json()["micro"]["exact"]["recall"] == 1.0
    by_corrections = place.client.post("/v1/evals", json={"run_id": "march"}).json()
    assert (by_corrections["documents"], by_corrections["failed"]) == (1, 0)


def test_names_that_are_too_long_are_found_by_ground_truth(place: Place, folder: Path) -> None:
    """Those that were unlike in what was cut off only are no document's."""
    names = []
    for first in "ab":
        deep = f"{first}/{'c' * 200}/{'d' * 200}"
        (folder / "march" / deep).mkdir(parents=True)
        names += [f"{deep}/06.pdf", f"{deep}/{first}.pdf"]
    for name in names:
        (folder / "march" / name).write_bytes(RECEIPT)
    _batch(place, images_dir="march", glob="*/*/*/*.pdf", run_id="deep")
    sent = {"run_id": "deep", "truth": [_truth(name, total="19.90") for name in names]}
    judged = place.client.post("/v1/evals", json=sent).json()
    errors = [item["error"] for item in judged["items"]]
    assert errors == ["not_in_the_run", None, "not_in_the_run", None]


def test_evaluations_need_their_scope_and_belong_to_their_key(locked: Place) -> None:
    client, debugger = locked.headers(), locked.headers(Role.DEBUGGER)
    ref = _store(locked, RECEIPT, debugger)
    body = {"items": [{"image_ref": ref, "filename": "a"}], "run_id": "r"}
    locked.client.post("/v1/batch_extract", json=body, headers=debugger)
    sent = {"run_id": "r", "truth": [_truth("a", total="19.90")]}
    assert locked.client.post("/v1/evals", json=sent, headers=client).status_code == 403
    found = locked.client.post("/v1/evals", json=sent, headers=debugger).json()
    url = f"/v1/evals/{found['eval_id']}"
    assert locked.client.get(url, headers=debugger).status_code == 200
    assert locked.client.get(url, headers=locked.headers(Role.DEBUGGER)).status_code == 404
    for unknown in ("x", "0199f3c5-1b2c-7d3e-9f40-51627384a5b6", "f" * 12):
        missing = locked.client.get(f"/v1/evals/{unknown}", headers=debugger)
        assert missing.status_code == 404
