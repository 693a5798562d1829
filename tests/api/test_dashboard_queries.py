"""What the dashboard and the alerts ask Prometheus for: labels and values that the server gives."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from api_place import RECEIPT, FakePipeline, fake_reader
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from apps.api_cpu.main import create_app
from apps.api_cpu.settings import load_settings
from lib.inference.client import Circuit, Snapshot, UpstreamState
from lib.processes.child import PoolStats

DOCS = Path(__file__).parents[2] / "docs"
# What Prometheus adds to every sample.
_OF_A_TARGET = {"instance", "job"}
_SELECTOR = re.compile(r"\b((?:ocr|process)_\w+|up\b)(?:\{([^}]*)\})?(\[)?")
_PART = re.compile(r"_(bucket|count|sum)$")
# No two numbers of one part are the same: each has to be found under its own name.
_POOL = PoolStats(
    workers=9, loaded=5, busy=2, waiting=6, recycled=7, restarts=8, resident=(1 << 20,)
)
_READERS = PoolStats(
    workers=19, loaded=15, busy=12, waiting=16, recycled=17, restarts=18, resident=(1 << 21,)
)
_MODELS = Snapshot(
    upstreams=(UpstreamState("http://gpu:8001", Circuit.OPEN, True, (), 3, 5, 4),),
    calls=21,
    errors={"inference_unavailable": 22},
    retries={"busy": 23},
    retries_refused=24,
    canceled=25,
    prompt_tokens=26,
    completion_tokens=27,
    addresses_stale=False,
)


class Family(NamedTuple):
    """A metric: its kind, and the values that each of its labels had."""

    kind: str
    labels: dict[str, set[str]]


def _families(text: str) -> dict[str, Family]:
    """By the name that is asked for: of a counter with its `_total`."""
    found = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels: dict[str, set[str]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
        found[name] = Family(family.type, labels)
    return found


def _let_everything_happen(client: TestClient) -> str:
    """The metrics of a server at which each labelled thing has been seen."""
    answered = client.post("/v1/extract", files={"file": RECEIPT}).json()
    assert client.post("/v1/extract", files={"file": b"unsupported"}).status_code == 415
    sent = {"callback_url": "http://127.0.0.1:9/nobody-listens"}
    job = client.post("/v1/extract_async", files={"file": RECEIPT}, data=sent).json()
    assert client.get(job["poll_url"], params={"wait": 60}).json()["status"] == "succeeded"
    metrics = client.app.state.metrics  # type: ignore[attr-defined]
    # What needs a document that is in doubt, a store that is away, a cache.
    doubtful = {"needs_review": True, "review_reasons": ["missing:total", "total_is_sum"]}
    metrics.answered(answered | doubtful)
    metrics.item_retried("storage_unavailable")
    for hit in (True, False):
        metrics.looked_up(found=hit)
    end = time.monotonic() + 100
    while "ocr_webhook_attempts_total{" not in (text := client.get("/metrics").text):
        assert time.monotonic() < end, "nobody tried to send the webhook"
        time.sleep(0.02)
    return text


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory, new_databases: Path) -> str:
    """What `/metrics` answers then."""
    folder = tmp_path_factory.mktemp("shown") / "data"
    shutil.copytree(new_databases, folder)
    settings = load_settings(data_root=folder, ocr_workers=1, webhook_allow_private=True)
    reader = replace(
        fake_reader(FakePipeline()),
        workers=lambda: _POOL,
        field_readers=lambda: _READERS,
        upstreams=lambda: _MODELS,
    )
    app = create_app(settings, lambda _: reader)
    with TestClient(app, "http://localhost", client=("127.0.0.1", 5000)) as client:
        return _let_everything_happen(client)


@pytest.fixture(scope="module")
def shown(scraped: str) -> dict[str, Family]:
    """All metrics, with the labels that they have."""
    return _families(scraped)


def _documented() -> Iterator[tuple[str, list[str], set[str]]]:
    """Metrics as docs/metrics.md has them: the labels of each, the values said of the last one."""
    for line in (DOCS / "metrics.md").read_text().splitlines():
        if not line.startswith("| `"):
            continue
        _, names, columns, *_ = line.split("|")
        found = re.findall(r"`(\w+)`", names)
        told = [each.strip() for each in columns.split(";")]
        for name, labels in zip(found, told * len(found) if len(told) == 1 else told, strict=True):
            listed, _, values = labels.partition(":")
            plain = [each.strip() for each in listed.split(",") if each.strip() not in {"", "none"}]
            yield name, plain, {each.strip() for each in values.split(",") if each.strip()}


def test_labels_and_their_values_are_as_documented(shown: dict[str, Family]) -> None:
    rows = list(_documented())
    assert len(rows) > 60
    for name, labels, values in rows:
        given = shown[name].labels
        assert set(given) - {"le"} == set(labels), name
        if values:
            assert given[labels[-1]] <= values, name
            # Of a closed list all are shown, whatever has happened.
            assert given[labels[-1]] == values or name == "ocr_job_item_retries_total", name


def _queries() -> Iterator[tuple[str, str, str]]:
    """Each expression, where it stands, and the text that names labels of its result."""
    panels = json.loads((DOCS / "grafana" / "ocr-service.json").read_text())["panels"]
    for panel in panels:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target.get("legendFormat", "")
    for group in yaml.safe_load((DOCS / "grafana" / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"], rule["annotations"]["summary"]


QUERIES = list(_queries())


@pytest.mark.parametrize(
    ("expression", "named"), [each[1:] for each in QUERIES], ids=[each[0] for each in QUERIES]
)
def test_a_query_asks_for_labels_that_there_are(
    shown: dict[str, Family], expression: str, named: str
) -> None:
    asked: set[str] = set()
    for name, matchers, _ in _SELECTOR.findall(expression):
        if name == "up":
            continue
        part = _PART.search(name)
        family = shown[_PART.sub("", name)]
        assert (part is not None) == (family.kind == "histogram"), name
        labels = {each: values for each, values in family.labels.items() if each != "le"}
        if part is not None and part[1] == "bucket":
            labels["le"] = family.labels["le"]
        _match(matchers, labels)
        asked |= set(labels)
    grouped = re.findall(r"\bby \(([^)]*)\)", expression)
    for labels_of_one in grouped:
        assert {each.strip() for each in labels_of_one.split(",")} <= asked | _OF_A_TARGET
    left = {each.strip() for group in grouped for each in group.split(",")} if grouped else asked
    aggregates = bool(re.search(r"\b(sum|max|min)\b", expression))
    results = left if aggregates and grouped else (set() if aggregates else asked | _OF_A_TARGET)
    told = re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", named)
    assert set(told) <= results | ({"instance"} if "up{" in expression else set())


def _match(matchers: str, labels: dict[str, set[str]]) -> None:
    """Every label that is matched is there, and some value that matches can be."""
    found: list[tuple[str, str, str]] = re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers)
    assert bool(found) == bool(matchers)
    for label, sign, value in found:
        assert label in labels, label
        if sign == "=":
            assert value in labels[label], f"{label} is never {value}"


@pytest.mark.parametrize("expression", [each[1] for each in QUERIES])
def test_a_rate_is_of_what_only_grows(shown: dict[str, Family], expression: str) -> None:
    for function, name in re.findall(
        r"\b(rate|increase|delta)\(\s*((?:ocr|process)_\w+)", expression
    ):
        kind = shown[_PART.sub("", name)].kind
        assert (kind == "gauge") == (function == "delta"), f"{function} of the {kind} {name}"
    for name in re.findall(r"\b(ocr_\w+_total)\b(?!\{?[^}\[]*\}?\[)", expression):
        raise AssertionError(f"{name} is shown as a number that only grows")


def test_histograms_are_grouped_by_their_bounds() -> None:
    quantiles = [each for _, each, _ in QUERIES if "histogram_quantile" in each]
    assert len(quantiles) > 5
    for expression in quantiles:
        assert re.search(r"by \([^)]*\ble\b[^)]*\) \(rate\(ocr_\w+_bucket", expression), expression


def test_what_the_model_server_does_is_told(shown: dict[str, Family]) -> None:
    states: dict[str, Any] = shown["ocr_upstream_circuit_state"].labels
    assert states == {"upstream": {"gpu:8001"}, "state": {"open", "closed", "half_open"}}


OF_PARTS = """
ocr_engine_workers{state="busy"} 2.0
ocr_engine_workers{state="idle"} 3.0
ocr_engine_workers{state="starting"} 4.0
ocr_engine_worker_memory_bytes{worker="0"} 1.048576e+06
ocr_engine_pages_waiting 6.0
ocr_engine_workers_recycled_total 7.0
ocr_engine_worker_restarts_total 8.0
ocr_field_readers{state="busy"} 12.0
ocr_field_readers{state="idle"} 3.0
ocr_field_readers{state="starting"} 4.0
ocr_field_reader_memory_bytes{worker="0"} 2.097152e+06
ocr_field_readers_awaited 16.0
ocr_field_readers_recycled_total 17.0
ocr_field_reader_restarts_total 18.0
ocr_upstream_ready{upstream="gpu:8001"} 1.0
ocr_upstream_requests_running{upstream="gpu:8001"} 3.0
ocr_upstream_failures_total{upstream="gpu:8001"} 4.0
ocr_upstream_requests_total{upstream="gpu:8001"} 5.0
ocr_upstream_circuit_state{state="open",upstream="gpu:8001"} 1.0
ocr_upstream_circuit_state{state="closed",upstream="gpu:8001"} 0.0
ocr_upstream_circuit_state{state="half_open",upstream="gpu:8001"} 0.0
ocr_upstream_calls_total 21.0
ocr_upstream_errors_total{code="inference_unavailable"} 22.0
ocr_upstream_retries_total{reason="busy"} 23.0
ocr_upstream_retries_refused_total 24.0
ocr_upstream_tokens_total{type="input"} 26.0
ocr_upstream_tokens_total{type="output"} 27.0
ocr_job_item_retries_total{code="storage_unavailable"} 1.0
ocr_result_cache_total{outcome="hit"} 1.0
ocr_documents_needing_review_total 1.0
ocr_review_reasons_total{reason="missing"} 1.0
ocr_review_reasons_total{reason="total_is_sum"} 1.0
ocr_fields_needing_review_total{field="total"} 1.0
ocr_http_request_seconds_count{route="/v1/extract"} 2.0
ocr_jobs_ended_total{kind="extract",status="succeeded"} 1.0
ocr_storage_ready 1.0
ocr_requests_running 0.0
ocr_requests_waiting 0.0
ocr_answers_without_artifact_total 0.0
"""


@pytest.mark.parametrize("sample", OF_PARTS.split("\n")[1:-1])
def test_each_number_is_under_its_own_name(scraped: str, sample: str) -> None:
    assert sample in scraped.splitlines()
