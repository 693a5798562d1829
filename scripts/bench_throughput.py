"""Measures a sustained load: the pipeline against the bare engine, two cores against one.

    python scripts/bench_throughput.py                        # three rounds, about six minutes
    python scripts/bench_throughput.py --rounds 5 --seconds 30

Four measurements in turn, round after round, each in processes of its own that may use only the
cores it names: the bare OCR engine on a decoded photo in one process for each core, and the whole
pipeline (file to checked fields, without HTTP) with one OCR worker for each core. The engine's own
gain from a second core is what cores, memory and clock allow on this machine: the pipeline's is to
be held against it. CPU seconds are of the process and all that it started.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "receipt_photo.jpg"
WARM_UP_DOCUMENTS = 4
DEADLINE_S = 600.0
console = Console()


@dataclass(frozen=True)
class Measured:
    """Documents a second, and the CPU seconds of one."""

    rate: float
    cpu: float


def engine_load(document: bytes, cores: int, seconds: float) -> Measured:
    """The bare engine on the decoded document, in a process for each core."""
    image = _decoded(document)
    context = multiprocessing.get_context("spawn")
    together, results = context.Barrier(cores), context.SimpleQueue()
    processes = [
        context.Process(target=_read_on, args=(image, together, results, seconds))
        for _ in range(cores)
    ]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    count = sum(read for read, _, _ in found)
    return Measured(
        sum(read / spent for read, spent, _ in found), sum(c for *_, c in found) / count
    )


def _read_on(image: Any, together: Any, results: Any, seconds: float) -> None:
    """One process of `engine_load`: how much it read, in what time, with what CPU time."""
    from lib.ocr.build import build_engine  # noqa: PLC0415 - in this process only
    from lib.ocr.engine_settings import EngineSettings  # noqa: PLC0415

    engine = build_engine(EngineSettings())
    for _ in range(WARM_UP_DOCUMENTS):
        engine.read(image)
    together.wait(DEADLINE_S)
    begun, cpu, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() - begun < seconds:
        engine.read(image)
        count += 1
    results.put((count, time.monotonic() - begun, time.process_time() - cpu))


def pipeline_load(document: bytes, cores: int, seconds: float) -> Measured:
    """The pipeline with a worker for each core, and one document more in hand than workers."""
    from apps.api_cpu.settings import load_settings  # noqa: PLC0415 - in this process only
    from apps.api_cpu.stations import build_reader  # noqa: PLC0415
    from lib.domain.deadline import Deadline  # noqa: PLC0415
    from lib.domain.extraction import Hints  # noqa: PLC0415
    from lib.pipelines.extract import extract  # noqa: PLC0415

    hints = Hints(received_on=datetime.now(UTC).date())
    with closing(build_reader(load_settings(auth_enabled=False, ocr_workers=cores))) as reader:
        stations = reader.stations

        done: list[float] = []
        ended = threading.Event()

        def work() -> None:
            while not ended.is_set():
                deadline = Deadline.after(DEADLINE_S)
                extract(document, stations.tasks["auto"], stations, hints, deadline)
                done.append(time.monotonic())

        threads = [threading.Thread(target=work) for _ in range(cores + 1)]
        for thread in threads:
            thread.start()
        while len(done) < WARM_UP_DOCUMENTS * len(threads):
            time.sleep(0.01)
        begun, cpu = time.monotonic(), _processor_seconds()
        time.sleep(seconds)
        spent, cpu = time.monotonic() - begun, _processor_seconds() - cpu
        # From one document's end to another's, all at work before, between and after: no core waits
        # because nothing is left to do, which is no part of a sustained load.
        ends = [end for end in done if begun <= end]
        ended.set()
        for thread in threads:
            thread.join()
        rate = (len(ends) - 1) / (ends[-1] - ends[0])
        return Measured(rate, cpu / spent / rate)


def _decoded(document: bytes) -> Any:
    from apps.api_cpu.settings import load_settings  # noqa: PLC0415
    from apps.api_cpu.stations import build_document_loader  # noqa: PLC0415
    from lib.domain.deadline import Deadline  # noqa: PLC0415

    deadline = Deadline.after(DEADLINE_S)
    with (
        build_document_loader(load_settings(auth_enabled=False)) as loader,
        loader.open(document, deadline) as opened,
    ):
        return opened.image(1, deadline)


def _processor_seconds() -> float:
    """Of this process and of what it started, decoders that have ended included."""
    spent = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system + times.children_user + times.children_system
    return spent


LOADS: dict[str, Callable[[bytes, int, float], Measured]] = {
    "engine": engine_load,
    "pipeline": pipeline_load,
}


def measured(name: str, cores: int, given: argparse.Namespace) -> Measured:
    """One measurement in a process of its own, on the first so many cores that we may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < cores:
        raise SystemExit(f"{cores} cores are needed, and {len(usable)} may be used")
    done = subprocess.run(
        [sys.executable, __file__, "--only", name, "--cores", str(cores),
         "--seconds", str(given.seconds), "--document", str(given.document)],
        preexec_fn=lambda: os.sched_setaffinity(0, usable[:cores]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )  # fmt: skip
    return Measured(**json.loads(done.stdout))


def compare(given: argparse.Namespace) -> None:
    """All four in turn, and what they are to each other: medians of the rounds."""
    cores = given.cores
    found: dict[tuple[str, int], list[Measured]] = {}
    for _ in range(given.rounds):
        for name in LOADS:
            for used in (1, cores):
                found.setdefault((name, used), []).append(measured(name, used, given))
    table = Table("what", "cores", "documents/s", "CPU s/document")
    for (name, used), runs in found.items():
        rate = median(run.rate for run in runs)
        table.add_row(name, str(used), f"{rate:.2f}", f"{median(run.cpu for run in runs):.3f}")
    console.print(table)

    def ratio(above: tuple[str, int], below: tuple[str, int]) -> float:
        pairs = zip(found[above], found[below], strict=True)
        return median(one.rate / other.rate for one, other in pairs)

    for used in (1, cores):
        slower = ratio(("engine", used), ("pipeline", used))
        console.print(f"bare engine / pipeline on {used} cores: {slower:.3f}")
    for name in LOADS:
        gain = ratio((name, cores), (name, 1)) / cores
        console.print(f"{name}: {100 * gain:.1f} % of {cores} times one core's")


def main() -> None:
    """Compare, or one measurement for a process that does."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--document", type=Path, default=SAMPLE)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--only", choices=LOADS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only is None:
        compare(given)
        return
    one = LOADS[given.only](given.document.read_bytes(), given.cores, given.seconds)
    print(json.dumps(asdict(one)))


if __name__ == "__main__":
    main()
