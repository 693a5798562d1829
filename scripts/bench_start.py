"""Measures a start: from `ocr serve` to listening, to ready, and to the first answer.

    python scripts/bench_start.py               # ten starts on one data folder, medians
    python scripts/bench_start.py --fresh       # each on an empty folder: the databases are made
    python scripts/bench_start.py --profile     # what the server's import costs, module by module

Ready: `GET /v1/health` says `ok`, as documents can be read from then on. The first answer is that
of a photo which is sent as soon as the server is ready, and nothing was read before. The first
start does not count: it writes byte code and brings the files into the system's cache, so the
figures are those of a start with warm files. Everything else on the machine should rest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
from rich.console import Console
from rich.table import Table

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "receipt_photo.jpg"
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.005
# Byte code is written as it is wherever Python is not told otherwise.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
console = Console()


@dataclass(frozen=True)
class Start:
    """Seconds since the process was started."""

    listening: float
    ready: float
    answer: float


def start(folder: Path, document: bytes) -> Start:
    """One start of a server on a data folder, until its first answer."""
    begun = time.monotonic()
    server = subprocess.Popen(
        [Path(sys.executable).with_name("ocr"), "serve", "--port", "0"],
        env=ENVIRONMENT | {"DATA_ROOT": str(folder), "LOG_LEVEL": "WARNING"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        said = server.stdout.readline().split()
        if len(said) < 3:
            raise SystemExit("the server did not start")
        listening = time.monotonic() - begun
        with httpx.Client(base_url=said[2], timeout=PATIENCE_S) as client:
            while client.get("/v1/health").json()["status"] != "ok":
                time.sleep(LOOK_EVERY_S)
            ready = time.monotonic() - begun
            client.post("/v1/extract", files={"file": ("document", document)}).raise_for_status()
            return Start(listening, ready, time.monotonic() - begun)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def rounds(count: int, document: bytes, *, fresh: bool) -> list[Start]:
    """So many starts, after one that does not count."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, str(number) if fresh else "data") for number in range(count + 1)]
        return [start(place, document) for place in places][1:]


def report(starts: list[Start]) -> None:
    """Medians and the range, in seconds."""
    table = Table("from the start of the process to", "median s", "fastest", "slowest")
    for name, label in (
        ("listening", "listening"),
        ("ready", "ready (health says ok)"),
        ("answer", "the first answer (a photo)"),
    ):
        times = [getattr(each, name) for each in starts]
        table.add_row(label, f"{median(times):.2f}", f"{min(times):.2f}", f"{max(times):.2f}")
    console.print(table)


def profile(most: int) -> None:
    """The modules that the server imports, by the time of each without what it imports itself."""
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-c",
            "import apps.api_cpu.serve, apps.api_cpu.server",
        ],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    modules: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            modules[name.strip()] += int(own)
            packages[name.strip().partition(".")[0]] += int(own)
    console.print(f"{len(modules)} modules, {sum(modules.values()) / 1e6:.2f} s")
    for title, found in (("package", packages), ("module", modules)):
        table = Table(title, "ms")
        for name, microseconds in found.most_common(most):
            table.add_row(name, f"{microseconds / 1000:.1f}")
        console.print(table)


def main() -> None:
    """Measure starts, or profile the import."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--document", type=Path, default=SAMPLE)
    parser.add_argument("--fresh", action="store_true", help="an empty data folder each time")
    parser.add_argument("--profile", action="store_true", help="the server's import by module")
    given = parser.parse_args()
    if given.profile:
        profile(20)
        return
    report(rounds(given.rounds, given.document.read_bytes(), fresh=given.fresh))


if __name__ == "__main__":
    main()
