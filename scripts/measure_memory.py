"""Memory of a server's processes: at rest, and at most while it reads the samples.

    .venv/bin/python scripts/measure_memory.py --workers 1 2 --readers 0 2

Resident megabytes (10^6 bytes) of each kind of process, and of all of them together with what they
share counted once (PSS, proportional set size). A minute for each line, and the samples' photo and
scan are read by as many clients as there are threads for documents.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
from load.servers import SAMPLES, orchestrator

_KINDS = {"lib.ocr.worker": "OCR workers", "lib.pipelines.readers": "field readers"}
_SERVER, _DECODERS = "server", "decoders"
_COLUMNS = (_SERVER, *_KINDS.values(), _DECODERS)
_LOOK_EVERY_S = 0.2
_PATIENCE_S = 600.0

Memory = dict[str, list[float]]
"""Resident megabytes of each process, by its kind."""


def main() -> None:
    """Two lines for each number of workers and readers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="OCR_WORKERS")
    parser.add_argument("--readers", type=int, nargs="+", default=[0, 2], help="FIELD_READERS")
    parser.add_argument("--rounds", type=int, default=5, help="times that all samples are read")
    parser.add_argument("--file", type=Path, nargs="*", help="instead of the samples")
    options = parser.parse_args()
    files = options.file or sorted(SAMPLES.glob("*.[pjx][dpm][fgl]"))
    print(f"| OCR workers | field readers | | {' | '.join(_COLUMNS)} | all, shared counted once |")
    print("| --- " * (len(_COLUMNS) + 4) + "|")
    for workers in options.workers:
        for readers in options.readers:
            _measure(workers, readers, files, options.rounds)


def _measure(workers: int, readers: int, files: list[Path], rounds: int) -> None:
    environment = {"OCR_WORKERS": str(workers), "FIELD_READERS": str(readers)}
    with orchestrator(None, **environment) as server:
        process = psutil.Process(server.pid)
        rest = _settled(lambda: _look(process), workers, readers)
        print(_line(workers, readers, "at rest", *rest), flush=True)
        most: Memory = defaultdict(list)
        whole = 0.0
        over = threading.Event()
        with ThreadPoolExecutor(workers + 2) as threads:
            reading = [threads.submit(_read, server.url, file) for file in files * rounds]
            threads.submit(lambda: ([each.result() for each in reading], over.set()))
            while not over.wait(_LOOK_EVERY_S):
                found, together = _look(process)
                whole = max(whole, together)
                for kind, sizes in found.items():
                    most[kind] = max(most[kind], sizes, key=sum)
                if any(each.done() and each.exception() for each in reading):
                    break
            for each in reading:
                each.result()
        print(_line(workers, readers, "at most", most, whole), flush=True)


def _settled(
    look: Callable[[], tuple[Memory, float]], workers: int, readers: int
) -> tuple[Memory, float]:
    """What there is once all processes have started and nothing grows for a while."""
    end, before = time.monotonic() + _PATIENCE_S, 0.0
    while time.monotonic() < end:
        found, whole = look()
        is_whole = (len(found["OCR workers"]), len(found["field readers"])) == (workers, readers)
        if is_whole and abs(whole - before) < 1:
            return found, whole
        before = whole
        time.sleep(5)
    raise SystemExit("the server's processes did not come to rest")


def _look(server: psutil.Process) -> tuple[Memory, float]:
    found: Memory = defaultdict(list)
    whole = 0.0
    for process in (server, *server.children(recursive=True)):
        try:
            command, memory = " ".join(process.cmdline()), process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        kind = next((kind for name, kind in _KINDS.items() if name in command), _DECODERS)
        found[_SERVER if process == server else kind].append(memory.rss / 1e6)
        whole += memory.pss / 1e6
    return found, whole


def _read(url: str, file: Path) -> None:
    headers = {"Prefer": "wait"}
    with file.open("rb") as content:
        given = {"file": (file.name, content)}
        answer = httpx.post(f"{url}/v1/extract", files=given, headers=headers, timeout=_PATIENCE_S)
    if answer.status_code != httpx.codes.OK:
        raise SystemExit(f"HTTP {answer.status_code}: {answer.text[:300]}")


def _line(workers: int, readers: int, when: str, found: Memory, whole: float) -> str:
    cells = []
    for kind in _COLUMNS:
        sizes = [f"{size:.0f}" for size in sorted(found.get(kind, []), reverse=True)]
        cells.append(" + ".join(sizes) or "0")
    return f"| {workers} | {readers} | {when} | {' | '.join(cells)} | {whole:.0f} |"


if __name__ == "__main__":
    main()
