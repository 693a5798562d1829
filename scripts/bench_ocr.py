"""Measures the OCR engine alone and behind the pool on images of yours.

    python scripts/bench_ocr.py IMAGES... [--rounds 2] [--runtime auto] [--precision auto]

The first round warms up and does not count. "ratio" is the pool's images a second over the bare
engine's; with one worker what is missing to 1 is the cost of the process border. "CPU s" is the
processor time of all processes for an image: on a busy machine compare this. "peak" is the resident
memory of the process that runs the engine, at its highest (the largest of the workers).
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from lib.domain.deadline import Deadline
from lib.domain.document import PageImage
from lib.ocr.build import OcrSettings, build_engine, build_ocr_pool
from lib.ocr.engine_settings import EngineSettings, Precision, RuntimeChoice
from lib.ocr.pool import OcrPool

MIB = 1 << 20


def load(path: Path) -> PageImage:
    with Image.open(path) as image:
        rgb = image.convert("RGB")
        return PageImage(rgb.width, rgb.height, rgb.tobytes())


@dataclass(frozen=True, slots=True)
class Measured:
    rate: float  # images a second
    cpu: float  # processor seconds an image
    peak: float  # MiB


def bench_engine(settings: EngineSettings, pages: Sequence[PageImage], rounds: int) -> Measured:
    engine = build_engine(settings)
    for page in pages:
        engine.read(page)
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        for page in pages:
            engine.read(page)
    count = rounds * len(pages)
    return Measured(
        rate=count / (time.perf_counter() - started),
        cpu=(time.process_time() - cpu) / count,
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def bench_pool(
    settings: EngineSettings, workers: int, pages: Sequence[PageImage], rounds: int
) -> Measured:
    with build_ocr_pool(OcrSettings(engine=settings, workers=workers)) as pool:
        # Every worker has to meet every size of page once.
        _read_all(pool, list(pages) * workers)
        started, cpu = time.perf_counter(), _processor_seconds()
        _read_all(pool, list(pages) * rounds)
        count = rounds * len(pages)
        return Measured(
            rate=count / (time.perf_counter() - started),
            cpu=(_processor_seconds() - cpu) / count,
            peak=max(_peak_mib(child) for child in psutil.Process().children()),
        )


def _read_all(pool: OcrPool, pages: Sequence[PageImage]) -> None:
    deadline = Deadline.after(3600)
    under_way: deque = deque()
    for page in pages:
        if len(under_way) > pool.workers:
            under_way.popleft().result()
        under_way.append(pool.submit(page, deadline))
    while under_way:
        under_way.popleft().result()


def _processor_seconds() -> float:
    """Spent so far by this process and its children."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children())]
    return sum(spent.user + spent.system for spent in times)


def _peak_mib(process: psutil.Process) -> float:
    """The kernel's high-water mark where it tells one, else what is resident now."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        marks = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(marks[0].split()[1]) / 1024
    return process.memory_info().rss / MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runtime", type=RuntimeChoice, default=RuntimeChoice.AUTO)
    parser.add_argument("--precision", type=Precision, default=Precision.AUTO)
    parser.add_argument("--side", type=int, default=1280)
    arguments = parser.parse_args()
    settings = EngineSettings(
        runtime=arguments.runtime, precision=arguments.precision, detection_side=arguments.side
    )
    pages = [load(path) for path in arguments.images]

    table = Table("what", "images/s", "s/image", "ratio", "CPU s/image", "peak MiB")
    # The pools come first: a page cache and a clock that are warm must not favour them.
    rows = {f"pool of {n}": bench_pool(settings, n, pages, arguments.rounds) for n in (1, 2)}
    bare = bench_engine(settings, pages, arguments.rounds)
    for name, measured in {"engine in this process": bare, **rows}.items():
        table.add_row(
            name,
            f"{measured.rate:.2f}",
            f"{1 / measured.rate:.3f}",
            f"{measured.rate / bare.rate:.2f}",
            f"{measured.cpu:.3f}",
            f"{measured.peak:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
