"""`POST /v1/extract` and the look-up, as a client sees them."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
from api_place import RECEIPT, Place

from apps.api_cpu.artifacts.schemas import Artifact
from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions.schemas import ExtractResponse
from apps.api_cpu.extractions.store import ExtractIndex
from lib.domain.date_order import DateOrder

B64 = base64.b64encode(RECEIPT).decode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_json_body_is_answered_with_the_contracts_response(place: Place) -> None:
    answer = place.client.post("/v1/extract", json={"image_base64": B64, "request_id": "r-1"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "r-1"
    body = answer.json()
    ExtractResponse.model_validate(body)
    assert '"total":19.90' in answer.text, "money keeps its printed decimals"
    assert body["fields"]["total"]["polygon"][0] == [0.12346, 0.2]
    assert body["artifact_rel"].endswith("/r-1.json")
    assert {"load", "store", "total"} <= body["timings_ms"].keys()
    assert "words" not in body["pages"][0]
    assert place.pipeline.calls[0]["data"] == RECEIPT


def test_multipart_says_the_same_as_json(place: Place) -> None:
    as_json = place.client.post("/v1/extract", json={"image_base64": B64}).json()
    answer = place.client.post(
        "/v1/extract",
        files={"file": ("a.pdf", RECEIPT, "application/pdf")},
        data={"task_id": "auto", "pages": "1", "debug": '{"include_words": true}'},
    )
    assert answer.status_code == 200, answer.text
    as_form = answer.json()
    assert as_form["result"] == as_json["result"]
    assert as_form["pages"][0]["words"][0]["text"] == "Corner"
    assert place.pipeline.calls[1]["data"] == RECEIPT
    assert place.pipeline.calls[1]["pages"] == "1"


def test_hints_reach_the_pipeline(place: Place) -> None:
    options = {"language": "de", "currency_hint": "EUR", "date_order_hint": "DMY"}
    place.client.post("/v1/extract", json={"image_base64": B64, **options})
    hints = place.pipeline.calls[0]["hints"]
    assert (hints.language, hints.currency, hints.date_order) == ("de", "EUR", DateOrder.DMY)
    assert hints.received_on.year >= 2026
    assert hints.max_error_rate is None


def test_a_wanted_error_rate_reaches_the_pipeline_from_json_and_multipart(place: Place) -> None:
    place.client.post("/v1/extract", json={"image_base64": B64, "max_error_rate": 0.05})
    files = {"file": ("a.pdf", RECEIPT, "application/pdf")}
    place.client.post("/v1/extract", files=files, data={"max_error_rate": "0.5"})
    assert [call["hints"].max_error_rate for call in place.pipeline.calls] == [0.05, 0.5]


def test_a_field_says_whether_the_wanted_error_rate_allows_it(place: Place) -> None:
    answer = place.client.post("/v1/extract", json={"image_base64": B64}).json()
    assert {field["needs_review"] for field in answer["fields"].values()} == {None}


def test_the_bodys_request_id_goes_before_the_headers(place: Place) -> None:
    headers = {"X-Request-ID": "from-header"}
    of_header = place.client.post("/v1/extract", json={"image_base64": B64}, headers=headers)
    assert of_header.headers["x-request-id"] == of_header.json()["request_id"] == "from-header"
    both = {"image_base64": B64, "request_id": "from-body"}
    of_body = place.client.post("/v1/extract", json=both, headers=headers)
    assert of_body.headers["x-request-id"] == of_body.json()["request_id"] == "from-body"


def test_made_ids_are_uuid_version_7(place: Place) -> None:
    made = place.client.post("/v1/extract", json={"image_base64": B64}).json()["request_id"]
    assert made[14] == "7"
    assert made[19] in "89ab"


def test_the_look_up_repeats_the_answer(place: Place) -> None:
    answer = place.client.post("/v1/extract", json={"image_base64": B64, "request_id": "r-1"})
    again = place.client.get("/v1/extracts/r-1")
    assert again.status_code == 200
    first, second = answer.json(), again.json()
    first.pop("timings_ms")
    second.pop("timings_ms")
    assert first == second
    assert '"total":19.90' in again.text


def test_the_look_up_repeats_a_failure(place: Place) -> None:
    body = {"image_base64": _b64(b"unsupported"), "request_id": "r-2"}
    answer = place.client.post("/v1/extract", json=body)
    again = place.client.get("/v1/extracts/r-2")
    assert answer.status_code == again.status_code == 415
    assert answer.json() == again.json()


def test_csv_disarms_formulas_and_keeps_decimals(place: Place) -> None:
    place.client.post("/v1/extract", json={"image_base64": B64, "request_id": "r-3"})
    answer = place.client.get("/v1/extracts/r-3", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.split("\r\n")
    assert lines[0] == "field,value,raw,confidence,page,source"
    assert lines[1] == "vendor_name,'=Corner Shop,'=Corner Shop,0.9,1,ocr"
    assert lines[2] == 'total,19.90,"19,90 EUR",0.97,1,ocr'
    assert lines[3] == 'line_items[0].amount,19.90,"19,90",0.8,,xml'


def test_a_request_id_is_used_up_by_its_first_answer(place: Place) -> None:
    body = {"image_base64": B64, "request_id": "once"}
    first = place.client.post("/v1/extract", json=body).json()
    second = place.client.post("/v1/extract", json=body)
    assert second.status_code == 409
    assert second.json()["error"]["details"]["artifact_rel"] == first["artifact_rel"]
    assert len(place.pipeline.calls) == 1
    assert len(place.artifact_files()) == 1


def test_a_request_id_is_taken_before_the_work_starts(place: Place) -> None:
    body = {"image_base64": _b64(b"wait"), "request_id": "busy"}
    answers: list[Any] = []
    worker = threading.Thread(
        target=lambda: answers.append(place.client.post("/v1/extract", json=body))
    )
    worker.start()
    assert place.pipeline.entered.wait(60)
    assert place.client.get("/v1/health").json()["jobs"]["running"] == 1
    assert place.client.get("/v1/extracts/busy").status_code == 404
    assert place.client.post("/v1/extract", json=body).status_code == 409
    place.pipeline.release.set()
    worker.join(60)
    assert answers[0].status_code == 200
    assert place.client.get("/v1/extracts/busy").status_code == 200


def test_a_refusal_never_uses_an_id_up(place: Place) -> None:
    body = {"image_base64": B64, "request_id": "leased"}
    engine = open_database(place.settings.index_database, Schema.INDEX, Durability.CRASH)
    somebody = ExtractIndex(engine, lease_s=3600)
    somebody.reserve("leased", "somebody", "extracts/2026-01-01/leased.json", lambda _: False)
    assert place.client.post("/v1/extract", json=body).status_code == 409
    assert place.artifact_files() == []
    somebody.release("leased", "somebody")
    engine.dispose()
    assert place.client.post("/v1/extract", json=body).status_code == 200


def test_one_too_many_is_sent_away(make_place: Any) -> None:
    place = make_place(extract_concurrency=1, extract_queue=0)
    waiting = threading.Thread(
        target=place.client.post,
        args=("/v1/extract",),
        kwargs={"json": {"image_base64": _b64(b"wait")}},
    )
    waiting.start()
    assert place.pipeline.entered.wait(60)
    answer = place.client.post("/v1/extract", json={"image_base64": B64, "request_id": "late"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "inference_unavailable"
    assert place.client.get("/v1/extracts/late").status_code == 404, "the id is still free"
    place.pipeline.release.set()
    waiting.join(60)


def test_a_passed_deadline_is_504_for_who_waits_and_stays_504(make_place: Any) -> None:
    place = make_place()
    body, waits = {"image_base64": _b64(b"wait"), "request_id": "slow"}, {"Prefer": "wait"}
    answer = place.outlasted(
        lambda: place.client.post("/v1/extract", json=body, headers=waits), 504
    )
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "inference_timeout"
    place.pipeline.release.set()
    assert place.client.get("/v1/extracts/slow").status_code == 504


def test_what_has_not_begun_is_refused_when_the_server_stops(place: Place) -> None:
    place.app.state.admission.close()
    answer = place.client.post("/v1/extract", json={"image_base64": B64})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "shutting_down"
    assert "retry-after" in answer.headers


@pytest.mark.usefixtures("one_day")
def test_a_persisted_input_can_be_named_again(locked: Place) -> None:
    owner, stranger = locked.headers(), locked.headers()
    body = {"image_base64": B64, "persist_inputs": True}
    first = locked.client.post("/v1/extract", json=body, headers=owner).json()
    ref = first["input_ref"]
    assert ref.startswith("inputs/")
    assert ref.endswith(".bin"), "what its bytes say, not the reader"
    again = locked.client.post("/v1/extract", json={"image_ref": ref}, headers=owner)
    assert again.status_code == 200
    assert locked.pipeline.calls[1]["data"] == RECEIPT
    foreign = locked.client.post("/v1/extract", json={"image_ref": ref}, headers=stranger)
    assert foreign.status_code == 404
    same = locked.client.post("/v1/extract", json=body, headers=stranger).json()
    assert same["input_ref"] == ref
    now_known = locked.client.post("/v1/extract", json={"image_ref": ref}, headers=stranger)
    assert now_known.status_code == 200
    kept = locked.client.get("/v1/artifacts", params={"ref": ref}, headers=owner)
    assert kept.status_code == 404, "documents themselves are not shown"


def test_documents_of_two_keys_have_two_owners(locked: Place) -> None:
    owner, stranger = locked.headers(), locked.headers()
    for headers in (owner, stranger, owner):
        locked.client.post("/v1/extract", json={"image_base64": B64}, headers=headers)
    first, second, third = (call["asking"].owner for call in locked.pipeline.calls)
    assert first == third != second
    assert first == locked.client.get("/v1/me", headers=owner).json()["key_id"]


def test_an_unreadable_input_is_kept_too_when_asked_for(place: Place) -> None:
    body = {"image_base64": _b64(b"unsupported"), "persist_inputs": True, "request_id": "r-4"}
    answer = place.client.post("/v1/extract", json=body)
    assert answer.status_code == 415
    rel = answer.json()["error"]["details"]["artifact_rel"]
    artifact = place.client.get("/v1/artifacts", params={"ref": rel}).json()
    assert artifact["input"]["input_ref"].endswith(".bin")


def test_the_artifact_holds_what_the_contract_says_and_no_document(place: Place) -> None:
    body = {"image_base64": B64, "request_id": "r-5", "filename": "a.pdf", "persist_inputs": True}
    answer = place.client.post("/v1/extract", json=body)
    kept = place.client.get("/v1/artifacts", params={"ref": answer.json()["artifact_rel"]})
    artifact = kept.json()
    Artifact.model_validate(artifact)
    assert artifact["owner_key_id"] == "local"
    assert artifact["input"]["size_bytes"] == len(RECEIPT)
    assert artifact["input"]["image_base64_len"] == len(B64)
    assert len(artifact["input"]["sha256"]) == 64
    assert artifact["input"]["mime_type"] == "application/pdf"
    assert artifact["ocr_words"][0]["words"][1]["text"] == "Shop"
    assert artifact["task"]["id"] == "auto"
    assert artifact["task"]["ran"] == "receipt_fields_v1"
    assert artifact["attempts"][0]["error"] is None
    assert artifact["options"] == {
        "task_id": "auto",
        "persist_inputs": True,
        "compare": False,
    }
    for path in place.settings.artifacts_folder.rglob("*.json"):
        assert B64 not in path.read_text()
    assert json.loads(kept.text)["response"]["result"]["total"] == 19.9


@pytest.mark.parametrize(
    ("role", "debug", "status", "scopes"),
    [
        (Role.CLIENT, {"include_words": True}, 403, ["debug:run"]),
        (Role.CLIENT, {"include_raw": True}, 403, ["debug:run"]),
        (Role.DEBUGGER, {"include_words": True}, 200, None),
        (Role.DEBUGGER, {"include_raw": True}, 403, ["debug:read_raw"]),
        (Role.ADMIN, {"include_raw": True, "include_words": True}, 200, None),
        (Role.CLIENT, {"include_words": False}, 200, None),
    ],
)
def test_debug_options_need_their_scopes(
    shared_locked: Place, role: Role, debug: dict[str, bool], status: int, scopes: list[str] | None
) -> None:
    body = {"image_base64": B64, "debug": debug}
    headers = shared_locked.headers(role)
    answer = shared_locked.client.post("/v1/extract", json=body, headers=headers)
    assert answer.status_code == status
    if scopes is not None:
        details = answer.json()["error"]["details"]
        assert details["required_scopes"] == scopes
        assert "artifact_rel" in details
    else:
        assert ("raw_model_text" in answer.json()) == debug.get("include_raw", False)


def test_a_store_that_fails_is_503(place: Place) -> None:
    folder = place.settings.artifacts_folder
    (folder / ".incoming").rename(folder / ".away")  # with the server's probe in it, perhaps
    (folder / ".incoming").write_text("in the way")
    answer = place.client.post("/v1/extract", json={"image_base64": B64})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "storage_unavailable"
    assert "artifact_rel" not in answer.json()["error"]["details"]
