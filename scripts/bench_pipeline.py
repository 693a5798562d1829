"""Measures the pipeline: against the bare engine, per kind of document, answers given again.

    python scripts/bench_pipeline.py                      # medians, ratio to the bare engine
    python scripts/bench_pipeline.py --lines 40 200       # KIE and post on long invoices
    python scripts/bench_pipeline.py --cache              # answers given again, by a server

Memory over many documents is measured by `bench_load.py soak`, a start by `bench_start.py`. The
documents are the samples unless others are named. Everything else on the machine should rest;
compared runs are interleaved, so that what does not rest disturbs both alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import httpx
from load.servers import machine, orchestrator
from rich.console import Console
from rich.table import Table

from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import build_reader
from lib.domain.deadline import Deadline
from lib.domain.document import Line, Page, PageImage, PageSource, Word
from lib.domain.extraction import Hints
from lib.domain.geometry import Polygon
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.ocr.build import build_engine
from lib.ocr.engine_settings import EngineSettings
from lib.pipelines.extract import Stations, extract
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
TASKS = Path(__file__).resolve().parents[1] / "configs" / "tasks"
LINES_A_PAGE = 40
DEADLINE_S = 120.0
WARM_UP_RUNS = 2
console = Console()


@dataclass(frozen=True)
class Documents:
    """The bytes of one document of each kind."""

    photo: bytes
    digital: bytes
    einvoice: bytes


def milliseconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def interleaved(works: Sequence[Callable[[], object]], runs: int) -> list[list[float]]:
    """Times in ms of each work, all of them in turn, after a warm-up that does not count."""
    for _ in range(WARM_UP_RUNS):
        for work in works:
            work()
    times: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, found in zip(works, times, strict=True):
            found.append(milliseconds(work))
    return times


# --- this process ---------------------------------------------------------


def read_document(data: bytes, stations: Stations) -> object:
    """The whole pipeline, classification included."""
    hints = Hints(received_on=datetime.now(UTC).date())
    return extract(data, stations.tasks["auto"], stations, hints, Deadline.after(DEADLINE_S))


def first_image(data: bytes, stations: Stations) -> PageImage:
    """The decoded first page."""
    deadline = Deadline.after(DEADLINE_S)
    with stations.loader.open(data, deadline) as document:
        return document.image(1, deadline)


def kie_and_post(data: bytes, stations: Stations) -> Callable[[], object]:
    """The stations after OCR, on pages that have been read."""
    hints = Hints(received_on=datetime.now(UTC).date())
    auto = stations.tasks["auto"]
    pages = extract(data, auto, stations, hints, Deadline.after(DEADLINE_S)).pages
    extractor = build_cpu_extractor()

    def work() -> object:
        raw = extractor.extract(pages, auto, hints)
        return finish(raw, raw.task or auto, pages, hints)

    return work


def bench_here(documents: Documents, runs: int) -> None:
    """Medians per kind of document, and the pipeline's time against the bare engine's."""
    with closing(build_reader(load_settings(auth_enabled=False))) as reader:
        stations = reader.stations
        image = first_image(documents.photo, stations)
        engine = build_engine(EngineSettings())
        if not stations.ocr.wait_ready(Deadline.after(DEADLINE_S)):
            raise SystemExit("no OCR worker could be started")
        if engine.name != stations.ocr.engine_name:
            raise SystemExit(f"the pool runs {stations.ocr.engine_name}, not {engine.name}")
        bare, photo = interleaved(
            [lambda: engine.read(image), lambda: read_document(documents.photo, stations)], runs
        )
        (digital,) = interleaved([lambda: read_document(documents.digital, stations)], 2 * runs)
        (einvoice,) = interleaved([lambda: read_document(documents.einvoice, stations)], 2 * runs)
        (after,) = interleaved([kie_and_post(documents.photo, stations)], 2 * runs)
        (after_digital,) = interleaved([kie_and_post(documents.digital, stations)], 2 * runs)
        table = Table("what", "median ms", "fastest", "slowest", title=machine_line())
        for name, times in (
            (f"bare engine ({engine.name}), decoded photo", bare),
            ("pipeline, the same photo as a file", photo),
            ("pipeline, born-digital page", digital),
            ("pipeline, e-invoice", einvoice),
            ("KIE and post alone, photo", after),
            ("KIE and post alone, born-digital page", after_digital),
        ):
            table.add_row(name, f"{median(times):.1f}", f"{min(times):.1f}", f"{max(times):.1f}")
        console.print(table)
        ratios = [p / b for p, b in zip(photo, bare, strict=True)]
        console.print(
            f"photo, pipeline / bare engine: {median(photo) / median(bare):.3f} of the medians, "
            f"{median(ratios):.3f} median of {len(ratios)} pairs"
        )


def long_invoice(lines: int) -> tuple[Page, ...]:
    """The words of an invoice with so many lines, a page for each forty."""
    prices = [f"{price}.00" for price in range(1, lines + 1)]
    total = f"{lines * (lines + 1)}.00"
    rows = [f"{i}|Part number {i}|2|{p}|{2 * i}.00" for i, p in enumerate(prices, start=1)]
    heading = "Pos|Description|Qty|Unit price|Amount"
    parts = [rows[first : first + LINES_A_PAGE] for first in range(0, lines, LINES_A_PAGE)]
    head = ["Brightwater Ltd", "4 Dock Road", "Leeds LS1 4AP", "Invoice No. 4711", "12/03/2024"]
    pages = [[heading, *part] for part in parts]
    pages[0] = head + pages[0]
    pages[-1] += [f"||||Total {total}"]
    return tuple(_drawn(rows, number) for number, rows in enumerate(pages, start=1))


def _drawn(rows: Sequence[str], number: int) -> Page:
    """A page with a row per text, its cells between bars in five columns."""
    drawn = []
    for index, row in enumerate(rows):
        top = 0.03 + index * 0.019
        for column, text in enumerate(row.split("|")):
            words, left = [], 0.05 + 0.18 * column
            for word in text.split():
                right = left + 0.009 * len(word)
                words.append(Word(word, Polygon.from_box(left, top, right, top + 0.012)))
                left = right + 0.006
            if words:
                drawn.append(Line(tuple(words)))
    return Page(number, 1240, 1754, 0, PageSource.TEXT_LAYER, tuple(drawn))


def bench_lines(counts: Sequence[int], runs: int) -> None:
    """How KIE and post grow with the lines of an invoice."""
    hints = Hints(received_on=datetime.now(UTC).date())
    task = load_tasks(TASKS)["invoice_fields_v1"]
    extractor = build_cpu_extractor()
    table = Table("lines", "found", "KIE, median ms", "post, median ms", title=machine_line())
    for count in counts:
        pages = long_invoice(count)
        raw = extractor.extract(pages, task, hints)
        found = finish(raw, task, pages, hints).result["line_items"]
        kie, post = interleaved(
            [
                partial(extractor.extract, pages, task, hints),
                partial(finish, raw, task, pages, hints),
            ],
            runs,
        )
        rows = len(found) if isinstance(found, tuple) else 0
        table.add_row(str(count), str(rows), f"{median(kie):.1f}", f"{median(post):.1f}")
    console.print(table)


# --- a server -------------------------------------------------------------


def bench_cache(photo: bytes, count: int) -> None:
    """What a server with a result cache takes for a photo that it has read, seen by a client."""
    with (
        orchestrator(None, RESULT_CACHE_HOURS="24") as server,
        httpx.Client(base_url=server.url, timeout=DEADLINE_S) as client,
    ):
        read = milliseconds(lambda: post(client, photo))
        times = []
        for _ in range(WARM_UP_RUNS + count):
            answers: list[httpx.Response] = []
            times.append(milliseconds(lambda: answers.append(post(client, photo))))  # noqa: B023
            if "cached_from" not in answers[0].json():
                raise SystemExit("an answer was not given again")
    found = sorted(times[WARM_UP_RUNS:])
    console.print(
        f"{machine_line()}: given again in {median(found):.1f} ms (median of {count}; 95 % within "
        f"{found[int(0.95 * len(found))]:.1f} ms), read the first time in {read:.0f} ms"
    )


def post(client: httpx.Client, data: bytes) -> httpx.Response:
    """One document; ends the benchmark unless it was read."""
    response = client.post("/v1/extract", files={"file": ("document", data)})
    if response.status_code != httpx.codes.OK:
        raise SystemExit(f"HTTP {response.status_code}: {response.text[:300]}")
    return response


def machine_line() -> str:
    """The processor, its usable cores and the interpreter."""
    found = machine()
    return f"{found['processor']}, {found['cores']} cores, Python {found['python']}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photo", type=Path, default=SAMPLES / "receipt_photo.jpg")
    parser.add_argument("--digital", type=Path, default=SAMPLES / "invoice_digital.pdf")
    parser.add_argument("--einvoice", type=Path, default=SAMPLES / "invoice_facturx.pdf")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--cache", action="store_true", help="answers that a server gives again")
    parser.add_argument("--lines", type=int, nargs="+", metavar="N", help="of drawn invoices")
    options = parser.parse_args()
    if options.lines:
        bench_lines(options.lines, options.runs)
        return
    documents = Documents(
        options.photo.read_bytes(), options.digital.read_bytes(), options.einvoice.read_bytes()
    )
    if options.cache:
        bench_cache(documents.photo, 10 * options.runs)
    else:
        bench_here(documents, options.runs)


if __name__ == "__main__":
    main()
