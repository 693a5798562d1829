"""A real server process on a free port, with a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from apps.api_cpu.settings import variable_names

OCR = Path(sys.executable).with_name("ocr")
ROOT = Path(__file__).resolve().parents[2]
RECEIPT = ROOT / "samples" / "receipt_photo.jpg"
SCAN = ROOT / "samples" / "invoice_scan.pdf"
PATIENCE_S = 60.0


def environment(data_root: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without settings, then these."""
    ours = variable_names()
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"DATA_ROOT": str(data_root)} | dict(more or {})


def eventually(probe: Callable[[], Any], what: str) -> Any:
    """The first true result of `probe`; fails when it takes too long."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s in vain: {what}")


class ServerProcess:
    """`ocr serve`, started and answering."""

    def __init__(
        self, data_root: Path, more: Mapping[str, str] | None = None, port: int = 0
    ) -> None:
        self.data_root = data_root
        self.process = subprocess.Popen(
            [OCR, "serve", "--port", str(port)],
            env=environment(data_root, more),
            cwd=data_root,
            stdout=subprocess.PIPE,
            stderr=(data_root / "server.log").open("ab"),
            text=True,
        )
        assert self.process.stdout is not None
        announced = self.process.stdout.readline()
        assert announced.startswith("Listening on "), announced
        self.url = announced.split()[2]
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE_S)

    def health(self) -> dict[str, Any]:
        """What `/v1/health` says."""
        body: dict[str, Any] = self.client.get("/v1/health").json()
        return body

    def wait_ready(self) -> None:
        """Wait until documents can be read."""
        eventually(lambda: self.health()["status"] == "ok", "a ready server")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)
