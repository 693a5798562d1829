"""`GET /metrics`: who may see it, and what it counts."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from api_place import RECEIPT, Place
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

TOKEN = "a token for these tests only"
DOCS = Path(__file__).parents[2] / "docs"


def _local(place: Place) -> TestClient:
    """A client of this machine, of the server that `place` has started."""
    return TestClient(place.app, "http://localhost", client=("127.0.0.1", 5000))


def _samples(text: str) -> dict[str, float]:
    """Values by name and labels, as `name{label="value"}`."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def _extract(place: Place, data: bytes = RECEIPT) -> None:
    place.client.post("/v1/extract", json={"image_base64": base64.b64encode(data).decode()})


def test_documents_and_requests_are_counted(place: Place) -> None:
    for data in (RECEIPT, RECEIPT, b"unsupported"):
        _extract(place, data)
    place.client.get("/v1/no/such/secret")
    found = _samples(_local(place).get("/metrics").text)

    assert found['ocr_documents_total{backend="cpu",document_type="receipt"}'] == 2
    assert found['ocr_document_failures_total{code="unsupported_media_type"}'] == 1
    assert found['ocr_pages_total{source="ocr"}'] == 2
    assert found["ocr_fields_total"] == 6
    assert found["ocr_duplicates_total"] == 1
    assert found['ocr_stage_seconds_count{stage="total"}'] == 2
    routes = 'ocr_http_requests_total{method="POST",route="/v1/extract",status='
    assert found[f'{routes}"200"}}'] == 2
    assert found[f'{routes}"415"}}'] == 1
    assert found["ocr_ready"] == 1
    assert found["ocr_job_items_queued"] == 0
    assert "secret" not in " ".join(found)


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "10.0.0.1"}])
def test_without_a_token_only_this_machine_is_answered(
    place: Place, headers: dict[str, str]
) -> None:
    # The test client itself comes from `testclient`, which is no address.
    assert place.client.get("/metrics", headers=headers).status_code == 404
    assert _local(place).get("/metrics", headers=headers).status_code == (404 if headers else 200)


def test_with_a_token_nobody_else_is_answered(make_place: Callable[..., Place]) -> None:
    place = make_place(metrics_token=TOKEN)
    assert _local(place).get("/metrics").status_code == 404
    for sent, status in ((TOKEN, 200), ("a token", 404), ("", 404), ("é", 404)):
        headers = {"Authorization": f"Bearer {sent}".encode()}
        assert place.client.get("/metrics", headers=headers).status_code == status


def test_wrong_tokens_are_counted_by_address(make_place: Callable[..., Place]) -> None:
    place = make_place(metrics_token=TOKEN, login_failures_per_minute=2)
    wrong = {"Authorization": "Bearer wrong"}
    for _ in range(4):
        assert place.client.get("/metrics").status_code == 404, "nothing was guessed"
    codes = [place.client.get("/metrics", headers=wrong).status_code for _ in range(3)]
    assert codes == [404, 404, 429]
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert place.client.get("/metrics", headers=right).status_code == 200


def _names(place: Place) -> set[str]:
    """Of every metric, those included of which nothing was counted yet."""
    text = _local(place).get("/metrics").text
    families = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    # A histogram's parts are told apart by what they end in; `_created` is the client's own.
    return {name for name, _ in families if not name.endswith("_created")}


def _asked(text: str) -> set[str]:
    found = re.findall(r"\b(?:ocr|process)_\w+", text)
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in found}


def _panels() -> str:
    panels = json.loads((DOCS / "grafana" / "ocr-service.json").read_text())["panels"]
    return "\n".join(target["expr"] for panel in panels for target in panel.get("targets", ()))


def test_server_page_and_dashboard_have_the_same_names(place: Place) -> None:
    shown = _names(place)
    assert len(shown) > 50
    rows = [line for line in (DOCS / "metrics.md").read_text().splitlines() if line[:3] == "| `"]
    assert _asked("\n".join(row.split("|")[1] for row in rows)) == shown
    assert _asked(_panels()) == shown


def test_the_alerts_ask_for_what_is_there(place: Place) -> None:
    groups = yaml.safe_load((DOCS / "grafana" / "alerts.yaml").read_text())["groups"]
    asked = _asked("\n".join(rule["expr"] for group in groups for rule in group["rules"]))
    shown = _names(place)
    assert len(asked) > 15
    assert asked <= shown
    assert _asked((DOCS / "sla.md").read_text()) <= shown


def test_names_and_units_follow_prometheus(place: Place) -> None:
    text = _local(place).get("/metrics").text
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|milliseconds|mb|kb|minutes)(_|$)", name), name


def test_jobs_and_their_ends_are_counted(place: Place) -> None:
    files = {"file": ("a.pdf", RECEIPT)}
    job_id = place.client.post("/v1/extract_async", files=files).json()["job_id"]
    job = place.client.get(f"/v1/jobs/{job_id}?wait=60").json()
    assert job["status"] == "succeeded"
    # Counted a moment after it was recorded, and so perhaps after we were told.
    ended = 'ocr_jobs_ended_total{kind="extract",status="succeeded"}'
    patience = time.monotonic() + 60
    while ended not in (found := _samples(_local(place).get("/metrics").text)):
        assert time.monotonic() < patience
        time.sleep(0.02)
    assert found[ended] == 1
    assert found['ocr_job_seconds_count{kind="extract"}'] == 1
    assert found["ocr_job_workers"] == 1
    assert found["ocr_job_items_reaped_total"] == 0


def test_refusals_and_answers_given_again_are_counted(make_place: Callable[..., Place]) -> None:
    place = make_place(rate_limit_per_minute=3)
    for _ in range(2):
        headers = {"Idempotency-Key": "once"}
        assert place.client.post(
            "/v1/extract", files={"file": RECEIPT}, headers=headers
        ).status_code == 200  # fmt: skip
    while place.client.get("/v1/me").status_code == 200:
        pass
    found = _samples(_local(place).get("/metrics").text)
    assert found["ocr_idempotency_replays_total"] == 1
    assert found['ocr_rate_limit_refusals_total{limit="requests"}'] == 1


def test_what_a_person_corrects_is_held_against_the_confidence(place: Place) -> None:
    answer = place.client.post("/v1/extract", files={"file": RECEIPT}).json()
    found = _samples(_local(place).get("/metrics").text)
    answered = found["ocr_field_confidence_count"]
    assert answered - found['ocr_field_confidence_bucket{le="0.9499"}'] == 1, "the total, 0.97"
    path = f"/v1/extracts/{answer['request_id']}/corrections"
    # The total is changed and was sure, the name was not, and the same again is no correction.
    for fields in ({"total": 18.9}, {"vendor_name": "Another"}, {"total": 19.9}):
        assert place.client.post(path, json={"fields": fields}).status_code == 201
    found = _samples(_local(place).get("/metrics").text)
    assert found['ocr_fields_corrected_total{confidence="sure"}'] == 1
    assert found['ocr_fields_corrected_total{confidence="doubtful"}'] == 1
