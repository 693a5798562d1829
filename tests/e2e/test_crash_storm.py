"""A small crash storm; the big one is `scripts/crash_storm.py` by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest
from server_process import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.mark.parametrize("backend", ["local", "redis"])
def test_nothing_is_lost_or_doubled_in_a_storm(
    request: pytest.FixtureRequest, backend: str
) -> None:
    if backend == "redis":
        # Where it is required it has to be there; elsewhere its absence is said.
        request.getfixturevalue("redis")
        request.getfixturevalue("postgres")
    options = f"--backend {backend} --items 60 --singles 5 --strikes 4 --seed 3".split()
    done = subprocess.run(
        [sys.executable, "-m", "scripts.crash_storm", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed: nothing lost" in done.stdout
