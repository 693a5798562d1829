"""A real server killed in the middle of a batch; and the command that reads a folder by it."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from server_process import OCR, ROOT, SMALL, ServerProcess, environment, eventually

pytestmark = pytest.mark.slow
Start = Callable[..., ServerProcess]
EINVOICE = (ROOT / "samples" / "invoice_xrechnung.xml").read_bytes()
DOCUMENTS = 60
ONE = {"OCR_WORKERS": "1", "JOBS_MAX_CONCURRENCY": "1"}


def _run(server: ServerProcess) -> dict[str, Any]:
    run: dict[str, Any] = server.client.get("/v1/runs/batch").json()
    return run


def _extracts(folder: Path) -> Iterator[Path]:
    return (folder / "artifacts" / "extracts").rglob("*.json")


def test_a_batch_goes_on_after_a_kill_and_each_document_is_kept_once(
    start: Start, tmp_path: Path
) -> None:
    first = start(**ONE)
    first.wait_ready()
    (worker,) = first.ocr_workers()
    worker.suspend()  # so that the last document is still to be read, however late the kill comes
    names = [f"{n}.xml" for n in range(DOCUMENTS - 1)] + [SMALL.name]
    files = [
        (
            "files",
            (
                name,
                SMALL.read_bytes()
                if name == SMALL.name
                else EINVOICE + b"<!-- %s -->" % name.encode(),
            ),
        )
        for name in names
    ]
    data = {"run_id": "batch", "task_id": "invoice_fields_v1"}
    answer = first.client.post("/v1/batch_extract_upload_async", files=files, data=data)
    assert answer.status_code == 202, answer.text
    eventually(lambda: _run(first)["ok_count"] >= 5, "some documents that were read")
    first.stop(signal.SIGKILL)
    worker.kill()
    written = {file.stem: file.read_bytes() for file in _extracts(tmp_path)}
    assert 5 <= len(written) < DOCUMENTS
    second = start(**ONE)
    assert _run(second)["ok_count"] >= 5
    eventually(lambda: _run(second)["status"] == "succeeded", "the end of the batch")
    run = _run(second)
    assert (run["ok_count"], run["failed_count"], run["canceled_count"]) == (DOCUMENTS, 0, 0)
    params = {"limit": 500}
    items = second.client.get("/v1/runs/batch/items", params=params).json()["items"]
    assert [item["file"] for item in items] == names
    kept = {file.stem: file.read_bytes() for file in _extracts(tmp_path)}
    assert sorted(kept) == sorted(item["request_id"] for item in items)
    assert kept | written == kept, "what the first server wrote stays as it was"
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
            timeout=600,
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
