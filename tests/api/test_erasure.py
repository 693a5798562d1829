"""The right to erase: what goes, what stays, and who may ask for it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from api_place import RECEIPT, Place

from apps.api_cpu.archive.schemas import ErasureView
from apps.api_cpu.auth.roles import Role
from apps.api_cpu.runs.schemas import RunItems

Headers = dict[str, str] | None


def _read(place: Place, request_id: str, headers: Headers = None, **more: Any) -> Any:
    data = more.pop("data", RECEIPT)
    body = {"image_base64": base64.b64encode(data).decode(), "request_id": request_id, **more}
    return place.client.post("/v1/extract", json=body, headers=headers).json()


def _erase(place: Place, request_id: str, headers: Headers = None) -> Any:
    return place.client.delete(f"/v1/extracts/{request_id}", headers=headers)


def _names(place: Place) -> list[str]:
    folder = place.settings.artifacts_folder
    return [path.relative_to(folder).as_posix() for path in place.artifact_files()]


def test_all_that_came_of_it_goes_and_a_tombstone_stays(place: Place) -> None:
    found = _read(place, "e-1", persist_inputs=True)
    correction = {"fields": {"vendor_name": "Corner Shop Ltd", "total": 19.80}}
    assert place.client.post("/v1/extracts/e-1/corrections", json=correction).status_code == 201
    assert [v["name"] for v in place.client.get("/v1/vendors").json()["vendors"]]
    erased = _erase(place, "e-1")
    assert erased.status_code == 200, erased.text
    view = ErasureView.model_validate(erased.json())
    assert (view.request_id, view.erased_by) == ("e-1", "local")
    assert _erase(place, "e-1").json() == erased.json(), "again: the same"
    assert [name.split("/")[0] for name in _names(place)] == ["erasures"]
    tombstone = place.artifact_files()[0].read_text()
    assert "Corner" not in tombstone
    assert found["input_ref"].split("/")[-1].split(".")[0] not in tombstone
    assert place.client.get("/v1/vendors").json()["vendors"] == []
    for path in ("e-1", "e-1/corrections", "e-1/words", "e-1/pages/1.png", "e-1?format=csv"):
        gone = place.client.get(f"/v1/extracts/{path}")
        assert gone.status_code == 404, path
        assert gone.json()["error"]["details"]["reason"] == "erased", path
    old = place.client.get("/v1/artifacts", params={"ref": found["artifact_rel"]})
    assert old.status_code == 404
    again = place.client.post("/v1/extract", json={"image_ref": found["input_ref"]})
    assert again.status_code == 404


def test_its_id_is_never_used_again(place: Place) -> None:
    _read(place, "e-1")
    _erase(place, "e-1")
    assert _read(place, "e-1")["error"]["code"] == "conflict"


def test_only_its_owner_and_admins_may_erase(locked: Place) -> None:
    owner, stranger = locked.headers(), locked.headers()
    _read(locked, "e-1", owner)
    assert _erase(locked, "e-1", stranger).status_code == 404
    assert _erase(locked, "unknown", owner).status_code == 404
    assert _erase(locked, "e-1").status_code == 401
    erased = _erase(locked, "e-1", locked.headers(Role.ADMIN)).json()
    assert erased == _erase(locked, "e-1", owner).json()
    gone = locked.client.get("/v1/extracts/e-1", headers=stranger).json()["error"]
    assert gone["details"] == {}, "a stranger does not learn that it was there"


@pytest.mark.usefixtures("one_day")
def test_a_document_that_others_need_stays_for_them(locked: Place) -> None:
    ann, ben = locked.headers(), locked.headers()
    ref = _read(locked, "a-1", ann, persist_inputs=True)["input_ref"]
    assert _read(locked, "a-2", ann, persist_inputs=True)["input_ref"] == ref
    assert _read(locked, "b-1", ben, persist_inputs=True)["input_ref"] == ref

    def may_read(headers: Headers) -> bool:
        body = {"image_ref": ref}
        return locked.client.post("/v1/extract", json=body, headers=headers).status_code == 200

    _erase(locked, "a-1", ann)
    assert ref in _names(locked)
    _erase(locked, "a-2", ann)
    assert not may_read(ann)
    assert may_read(ben)


def test_a_failure_is_erased_too(place: Place) -> None:
    _read(place, "e-1", data=b"unsupported", persist_inputs=True)
    assert _erase(place, "e-1").status_code == 200
    assert [name.split("/")[0] for name in _names(place)] == ["erasures"]


@pytest.fixture
def run(place: Place) -> dict[str, Any]:
    """A run of two documents that was evaluated."""
    folder = place.settings.data_root / "march"
    folder.mkdir(parents=True)
    for name in ("1.pdf", "2.pdf"):
        (folder / name).write_bytes(RECEIPT + name.encode())
    body = {"images_dir": "march", "run_id": "march"}
    found: dict[str, Any] = place.client.post("/v1/batch_extract", json=body).json()
    return found


def test_a_runs_artifact_is_written_again_without_it(place: Place, run: dict[str, Any]) -> None:
    first, second = run["items"]
    truth = [{"id": "1.pdf", "file": "1.pdf", "fields": {"vendor_name": "Other"}}]
    body = {"run_id": "march", "truth": truth}
    evaluation = place.client.post("/v1/evals", json=body).json()
    assert _erase(place, first["request_id"]).status_code == 200
    items = place.client.get("/v1/runs/march/items").json()["items"]
    RunItems.model_validate({"items": items, "next_cursor": None})
    assert (items[0]["ok"], items[0]["result"], items[0]["file"]) == (False, None, "")
    assert items[0]["error"]["details"]["reason"] == "erased"
    assert items[1] == second
    by_ref = place.client.get("/v1/artifacts", params={"ref": run["artifact_rel"]})
    assert by_ref.status_code == 200, "the reference that was given out still leads there"
    again = place.client.get(f"/v1/evals/{evaluation['eval_id']}").json()
    assert again["items"][0]["mistakes"] == []
    assert again["micro"] == evaluation["micro"], "sums say nothing of one document"
    _erase(place, second["request_id"])
    texts = "".join(path.read_text() for path in place.artifact_files())
    assert "Corner Shop" not in texts
    assert len([name for name in _names(place) if name.startswith("batches/")]) == 1


def test_what_jobs_hold_of_it_goes_too(place: Place) -> None:
    body = {"image_base64": base64.b64encode(RECEIPT).decode(), "request_id": "e-1"}
    job_id = place.client.post("/v1/extract_async", json=body).json()["job_id"]
    done = place.client.get(f"/v1/jobs/{job_id}", params={"wait": 60}).json()
    assert done["result"]["result"]["vendor_name"]
    assert any(name.startswith("inputs/") for name in _names(place)), "it stays for a while"
    assert _erase(place, "e-1").status_code == 200
    assert not any(name.startswith("inputs/") for name in _names(place))
    again = place.client.get(f"/v1/jobs/{job_id}").json()
    assert (again["status"], again["result"]) == ("succeeded", None)
    assert "Corner" not in place.client.get(f"/v1/jobs/{job_id}/events").text
