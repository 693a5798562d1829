"""`GET /metrics`: who may see it, and what it counts."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from api_place import RECEIPT, Place
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

TOKEN = "a token for these tests only"
DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "ocr-service.json"


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


def test_the_dashboard_asks_for_what_is_there(place: Place) -> None:
    _extract(place)
    _extract(place, b"unsupported")
    names = {name.partition("{")[0] for name in _samples(_local(place).get("/metrics").text)}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"\bocr_\w+", target["expr"])
    }
    # What has labels is there once something was counted.
    assert asked - names <= {"ocr_review_reasons_total"}
