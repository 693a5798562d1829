"""A real server killed in the middle of a batch; and the command that reads a folder by it."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server_process import OCR, ROOT, ServerProcess, environment, eventually

pytestmark = pytest.mark.slow
Start = Callable[..., ServerProcess]
EINVOICE = (ROOT / "samples" / "invoice_xrechnung.xml").read_bytes()
DOCUMENTS = 150
ONE = {"OCR_WORKERS": "1", "JOBS_MAX_CONCURRENCY": "1", "JOBS_LEASE_S": "2"}


def _run(server: ServerProcess) -> dict[str, Any]:
    run: dict[str, Any] = server.client.get("/v1/runs/batch").json()
    return run


def test_a_batch_goes_on_after_a_kill_and_each_document_is_kept_once(
    start: Start, tmp_path: Path
) -> None:
    first = start(**ONE)
    files = [("files", (f"{n}.xml", EINVOICE + b"<!-- %d -->" % n)) for n in range(DOCUMENTS)]
    data = {"run_id": "batch", "task_id": "invoice_fields_v1"}
    answer = first.client.post("/v1/batch_extract_upload_async", files=files, data=data)
    assert answer.status_code == 202, answer.text
    eventually(lambda: _run(first)["ok_count"] >= 5, "some documents that were read")
    first.stop(signal.SIGKILL)
    second = start(**ONE)
    assert _run(second)["status"] in {"queued", "running"}
    assert 5 <= _run(second)["ok_count"] < DOCUMENTS
    eventually(lambda: _run(second)["status"] == "succeeded", "the end of the batch")
    run = _run(second)
    assert (run["ok_count"], run["failed_count"], run["canceled_count"]) == (DOCUMENTS, 0, 0)
    params = {"limit": 500}
    items = second.client.get("/v1/runs/batch/items", params=params).json()["items"]
    assert [item["file"] for item in items] == [f"{n}.xml" for n in range(DOCUMENTS)]
    kept = sorted(path.stem for path in (tmp_path / "artifacts" / "extracts").rglob("*.json"))
    assert kept == sorted(item["request_id"] for item in items)
    assert len(list((tmp_path / "artifacts" / "batches").rglob("*.json"))) == 1


def test_the_command_reads_a_folder_by_a_server_and_without_one(
    start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("invoice_xrechnung.xml", "invoice_facturx.pdf", "invoice_digital.pdf"):
        shutil.copy(ROOT / "samples" / name, folder)
    (folder / "notes.txt").write_text("no document", "utf-8")
    server = start(OCR_WORKERS="1")
    results = {}
    for name, more in (("here", {}), ("server", {"SERVER_URL": server.url})):
        out = tmp_path / f"{name}.csv"
        ended = subprocess.run(
            [OCR, "batch", folder, "-o", out],
            env=environment(tmp_path, {"OCR_WORKERS": "1"} | more),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 1, ended.stderr
        assert "4 documents: " in ended.stderr
        with out.open(newline="") as file:
            results[name] = list(csv.DictReader(file))
    for here, there in zip(results["here"], results["server"], strict=True):
        same = ("file", "status", "document_number", "issue_date", "total", "error_code")
        assert {n: here[n] for n in same} == {n: there[n] for n in same}
    assert [row["status"] for row in results["here"]].count("failed") == 1
