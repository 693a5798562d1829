"""Which cores a server's own threads use, and what it starts."""

from __future__ import annotations

import os
from collections.abc import Callable

import psutil
import pytest
from server_process import SMALL, ServerProcess, ocr_workers_of

Start = Callable[..., ServerProcess]
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(len(CORES) == 1, reason="there is one core to keep to"),
]


def _cores_of(process: psutil.Process) -> set[frozenset[int]]:
    """Those of each of its threads."""
    return {frozenset(os.sched_getaffinity(thread.id)) for thread in process.threads()}


@pytest.mark.parametrize("setting", ["true", "false"])
def test_a_servers_threads_keep_to_a_core_and_what_reads_documents_to_none(
    start: Start, setting: str
) -> None:
    server = start(SERVER_ON_ONE_CORE=setting, FIELD_READERS="1", OCR_WORKERS="1")
    server.wait_ready()
    # Whoever takes its place is started by another thread than the first was.
    (first,) = ocr_workers_of(server.process.pid)
    first.kill()
    assert server.client.post("/v1/extract", files={"file": SMALL.read_bytes()}).is_success
    (second,) = ocr_workers_of(server.process.pid)
    assert second.pid != first.pid
    own = psutil.Process(server.process.pid)
    (kept,) = _cores_of(own)
    assert len(kept) == (1 if setting == "true" else len(CORES))
    children = own.children(recursive=True)
    # The worker, the reader, the helper of decoders and one that waits for another document.
    assert len(children) == 4
    assert {cores for child in children for cores in _cores_of(child)} == {frozenset(CORES)}
