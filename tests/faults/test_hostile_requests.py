"""Hostile documents sent to a server: each ends in a result or in its error, kept, and in time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from hostile import hostile_documents
from hostile_archives import ARCHIVES
from hostile_case import OPENS, Hostile
from hostile_pdfs import sound_pdf

from apps.api_cpu.errors import ERROR_CODES

pytestmark = pytest.mark.slow

DEADLINE_S = 120
# A request holds its document and its page images, 50 MB at most, for as long as it runs; what
# stays behind it, over all of the documents, must be less than that.
ROOM_BYTES = 50_000_000
STATUS = {entry.code: entry.status for entry in ERROR_CODES}


@dataclass(frozen=True)
class Running:
    """A server process; `rss` is its memory once it has read a few sound documents."""

    client: httpx.Client
    process: psutil.Process
    artifacts: Path
    rss: int


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hostile")
    more = {"DATA_ROOT": str(folder), "SYNC_DEADLINE_S": str(DEADLINE_S), "OCR_WORKERS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("strict_server.py")],
            env=os.environ | more,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    with httpx.Client(base_url=url, timeout=2 * DEADLINE_S) as client:
        for _ in range(5):
            assert client.post("/v1/extract", files={"file": sound_pdf()}).status_code == 200
        watched = psutil.Process(process.pid)
        yield Running(client, watched, folder / "artifacts", watched.memory_info().rss)
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


@pytest.mark.parametrize("hostile", hostile_documents(), ids=lambda hostile: hostile.name)
def test_a_hostile_document_is_answered_and_kept(server: Running, hostile: Hostile) -> None:
    document = hostile.build()
    started = time.monotonic()

    answer = server.client.post("/v1/extract", files={"file": ("a", document)})

    assert time.monotonic() - started < DEADLINE_S
    body = answer.json()
    if hostile.expected == OPENS:
        assert answer.status_code == 200, answer.text
        rel = body["artifact_rel"]
    else:
        assert body["error"]["code"] == hostile.expected
        assert answer.status_code == STATUS[hostile.expected]
        rel = body["error"]["details"]["artifact_rel"]
    artifact = json.loads((server.artifacts / rel).read_bytes())
    assert artifact["status"] == answer.status_code
    assert server.process.memory_info().rss - server.rss < ROOM_BYTES


def _kept(server: Running, rel: str) -> Any:
    """An artifact."""
    return json.loads((server.artifacts / rel).read_bytes())


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_answered_and_kept(server: Running, name: str) -> None:
    archive = ARCHIVES[name]()
    started = time.monotonic()

    answer = server.client.post("/v1/batch_extract_upload", files={"files": ("a.zip", archive)})

    assert time.monotonic() - started < DEADLINE_S
    body = answer.json()
    if answer.status_code == 200:
        assert _kept(server, body["artifact_rel"])["item_count"] == len(body["items"]) > 0
        for item in body["items"]:
            assert not item["ok"], "none of the members is a document"
            assert 400 <= STATUS[item["error"]["code"]] < 500
            assert _kept(server, item["artifact_rel"])["error"]["code"] == item["error"]["code"]
    else:
        assert 400 <= answer.status_code == STATUS[body["error"]["code"]] < 500
        rel = body["error"]["details"]["artifact_rel"]
        assert _kept(server, rel)["status"] == answer.status_code
    assert server.process.memory_info().rss - server.rss < ROOM_BYTES
