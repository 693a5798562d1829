"""A real server process on a free port, with a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from apps.api_cpu.settings import variable_names

OCR = Path(sys.executable).with_name("ocr")
ROOT = Path(__file__).resolve().parents[2]
RECEIPT = ROOT / "samples" / "receipt_photo.jpg"
SCAN = ROOT / "samples" / "invoice_scan.pdf"
# For whoever needs a document that OCR reads, and not what is on it: a tenth of a photo's work, a
# thirtieth of the scan's. Drawn with Pillow's own font.
SMALL = Path(__file__).with_name("small_receipt.png")
# Twenty times what anything takes here on a quiet machine: only a test that fails waits so long.
PATIENCE_S = 240.0
_LONGEST_PAUSE_S = 0.25
# A document is not unreadable, nor its worker lost, because others have the processor or because a
# test holds a worker still. A process that has died is noticed all the same, whatever the lease.
# And as few processes as there can be of what every start loads: a test that wants more says so.
_USUAL = {
    "FIELDS_TIMEOUT_S": "600",
    "FIELD_READERS": "1",
    "JOBS_LEASE_S": "120",
    "LOADING_TIMEOUT_S": "600",
    "OCR_WORKERS": "1",
    "OCR_PAGE_TIMEOUT_S": "600",
    "SYNC_DEADLINE_S": "600",
}


def environment(data_root: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without settings, then ones that tests need, then these."""
    ours = variable_names()
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | _USUAL | {"DATA_ROOT": str(data_root)} | dict(more or {})


def eventually(probe: Callable[[], Any], what: str) -> Any:
    """The first true result of `probe`; fails when it takes too long."""
    end, pause = time.monotonic() + PATIENCE_S, 0.01
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(pause)
        # Not at once again and again: what is waited for needs the processor too.
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s in vain: {what}")


def ocr_workers_of(pid: int) -> list[psutil.Process]:
    """The processes of a server or worker that read pages."""
    return children_running("lib.ocr.worker", pid)


def children_running(module: str, pid: int) -> list[psutil.Process]:
    """The processes that a process has started, and theirs, which run that module."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if module in _command_of(child)]


def end_whole(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all that it has started: what a test has stopped would stay for ever."""
    if process.poll() is None:  # else its id may be another's
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.wait()


def _command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a decoder that has done its work, collected or not yet
        return ""


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
        assert announced.startswith("Listening on "), (data_root / "server.log").read_text()
        self.url = announced.split()[2]
        # A new connection each time: one that was kept may be ended by the server while the next
        # request is on its way.
        self.client = httpx.Client(
            base_url=self.url,
            timeout=PATIENCE_S,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def health(self) -> dict[str, Any]:
        """What `/v1/health` says."""
        body: dict[str, Any] = self.client.get("/v1/health").json()
        return body

    def wait_ready(self) -> None:
        """Wait until documents can be read."""
        eventually(lambda: self.health()["status"] == "ok", "a ready server")

    def ocr_workers(self) -> list[psutil.Process]:
        """Its processes that read pages: suspended, they make no progress."""
        return ocr_workers_of(self.process.pid)

    def ended_job(self, url: str) -> dict[str, Any]:
        """The job at this address, once it has ended."""

        def look() -> dict[str, Any] | None:
            job: dict[str, Any] = self.client.get(url, params={"wait": 30}).json()
            return job if job["finished_at"] else None

        found: dict[str, Any] = eventually(look, f"the end of {url}")
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)
