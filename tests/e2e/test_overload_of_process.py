"""A server process with more than it can do: counted while its OCR stands still, nothing timed."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from server_process import OCR, PATIENCE_S, SMALL, ServerProcess, environment, eventually

pytestmark = pytest.mark.slow
Start = Callable[..., ServerProcess]
LOCKED = {"AUTH_ENABLED": "1", "API_KEY_PEPPER": "a pepper for these tests only"}


def _key(server: ServerProcess) -> dict[str, str]:
    made = subprocess.run(
        [OCR, "keys", "create", "--role", "client"],
        env=environment(server.data_root, LOCKED),
        cwd=server.data_root,
        capture_output=True,
        text=True,
        check=True,
    )
    return {"Authorization": f"Bearer {made.stdout.strip()}"}


def _send(server: ServerProcess, key: dict[str, str]) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/extract",
        files={"file": SMALL.read_bytes()},
        headers=key,
        timeout=4 * PATIENCE_S,
    )


def _in_hand(server: ServerProcess) -> tuple[int, int]:
    jobs = server.health()["jobs"]
    return jobs["running"], jobs["queued"]


@pytest.mark.timeout(1200)
def test_a_burst_is_refused_at_once_and_what_was_accepted_is_read(start: Start) -> None:
    server = start(
        OCR_WORKERS="1", EXTRACT_CONCURRENCY="2", EXTRACT_QUEUE="8", SYNC_DEADLINE_S="600", **LOCKED
    )
    server.wait_ready()
    greedy, other = _key(server), _key(server)
    for worker in server.ocr_workers():
        worker.suspend()
    with ThreadPoolExecutor(24) as threads:
        burst = [threads.submit(_send, server, greedy) for _ in range(20)]
        # Two run and four wait, half of the queue: the others hear so while nothing moves.
        eventually(lambda: sum(each.done() for each in burst) == 14, "the refusals")
        eventually(lambda: _in_hand(server) == (2, 4), "the others in hand")
        refused = [each.result() for each in burst if each.done()]
        single: Future[httpx.Response] = threads.submit(_send, server, other)
        eventually(lambda: _in_hand(server) == (2, 5), "room for another key")
        for worker in server.ocr_workers():
            worker.resume()
        codes = Counter(each.result().status_code for each in burst)
    assert codes == {200: 6, 429: 14}
    assert single.result().status_code == 200
    for answer in refused:
        assert answer.json()["error"]["code"] == "rate_limited"
        assert int(answer.headers["retry-after"]) >= 1
        rel = answer.json()["error"]["details"]["artifact_rel"]
        eventually((server.data_root / "artifacts" / rel).is_file, "the artifact of a refusal")
    kept = len(list((server.data_root / "artifacts" / "extracts").rglob("*.json")))
    assert kept == 21, "one of each request, refused or read"
