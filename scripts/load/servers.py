"""The processes under load: `ocr serve`, and the stand-in for a model server."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

SCRIPTS = Path(__file__).resolve().parents[1]
SAMPLES = SCRIPTS.parent / "samples"
OCR = Path(sys.executable).with_name("ocr")
_PATIENCE_S = 180.0
_WORKERS = ("lib.ocr.worker", "lib.pipelines.readers")
_WANTED = ("user", "nice", "system", "irq", "softirq", "steal")


@dataclass(frozen=True, slots=True)
class Server:
    """A running one; `data` is its DATA_ROOT, which goes when it ends."""

    url: str
    pid: int
    data: Path

    def artifact(self, rel: str) -> Path:
        """The file of an artifact."""
        return self.data / "artifacts" / rel

    def memory(self) -> tuple[float, float]:
        """Resident megabytes (10^6 bytes): of the server alone, of its OCR workers and field
        readers together.
        """
        process = psutil.Process(self.pid)
        workers = 0
        # A decoder is its helper's child.
        for child in process.children(recursive=True):
            try:
                if any(name in part for part in child.cmdline() for name in _WORKERS):
                    workers += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return process.memory_info().rss / 1e6, workers / 1e6

    def keep_to_first_core(self) -> None:
        """Move it there if it keeps to one core, so that servers that are asked in turn are
        compared on the same: cores differ in what else they have to do.
        """
        if sys.platform == "linux" and len(os.sched_getaffinity(self.pid)) == 1:
            first = min(os.sched_getaffinity(0))
            for thread in psutil.Process(self.pid).threads():
                os.sched_setaffinity(thread.id, {first})

    def processor_s(self) -> tuple[float, float]:
        """Seconds of processor time spent so far: by the server alone, and by what it started
        (decoders, OCR workers, field readers), also where that has ended.
        """
        process = psutil.Process(self.pid)
        own = process.cpu_times()
        others = own.children_user + own.children_system
        # A decoder is its helper's child.
        for child in process.children(recursive=True):
            try:
                spent = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            others += spent.user + spent.system + spent.children_user + spent.children_system
        return own.user + own.system, others


@contextmanager
def orchestrator(folder: Path | None, **environment: str) -> Iterator[Server]:
    """`ocr serve` with its usual settings and these variables, once it can read documents.

    `folder`: below which its DATA_ROOT is; None is the system's temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="load-", dir=folder) as place:
        data = Path(place)
        variables = {"DATA_ROOT": place, "LOG_FORMAT": "json", **environment}
        with _started([OCR, "serve", "--port", "0"], variables, data / "log") as (url, pid):
            _wait_until_ready(url)
            yield Server(url, pid, data)


@contextmanager
def upstream(latency_s: float, *options: str) -> Iterator[Server]:
    """The mock of a model server, which takes so long for an answer that it knows already."""
    command: list[str | Path] = [sys.executable, SCRIPTS / "mock_vllm.py", "--port", "0"]
    command += ["--latency-s", str(latency_s), "--max-running", "1024", *options]
    with tempfile.TemporaryDirectory() as place:
        data = Path(place)
        with _started(command, {}, data / "log") as (url, pid):
            yield Server(url, pid, data)


@contextmanager
def _started(
    command: Sequence[str | Path], environment: Mapping[str, str], log: Path
) -> Iterator[tuple[str, int]]:
    """The address that a server says it listens on, and its process."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().split()
        if len(said) < 3:
            sys.exit(f"{Path(command[0]).name} did not start:\n{log.read_text()[-2000:]}")
        yield said[2], process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while httpx.get(f"{url}/v1/health", timeout=10).json()["status"] != "ok":
        if time.monotonic() > end:
            sys.exit("the server did not get ready")
        time.sleep(0.1)


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def stolen_share(before: Any, after: Any) -> float | None:
    """Of the processor time that was wanted between two `psutil.cpu_times()`, what the hypervisor
    gave to other machines; None where the kernel does not say.
    """
    if not hasattr(after, "steal"):
        return None
    spent = {name: getattr(after, name) - getattr(before, name) for name in _WANTED}
    return round(spent["steal"] / sum(spent.values()), 3)
