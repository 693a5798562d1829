"""What support sees: lists by the index, traces of a request, raw text, and backups."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from typing import Any

import pytest
from api_place import RECEIPT, Place

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.debug.schemas import ArtifactPage, RawText, RequestTrace


def _read(place: Place, request_id: str, data: bytes = RECEIPT, **more: Any) -> None:
    body = {"image_base64": base64.b64encode(data).decode(), "request_id": request_id}
    place.client.post("/v1/extract", json=body, **more)


def _list(place: Place, query: str = "", **more: Any) -> Any:
    found = place.client.get(f"/v1/debug/artifacts{query}", **more).json()
    ArtifactPage.model_validate(found)
    return found


@pytest.fixture
def used(place: Place) -> Place:
    """A server with three extractions, one of them failed, and a correction."""
    _read(place, "d-1")
    _read(place, "d-2", b"unsupported")
    _read(place, "d-3")
    place.client.post("/v1/extracts/d-3/corrections", json={"fields": {"total": 1}})
    return place


def test_artifacts_are_listed_newest_first_page_by_page(used: Place) -> None:
    ids = [entry["request_id"] for entry in _list(used)["artifacts"]]
    assert ids == ["d-3", "d-3", "d-2", "d-1"]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = _list(used, f"?limit=1&cursor={cursor}" if cursor else "?limit=1")
        seen += [entry["artifact_rel"] for entry in page["artifacts"]]
        cursor = page["next_cursor"]
    assert seen == [entry["artifact_rel"] for entry in _list(used)["artifacts"]]


def test_they_are_found_by_kind_day_status_code_and_owner(used: Place) -> None:
    days = sorted(entry["day"] for entry in _list(used)["artifacts"])
    first, last = days[0], days[-1]

    def ids(query: str) -> list[str]:
        return [entry["artifact_id"] for entry in _list(used, query)["artifacts"]]

    assert ids("?kind=extracts") == ["d-3", "d-2", "d-1"]
    assert ids("?status=415") == ["d-2"]
    assert ids("?error_code=unsupported_media_type") == ["d-2"]
    assert ids("?owner=nobody") == []
    assert len(ids(f"?owner=local&first_day={first}&last_day={last}")) == 4
    assert ids("?first_day=2999-01-01") == []
    for wrong in ("?kind=secrets", "?first_day=today", "?limit=0", "?cursor=x", "?status=1"):
        answer = used.client.get(f"/v1/debug/artifacts{wrong}")
        assert answer.json()["error"]["code"] == "validation_error", wrong


def test_a_request_is_traced_and_its_raw_text_is_apart(used: Place) -> None:
    found = used.client.get("/v1/debug/artifacts/d-3").json()
    RequestTrace.model_validate(found)
    assert [entry["kind"] for entry in found["artifacts"]] == ["extracts", "corrections"]
    assert found["artifact"]["request_id"] == "d-3"
    assert "raw_model_text" not in found["artifact"]
    raw = used.client.get("/v1/debug/artifacts/d-3/raw").json()
    RawText.model_validate(raw)
    assert (raw["backend"], raw["raw_model_text"]) == ("cpu", None)
    assert used.client.get("/v1/debug/artifacts/unknown").status_code == 404
    assert used.client.get("/v1/debug/artifacts/unknown/raw").status_code == 404


def _members(answer: Any) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as archive:
        return {
            member.name: json.loads(archive.extractfile(member).read())  # type: ignore[union-attr]
            for member in archive
        }


def test_a_backup_holds_what_was_asked_for(used: Place) -> None:
    answer = used.client.get("/v1/debug/artifacts/backup.tar.gz?kind=extracts")
    assert answer.headers["content-type"] == "application/gzip"
    found = _members(answer)
    manifest = found.pop("backup.json")
    assert (manifest["artifacts"], manifest["complete"], manifest["after"]) == (3, True, None)
    assert [each["request_id"] for each in found.values()] == ["d-1", "d-2", "d-3"]


def test_a_backup_goes_on_after_what_the_last_one_named(used: Place) -> None:
    url = "/v1/debug/artifacts/backup.tar.gz"
    names = [name for name in _members(used.client.get(url)) if name != "backup.json"]
    rest = _members(used.client.get(url, params={"after": names[1]}))
    assert [name for name in rest if name != "backup.json"] == names[2:]
    assert used.client.get(url, params={"after": "../x"}).status_code == 422


def test_only_admins_have_the_scope(locked: Place) -> None:
    _read(locked, "d-1", headers=locked.headers())
    for path in ("", "/d-1", "/d-1/raw", "/backup.tar.gz"):
        url = f"/v1/debug/artifacts{path}"
        for role in (Role.CLIENT, Role.DEBUGGER):
            refused = locked.client.get(url, headers=locked.headers(role))
            assert refused.json()["error"]["code"] == "forbidden", path
        assert locked.client.get(url).status_code == 401
        assert locked.client.get(url, headers=locked.headers(Role.ADMIN)).status_code == 200
