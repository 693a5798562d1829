"""The mock's switches by environment: what each is worth when it starts, and what is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from mock_process import KEY, ROOT, MockProcess

QUESTION = {"model": "mock-chat", "messages": [{"role": "user", "content": "What is the total?"}]}
SWITCHES = {
    "VLLM_API_KEY": KEY,
    "MOCK_FAULTS": "429:7,503*",
    "MOCK_LATENCY_S": "0.25",
    "MOCK_MAX_RUNNING": "2",
    "MOCK_MAX_QUEUED": "3",
    "MOCK_MAX_MODEL_LEN": "4096",
}


@pytest.fixture(scope="module")
def mock() -> Iterator[MockProcess]:
    process = MockProcess(**SWITCHES)
    yield process
    process.close()


def test_it_starts_as_the_environment_says_and_a_put_replaces_that(mock: MockProcess) -> None:
    with httpx.Client(base_url=mock.url, timeout=60) as client:
        assert client.get("/control").json() == {
            "faults": "429:7,503*",
            "latency_s": 0.25,
            "max_running": 2,
            "max_queued": 3,
        }
        assert client.get("/v1/models").status_code == 401
        client.headers["Authorization"] = f"Bearer {KEY}"
        (first, *_) = client.get("/v1/models").json()["data"]
        assert first["max_model_len"] == 4096
        answers = [client.post("/v1/chat/completions", json=QUESTION) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429, 503, 503]
        assert answers[0].headers["Retry-After"] == "7"
        mock.behave(faults="404")
        assert client.post("/v1/chat/completions", json=QUESTION).status_code == 404
        assert client.put("/control", json={"faults": "sulks"}).status_code == 400


def test_a_fault_that_there_is_none_of_is_said_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "mock_vllm.py", "--port", "0"],
        env=os.environ | {"MOCK_FAULTS": "sulks"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("no fault 'sulks'; there are ok, 401, 404, 429")
    assert done.stderr.count("\n") == 1
