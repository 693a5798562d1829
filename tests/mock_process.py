"""`scripts/mock_vllm.py` as a process of its own, as developers start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
KEY = "a key for tests"
_PATIENCE_S = 60.0


class MockProcess:
    """Listening when it has been made; answers with both dialects."""

    def __init__(self, *arguments: str, port: int = 0, **environment: str) -> None:
        """One that is to come back needs a `free_port` that nobody is given in the meantime."""
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "scripts" / "mock_vllm.py", "--port", str(port), *arguments],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        announced = self.process.stdout.readline()
        assert announced.startswith("Listening on "), announced
        self.url = announced.split()[2]

    def behave(self, **behaviour: object) -> None:
        """Replace the mock's behaviour: what is left out gets its default."""
        httpx.put(f"{self.url}/control", json=behaviour, timeout=_PATIENCE_S).raise_for_status()

    def gauge(self, name: str) -> float:
        """One of the numbers that it shows as vLLM does, such as `num_requests_running`."""
        for line in httpx.get(f"{self.url}/metrics", timeout=_PATIENCE_S).text.splitlines():
            if line.startswith(f"vllm:{name}{{"):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no metric {name}")

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
