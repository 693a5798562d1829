"""What takes long holds no thread that short requests need."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from anyio.to_thread import current_default_thread_limiter
from api_place import Place

_LONG = {
    "an evaluation": ("POST", "/v1/evals", {"json": {"run_id": "march"}}),
    "a spreadsheet of items": ("GET", "/v1/runs/march/items", {"params": {"format": "xlsx"}}),
    "a folder": ("POST", "/v1/batch_extract", {"json": {"images_dir": "march"}}),
    "a run again": ("POST", "/v1/batch_extract_rerun", {"json": {"run_id": "march"}}),
}


class _Endless:
    """Stands where evaluations, runs and plans of batches are made, and does not come to an end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def _work(self, *_given: Any) -> Any:
        self.begun.release()
        self.go_on.wait(100)
        raise RuntimeError("it ended")

    of_run = export = named = again = _work


@pytest.fixture
def endless(place: Place) -> Iterator[_Endless]:
    """A server in which all that is long is endless, with one thread for what is short."""
    assert place.client.portal is not None
    found = _Endless()
    state = place.app.state
    state.evals = state.runs = state.batch_planner = found

    def one_thread() -> None:
        current_default_thread_limiter().total_tokens = 1

    place.client.portal.call(one_thread)
    yield found
    found.go_on.set()


def test_short_requests_wait_for_none_of_them(place: Place, endless: _Endless) -> None:
    with ThreadPoolExecutor(len(_LONG)) as clients:
        asked: list[Future[Any]] = []
        for method, path, given in _LONG.values():
            asked.append(clients.submit(place.client.request, method, path, **given))
            assert endless.begun.acquire(timeout=100), "it is not held up by the one before"
        assert place.client.get("/v1/jobs").status_code == 200
        assert place.client.get("/v1/extracts/unknown").status_code == 404
        assert not any(each.done() for each in asked)
        endless.go_on.set()
        assert {each.result().status_code for each in asked} == {500}
