"""Requests made from the OpenAPI document, good and bad: the server answers as it documents."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from server_process import OCR, ServerProcess, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2100)]
_SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
_WITH_KEYS = {
    "API_KEY_PEPPER": "a pepper for these tests only",
    "AUTH_ENABLED": "1",
    # Requests without a key are among those that are made: each is to be answered as one.
    "LOGIN_FAILURES_PER_MINUTE": "1000000",
    # Nor does it depend on the machine's speed which of the others are read.
    "RATE_LIMIT_PER_MINUTE": "1000000",
}


def test_every_answer_is_one_that_the_document_promises(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = start(**_WITH_KEYS)
    created = subprocess.run(
        [OCR, "keys", "create", "--role", "admin"],
        env=environment(server.data_root, _WITH_KEYS),
        capture_output=True,
        text=True,
        check=True,
    )
    key = next(word for word in created.stdout.split() if word.startswith("ocr_"))
    outcome = subprocess.run(
        [
            _SCHEMATHESIS,
            "run",
            f"{server.url}/openapi.json",
            f"--header=Authorization: Bearer {key}",
            # What a schema cannot say ("exactly one of") is refused with 422, as documented.
            "--exclude-checks=positive_data_acceptance",
            # A stream of events ends with its job, not with the answer's headers.
            "--exclude-path=/v1/jobs/{job_id}/events",
            "--phases=examples,coverage,fuzzing,stateful",
            "--max-examples=15",
            "--seed=1",
            # A machine that is busy makes examples slowly.
            "--suppress-health-check=all",
            "--request-timeout=240",
            "--generation-database=none",
            "--no-color",
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "fresh_keys",
            "PYTHONPATH": str(Path(__file__).parent),
        },
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout[-20_000:]
    assert server.process.poll() is None
