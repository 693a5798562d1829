"""`ocr jobs` on a table that no server serves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.inputs.content import Content
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.inputs.store import InputIndex
from apps.api_cpu.jobs.command import jobs_commands
from apps.api_cpu.jobs.rows import Job, JobItem, Kind, Status
from apps.api_cpu.jobs.store import JobStore

NOW = 1_700_000_000.0
JOB = "0199f3a1-7c2e-7b5a-9d41-3f6c8e2b1a07"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobStore:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    return JobStore(open_database(tmp_path / "jobs.sqlite3", Schema.JOBS, Durability.CRASH))


def _submit(store: JobStore, input_ref: str = "inputs/2026-11-20/none.pdf") -> None:
    job = Job(JOB, Kind.EXTRACT, "alice", Role.CLIENT, NOW, "auto", {"language": "de"}, total=1)
    store.submit(job, [JobItem(JOB, 1, "alice", "r1", file="a.pdf", input_ref=input_ref)], 10)


def _fail(store: JobStore) -> None:
    claim = store.claim("w1", NOW)
    assert claim is not None
    store.end(claim, Status.FAILED, {"error": {"code": "inference_unavailable"}}, NOW)
    store.claim_end(JOB, "w1", NOW)
    store.finish(JOB, "w1", Status.FAILED, NOW)


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(jobs_commands, list(arguments))
    return result.exit_code, result.stdout


def test_jobs_are_listed_and_shown(store: JobStore) -> None:
    _submit(store)
    _fail(store)
    code, listed = _run("list", "--status", "failed")
    assert code == 0
    (row,) = [line for line in listed.splitlines() if JOB in line]
    assert row.split()[:5] == [JOB, "extract", "alice", "failed", "1/1"], "nothing is cut"
    assert JOB not in _run("list", "--status", "queued")[1]
    shown = json.loads(_run("show", JOB)[1])
    assert (shown["status"], shown["owner_key_id"]) == ("failed", "alice")
    assert shown["failed_items"][0]["outcome"]["error"]["code"] == "inference_unavailable"
    assert _run("show", "none")[0] == 1


def test_a_cancel_is_left_for_the_server_to_finish(store: JobStore) -> None:
    _submit(store)
    assert _run("cancel", JOB)[0] == 0
    assert store.to_finish(NOW) == [JOB]
    assert _run("cancel", "none")[0] == 1


def test_a_failed_document_is_read_again_as_a_job_of_its_own(
    store: JobStore, tmp_path: Path
) -> None:
    index = open_database(tmp_path / "index.sqlite3", Schema.INDEX, Durability.CRASH)
    inputs = InputStore(LocalArtifactStore(tmp_path / "artifacts"), InputIndex(index))
    moment = datetime.fromtimestamp(NOW, UTC)
    ref = inputs.hold(Content.of_bytes(b"a document"), "alice", moment, JOB)
    _submit(store, ref)
    assert _run("retry", JOB)[0] == 1
    _fail(store)
    inputs.release(JOB)
    code, said = _run("retry", JOB)
    assert code == 0
    again = store.get(said.strip())
    assert again is not None
    assert (again.status, again.owner_key_id, again.options) == (
        "queued",
        "alice",
        {"language": "de"},
    )
    (item,) = store.items(again.job_id)
    assert (item.input_ref, item.file) == (ref, "a.pdf")
    assert item.request_id != "r1"


def test_a_document_that_is_gone_cannot_be_read_again(store: JobStore) -> None:
    _submit(store)
    _fail(store)
    assert _run("retry", JOB)[0] == 1
