"""Corrections and the vendor memory, as a client sees them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from api_place import RECEIPT, Place
from typer.testing import CliRunner

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.cli import app
from apps.api_cpu.corrections.schemas import CorrectionList, CorrectionView
from lib.evaluation.truth import read_truth


def _body(data: bytes = RECEIPT, **options: Any) -> dict[str, Any]:
    return {"image_base64": base64.b64encode(data).decode(), **options}


@pytest.fixture
def extracted(place: Place) -> Place:
    """A server that has read the request `r-1`."""
    assert place.client.post("/v1/extract", json=_body(request_id="r-1")).status_code == 200
    return place


@pytest.fixture(scope="module")
def uncorrected(shared_place: Place) -> Place:
    """The same for tests whose corrections are refused."""
    sent = _body(request_id="r-1")
    assert shared_place.client.post("/v1/extract", json=sent).status_code == 200
    return shared_place


def test_a_correction_is_kept_beside_the_extraction(extracted: Place) -> None:
    client = extracted.client
    before = client.get("/v1/extracts/r-1").text
    sent = {"fields": {"vendor_name": "Corner Shop Ltd", "total": 19.80}, "comment": "blurred"}
    answer = client.post("/v1/extracts/r-1/corrections", json=sent)
    assert answer.status_code == 201, answer.text
    correction = answer.json()
    CorrectionView.model_validate(correction)
    assert correction["fields"] == sent["fields"]
    assert client.get("/v1/extracts/r-1").text == before
    artifact = client.get("/v1/artifacts", params={"ref": correction["artifact_rel"]}).json()
    assert artifact["fields"] == sent["fields"]
    assert artifact["comment"] == "blurred"
    assert artifact["input"]["sha256"]
    assert "owner_key_id" not in correction


def test_the_digits_of_money_are_kept_as_sent(extracted: Place) -> None:
    body = b'{"fields": {"total": 19.80}}'
    answer = extracted.client.post("/v1/extracts/r-1/corrections", content=body)
    assert '"total":19.80' in answer.text


def test_an_extraction_is_corrected_a_hundred_times_at_most(extracted: Place) -> None:
    url, sent = "/v1/extracts/r-1/corrections", {"fields": {"total": 1}}
    found = [extracted.client.post(url, json=sent).status_code for _ in range(101)]
    assert found == [201] * 100 + [409]


def test_a_number_out_of_range_is_refused(extracted: Place) -> None:
    body = b'{"fields": {"total": 123456789012345678901234567890}}'
    answer = extracted.client.post("/v1/extracts/r-1/corrections", content=body)
    assert answer.json()["error"]["code"] == "bad_request"


def test_the_latest_correction_wins_and_the_rest_stays(extracted: Place) -> None:
    client = extracted.client
    rows = [{"amount": 9.9}, {"amount": 10}]
    for fields in ({"total": 1, "vendor_name": "A"}, {"total": 2.5}, {"line_items": rows}):
        sent = {"fields": fields}
        assert client.post("/v1/extracts/r-1/corrections", json=sent).status_code == 201
    listed = client.get("/v1/extracts/r-1/corrections").json()
    CorrectionList.model_validate(listed)
    assert [c["fields"].get("total") for c in listed["corrections"]] == [1, 2.5, None]
    assert listed["result"] == {"vendor_name": "A", "total": 2.5, "line_items": rows}


@pytest.mark.parametrize(
    ("fields", "place_of_the_error"),
    [
        ({"tota": 1}, "fields.tota"),
        ({"total": "19,90"}, "fields.total"),
        ({"total": True}, "fields.total"),
        ({"vendor_name": 5}, "fields.vendor_name"),
        ({"line_items": [{"price": 1}]}, "fields.line_items[0]"),
        ({"line_items": [{"amount": "x"}]}, "fields.line_items[0].amount"),
        ({"line_items": None}, "fields.line_items"),
    ],
)
def test_what_does_not_fit_the_task_is_refused(
    uncorrected: Place, fields: dict[str, Any], place_of_the_error: str
) -> None:
    answer = uncorrected.client.post("/v1/extracts/r-1/corrections", json={"fields": fields})
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "validation_error"
    assert error["details"]["errors"][0]["field"].startswith(place_of_the_error)
    assert uncorrected.client.get("/v1/extracts/r-1/corrections").json()["corrections"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"fields": {"total": 1e999999}}', 400),
        (b'{"fields": {"total": NaN}}', 400),
        (b'{"fields": {}}', 422),
        (b'{"fields": {"total": 1}, "more": 1}', 422),
        (b"[]", 422),
    ],
)
def test_a_bad_body_is_refused(uncorrected: Place, body: bytes, status: int) -> None:
    answer = uncorrected.client.post("/v1/extracts/r-1/corrections", content=body)
    assert answer.status_code == status


def test_a_request_that_failed_has_nothing_to_correct(place: Place) -> None:
    place.client.post("/v1/extract", json=_body(b"unsupported", request_id="r-2"))
    answer = place.client.post("/v1/extracts/r-2/corrections", json={"fields": {"total": 1}})
    assert answer.status_code == 409
    assert place.client.get("/v1/extracts/none/corrections").status_code == 404


def test_somebody_elses_extraction_does_not_exist(locked: Place) -> None:
    mine, other = locked.headers(), locked.headers()
    locked.client.post("/v1/extract", json=_body(request_id="r-1"), headers=mine)
    sent = {"fields": {"total": 1}}
    url = "/v1/extracts/r-1/corrections"
    assert locked.client.post(url, json=sent, headers=other).status_code == 404
    assert locked.client.get(url, headers=other).status_code == 404
    assert locked.client.post(url, json=sent).status_code == 401
    kept = locked.client.post(url, json=sent, headers=mine).json()
    ref = {"ref": kept["artifact_rel"]}
    assert locked.client.get("/v1/artifacts", params=ref, headers=other).status_code == 404
    assert locked.client.get("/v1/artifacts", params=ref, headers=mine).status_code == 200


def test_a_corrected_vendor_is_known_to_its_key_only(locked: Place) -> None:
    mine, other = locked.headers(), locked.headers()
    locked.client.post("/v1/extract", json=_body(request_id="r-1"), headers=mine)
    sent = {"fields": {"vendor_name": "Corner Shop Ltd"}}
    locked.client.post("/v1/extracts/r-1/corrections", json=sent, headers=mine)
    for headers in (mine, other):
        locked.client.post("/v1/extract", json=_body(), headers=headers)
    known, unknown = (call["hints"].vendors for call in locked.pipeline.calls[-2:])
    assert [vendor.name for vendor in known.vendors] == ["Corner Shop Ltd"]
    assert unknown.vendors == ()
    assert locked.client.get("/v1/vendors", headers=other).json() == {"vendors": []}


def test_an_admins_correction_teaches_the_owners_memory(locked: Place) -> None:
    mine, admin = locked.headers(), locked.headers(Role.ADMIN)
    locked.client.post("/v1/extract", json=_body(request_id="r-1"), headers=mine)
    sent = {"fields": {"vendor_name": "Corner Shop Ltd"}}
    locked.client.post("/v1/extracts/r-1/corrections", json=sent, headers=admin)
    listed = locked.client.get("/v1/vendors", headers=mine).json()["vendors"]
    assert [(v["name"], v["source"], v["known"]) for v in listed] == [
        ("Corner Shop Ltd", "correction", True)
    ]


def test_the_memory_can_be_erased(extracted: Place) -> None:
    client = extracted.client
    for name in ("A Ltd", "B Ltd", "C Ltd"):
        sent = {"fields": {"vendor_name": name}}
        client.post("/v1/extracts/r-1/corrections", json=sent)
    first = client.get("/v1/vendors").json()["vendors"][0]
    assert client.delete(f"/v1/vendors/{first['vendor_id']}").json() == {"erased": 1}
    assert client.delete(f"/v1/vendors/{first['vendor_id']}").status_code == 404
    assert client.delete("/v1/vendors").json() == {"erased": 2}
    assert client.get("/v1/vendors").json() == {"vendors": []}
    client.post("/v1/extract", json=_body())
    assert extracted.pipeline.calls[-1]["hints"].vendors.vendors == ()


def test_without_a_memory_nothing_is_used(make_place: Callable[..., Place]) -> None:
    place = make_place(vendor_memory=False)
    place.client.post("/v1/extract", json=_body(request_id="r-1"))
    sent = {"fields": {"vendor_name": "Corner Shop Ltd"}}
    place.client.post("/v1/extracts/r-1/corrections", json=sent)
    place.client.post("/v1/extract", json=_body())
    assert place.pipeline.calls[-1]["hints"].vendors.vendors == ()


def test_a_correction_survives_as_json_without_floats(extracted: Place) -> None:
    extracted.client.post("/v1/extracts/r-1/corrections", content=b'{"fields":{"total":0.10}}')
    (file,) = [path for path in extracted.artifact_files() if "corrections" in path.parts]
    assert json.loads(file.read_bytes(), parse_float=Decimal)["fields"]["total"] == Decimal("0.10")


def test_corrections_are_exported_as_truth_for_an_evaluation(locked: Place, tmp_path: Path) -> None:
    ann, ben = locked.headers(), locked.headers()
    for request_id, headers, kept in (("a-1", ann, True), ("a-2", ann, False), ("b-1", ben, True)):
        body = _body(request_id=request_id, persist_inputs=kept)
        assert locked.client.post("/v1/extract", json=body, headers=headers).status_code == 200
        for total in (1, 19.80):
            rows = [{"amount": 19.80}] if total == 1 else None
            fields = {"total": total} | ({"line_items": rows} if rows else {"vendor_name": None})
            url = f"/v1/extracts/{request_id}/corrections"
            sent = locked.client.post(url, json={"fields": fields}, headers=headers)
            assert sent.status_code == 201, sent.text

    def lines(headers: dict[str, str]) -> list[dict[str, Any]]:
        text = locked.client.get("/v1/corrections?format=truth", headers=headers).text
        assert len(read_truth(text.splitlines())) == text.count("\n")
        return [json.loads(line) for line in text.splitlines()]

    assert [line["id"] for line in lines(ann)] == ["a-1", "a-2"]
    assert [line["id"] for line in lines(locked.headers(Role.ADMIN))] == ["a-1", "a-2", "b-1"]
    first = lines(ann)[0]
    assert first["fields"] == {"total": 19.80, "vendor_name": None}
    assert first["line_items"] == [{"amount": 19.80}]
    out = tmp_path / "truth" / "truth.jsonl"
    environment = {"DATA_ROOT": str(locked.settings.data_root)}
    done = CliRunner().invoke(app, ["corrections", "export", "--out", str(out)], env=environment)
    assert done.exit_code == 0, done.output
    written = read_truth(out.read_text().splitlines())
    assert [document.id for document in written] == ["a-1", "b-1"], "what was kept"
    assert (out.parent / written[0].file).read_bytes() == RECEIPT
