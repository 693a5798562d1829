"""A document that is sent again gets the answer that it got, where that is switched on."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_place import PEPPER, RECEIPT, FakePipeline, Place, reading

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions.schemas import ExtractResponse
from apps.api_cpu.result_cache.store import CachedAnswerIndex

pytestmark = pytest.mark.usefixtures("one_day")


@pytest.fixture
def caching(make_place: Callable[..., Place]) -> Place:
    return make_place(result_cache_hours=24)


def _extract(place: Place, request_id: str, data: bytes = RECEIPT, **more: Any) -> Any:
    headers = more.pop("headers", None)
    body = {"image_base64": base64.b64encode(data).decode(), "request_id": request_id, **more}
    return place.client.post("/v1/extract", json=body, headers=headers).json()


def _artifact(place: Place, answer: Any) -> Any:
    rel = answer["artifact_rel"]
    return json.loads((place.settings.artifacts_folder / rel).read_bytes())


def test_the_same_document_is_read_once_and_each_answer_has_its_artifact(caching: Place) -> None:
    first = _extract(caching, "first", persist_inputs=True)
    second = _extract(caching, "second")

    assert len(caching.pipeline.calls) == 1
    assert "cached_from" not in first
    assert second["cached_from"] == "first"
    ExtractResponse.model_validate(second)
    own = {"request_id", "created_at", "timings_ms", "artifact_rel", "input_ref"}
    of_request = own | {"cached_from", "duplicates", "warnings"}
    for name in first.keys() - of_request:
        assert second[name] == first[name]
    assert (second["request_id"], second["input_ref"]) == ("second", None)
    assert second["duplicates"] == [{"request_id": "first", "reason": "same_bytes", "score": 1.0}]
    assert second["warnings"] == ["duplicate:first"]
    assert "cache" in second["timings_ms"]

    kept, source = _artifact(caching, second), _artifact(caching, first)
    assert source["cached_from"] is None
    assert kept["cached_from"] == {
        name: first[name] for name in ("request_id", "created_at", "artifact_rel")
    }
    assert kept["response"]["cached_from"] == "first"
    for name in ("backend", "model", "ocr_words", "task", "status", "code_version"):
        assert kept[name] == source[name]
    assert kept["input"]["mime_type"] == source["input"]["mime_type"]
    again = caching.client.get("/v1/extracts/second").json()
    assert again == second | {"timings_ms": again["timings_ms"]}


def test_the_digits_of_money_are_kept(caching: Place) -> None:
    _extract(caching, "first")
    body = {"image_base64": base64.b64encode(RECEIPT).decode()}
    assert '"total":19.90' in caching.client.post("/v1/extract", json=body).text


def test_it_is_off_unless_asked_for(place: Place) -> None:
    _extract(place, "first")
    assert "cached_from" not in _extract(place, "second")
    assert len(place.pipeline.calls) == 2


def test_warnings_of_an_earlier_answer_are_not_told_again(caching: Place) -> None:
    _extract(caching, "first")
    _extract(caching, "another", b"a document: total 20,00 EUR")
    caching.client.delete("/v1/extracts/first")
    source = _extract(caching, "source")
    told = _extract(caching, "told")
    assert told["cached_from"] == "source"
    assert told["duplicates"][0]["request_id"] == "source"
    assert told["warnings"] == [f"duplicate:{other['request_id']}" for other in told["duplicates"]]
    assert "duplicate:told" not in source["warnings"]


@pytest.mark.parametrize(
    "other",
    [
        {"pages": "1"},
        {"language": "de"},
        {"currency_hint": "EUR"},
        {"date_order_hint": "DMY"},
        {"max_error_rate": 0.05},
        {"compare": True},
        {"task_id": "receipt_fields_v1"},
        {"debug": {"include_words": True}},
    ],
)
def test_whatever_decides_the_answer_makes_another_question(
    caching: Place, other: dict[str, Any]
) -> None:
    _extract(caching, "first")
    assert "cached_from" not in _extract(caching, "second", **other)
    assert _extract(caching, "third", **other)["cached_from"] == "second"
    assert _extract(caching, "fourth")["cached_from"] == "first"


def test_names_of_files_decide_nothing(caching: Place) -> None:
    _extract(caching, "first", filename="a.pdf")
    second = _extract(caching, "second", filename="b.pdf", persist_inputs=True)
    assert second["cached_from"] == "first"
    assert second["input_ref"] is not None
    third = caching.client.post("/v1/extract", json={"image_ref": second["input_ref"]}).json()
    assert third["cached_from"] == "first"


def test_whoever_wants_the_text_of_a_model_gets_it_anew(caching: Place) -> None:
    raw = {"debug": {"include_raw": True}}
    _extract(caching, "first", **raw)
    assert "cached_from" not in _extract(caching, "second", **raw)


def test_an_answer_never_leaves_its_key(make_place: Callable[..., Place]) -> None:
    place = make_place(auth_enabled=True, api_key_pepper=PEPPER, result_cache_hours=24)
    mine, other, admin = place.headers(), place.headers(), place.headers(Role.ADMIN)
    _extract(place, "first", headers=mine)
    assert "cached_from" not in _extract(place, "second", headers=other)
    assert "cached_from" not in _extract(place, "third", headers=admin)
    assert _extract(place, "fourth", headers=mine)["cached_from"] == "first"


def test_what_was_erased_answers_nothing_more(caching: Place) -> None:
    _extract(caching, "first")
    copied = _extract(caching, "copied")
    assert caching.client.delete("/v1/extracts/first").status_code == 200
    assert "cached_from" not in _extract(caching, "second")
    assert caching.client.get("/v1/extracts/copied").json()["result"] == copied["result"]


def test_an_artifact_that_is_gone_answers_nothing_more(caching: Place) -> None:
    first = _extract(caching, "first")
    caching.app.state.store.delete(first["artifact_rel"])
    assert "cached_from" not in _extract(caching, "second")


def test_what_was_corrected_is_read_again(caching: Place) -> None:
    _extract(caching, "first")
    _extract(caching, "copied")
    sent = caching.client.post("/v1/extracts/copied/corrections", json={"fields": {"total": 20.5}})
    assert sent.status_code == 201, sent.text
    assert "cached_from" not in _extract(caching, "second")


def test_a_vendor_that_became_known_makes_another_question(caching: Place) -> None:
    _extract(caching, "first")
    fields = {"vendor_name": "Corner Shop"}
    _extract(caching, "elsewhere", b"another document of the same vendor")
    caching.client.post("/v1/extracts/elsewhere/corrections", json={"fields": fields})
    assert "cached_from" not in _extract(caching, "second")


def test_failures_are_not_kept(caching: Place) -> None:
    for name in ("first", "second"):
        assert _extract(caching, name, b"unsupported")["error"]["code"] == "unsupported_media_type"
    assert len(caching.pipeline.calls) == 2


def test_what_the_rules_answered_for_a_model_that_is_away_is_not_kept(caching: Place) -> None:
    warning = "fallback_cpu:inference_unavailable: the model could not be asked"
    caching.pipeline.answer = lambda: replace(reading(), warnings=(warning,))
    _extract(caching, "first")
    assert "cached_from" not in _extract(caching, "second")


def test_jobs_and_batches_use_it_too(caching: Place) -> None:
    document = b"%PDF-1.7 a document"
    _extract(caching, "first", document)
    body = {"image_base64": base64.b64encode(document).decode(), "request_id": "later"}
    url = caching.client.post("/v1/extract_async", json=body).headers["location"]
    job = caching.client.get(url, params={"wait": 60}).json()
    assert job["result"]["cached_from"] == "first"
    assert job["result"]["request_id"] == "later"

    files = [("files", (f"{name}.pdf", document)) for name in ("a", "b")]
    run = caching.client.post("/v1/batch_extract_upload", files=files).json()
    assert [item["ok"] for item in run["items"]] == [True, True]
    assert len(caching.pipeline.calls) == 1


def test_hits_and_misses_are_counted(caching: Place) -> None:
    for name in ("first", "second", "third"):
        _extract(caching, name)
    text = caching.app.state.metrics.text().decode()
    assert 'ocr_result_cache_total{outcome="hit"} 2.0' in text
    assert 'ocr_result_cache_total{outcome="miss"} 1.0' in text
    assert 'ocr_documents_total{backend="cpu",document_type="receipt"} 1.0' in text


def test_another_server_code_or_setting_makes_another_question(
    make_place: Callable[..., Place],
) -> None:
    _extract(make_place(result_cache_hours=24), "first")
    assert _extract(make_place(result_cache_hours=24), "second")["cached_from"] == "first"
    assert "cached_from" not in _extract(make_place(result_cache_hours=24, max_pages=7), "third")


def test_old_answers_and_too_many_are_swept(make_place: Callable[..., Place]) -> None:
    place = make_place(result_cache_hours=24, result_cache_max_answers=2)
    for number in range(4):
        _extract(place, f"r{number}", b"document %d" % number)
    index = CachedAnswerIndex(
        open_database(place.settings.index_database, Schema.INDEX, Durability.CRASH)
    )
    assert index.forget_beyond(2) == 2
    assert index.forget_beyond(2) == 0
    assert "cached_from" not in _extract(place, "again", b"document 0")
    assert _extract(place, "newest", b"document 3")["cached_from"] == "r3"
    later = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    assert index.forget_before(later) == 3
    assert "cached_from" not in _extract(place, "last", b"document 3")


def test_the_pipeline_is_not_asked_for_a_known_answer(caching: Place) -> None:
    assert isinstance(caching.pipeline, FakePipeline)
    _extract(caching, "first")
    caching.pipeline.answer = lambda: pytest.fail("read again")
    assert _extract(caching, "second")["cached_from"] == "first"
