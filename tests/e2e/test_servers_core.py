"""Which cores a server's own threads use, and what it starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest
from server_process import SMALL, ServerProcess, eventually, ocr_workers_of

Start = Callable[..., ServerProcess]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads go where they like"),
]


def _cores_of(process: psutil.Process) -> set[frozenset[int]]:
    """Those of each of its threads."""
    found = set()
    for thread in process.threads():
        with suppress(ProcessLookupError):  # it has just ended
            found.add(frozenset(os.sched_getaffinity(thread.id)))
    return found


@pytest.mark.parametrize("setting", ["true", "false"])
def test_a_servers_threads_keep_to_a_core_and_what_reads_documents_to_none(
    start: Start, setting: str
) -> None:
    server = start(SERVER_ON_ONE_CORE=setting, FIELD_READERS="1", OCR_WORKERS="1")
    server.wait_ready()
    # Whoever takes its place is started by another thread than the first was.
    (first,) = ocr_workers_of(server.process.pid)
    first.kill()
    with suppress(psutil.NoSuchProcess):  # collected already
        eventually(lambda: first.status() == psutil.STATUS_ZOMBIE, "the end of the worker")
    assert server.client.post("/v1/extract", files={"file": SMALL.read_bytes()}).is_success
    (second,) = ocr_workers_of(server.process.pid)
    assert second.pid != first.pid
    own = psutil.Process(server.process.pid)
    # The worker, the reader, the helper of decoders and one that waits for another document.
    eventually(lambda: len(own.children(recursive=True)) == 4, "what it starts")
    (kept,) = _cores_of(own)
    assert len(kept) == (1 if setting == "true" else len(os.sched_getaffinity(0)))
    started = {cores for child in own.children(recursive=True) for cores in _cores_of(child)}
    assert started == {frozenset(os.sched_getaffinity(0))}


def test_a_server_that_finds_the_fields_itself_has_all_cores(start: Start) -> None:
    server = start(FIELD_READERS="0", OCR_WORKERS="1")
    server.wait_ready()
    assert _cores_of(psutil.Process(server.process.pid)) == {frozenset(os.sched_getaffinity(0))}
