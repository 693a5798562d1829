"""Other OCR engines before our rules, on the same images in one run: F1 and seconds an image.

    python scripts/bench_peers.py ../documents/truth.jsonl -n 60 --out results

`truth.jsonl` is the labels' file of `ocr eval`; its documents are images. Every image is read by
each engine in turn, on the decoded pixels, and each reading goes through the same extraction,
checks and comparison: what differs is the engine. Ours runs on one thread, as in the pool. RapidOCR
runs as its package comes (all cores); Tesseract 5 (Debian: `apt-get install tesseract-ocr`) on one
thread, with the page mode that reads receipts best. CPU seconds count every thread.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from statistics import mean, median
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from load.servers import machine
from rapidocr import RapidOCR
from rich.console import Console
from rich.table import Table

from lib.domain.deadline import Deadline
from lib.domain.document import Line, Page, PageImage, PageSource, Word
from lib.domain.extraction import Hints
from lib.domain.geometry import Polygon
from lib.errors import Error
from lib.evaluation.evaluate import Prediction, evaluate, field_types
from lib.evaluation.significance import f1_difference
from lib.evaluation.tally import Tally
from lib.evaluation.truth import TruthDocument, read_truth
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.extractor import Extractor
from lib.loading.limits import LoadingLimits
from lib.loading.loader import build_loader
from lib.ocr.build import build_engine
from lib.ocr.engine_settings import EngineSettings
from lib.ocr.reading_order import in_reading_order, quad_of
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

TASKS = load_tasks(Path(__file__).resolve().parents[1] / "configs" / "tasks")
PATIENCE_S = 300.0
_TESSERACT_MODE = "6"  # one block of text: of its page modes the best on receipts
_WORD_LEVEL = "5"


class Peer(Protocol):
    """Reads an image into lines in reading order."""

    name: str

    def read(self, image: PageImage) -> tuple[tuple[Line, ...], int, int, int]:
        """The lines, and how the page is then turned: rotation, width, height."""
        ...


class Ours:
    """The engine of the product, in this process."""

    def __init__(self) -> None:
        self._engine = build_engine(EngineSettings())
        self.name = f"ours ({self._engine.name})"

    def read(self, image: PageImage) -> tuple[tuple[Line, ...], int, int, int]:
        """See `Peer`."""
        found = self._engine.read(image)
        return found.lines, found.rotation, found.width, found.height


class BareRapid:
    """RapidOCR as its package comes: its text lines, cut at their spaces."""

    name = "RapidOCR, as it comes"

    def __init__(self) -> None:
        self._engine = RapidOCR(params={"Global.log_level": "error"})

    def read(self, image: PageImage) -> tuple[tuple[Line, ...], int, int, int]:
        """See `Peer`."""
        found = self._engine(cv2.cvtColor(_pixels(image), cv2.COLOR_RGB2BGR))
        size = np.array([image.width, image.height], dtype=np.float64)
        lines = [
            Line(tuple(_cut(text, np.asarray(box) / size, float(score))))
            for text, box, score in zip(
                found.txts or (),
                () if found.boxes is None else found.boxes,
                found.scores or (),
                strict=True,
            )
            if text.strip()
        ]
        return _ordered(lines, image), 0, image.width, image.height


class Tesseract:
    """Tesseract 5 by its command, English model, words as it separates them."""

    def __init__(self, program: str) -> None:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        self.name = said.stdout.split("\n", 1)[0]
        self._command = [program, "-", "-", "--psm", _TESSERACT_MODE, "tsv"]

    def read(self, image: PageImage) -> tuple[tuple[Line, ...], int, int, int]:
        """See `Peer`."""
        picture = f"P6 {image.width} {image.height} 255\n".encode() + image.pixels
        done = subprocess.run(
            self._command,
            input=picture,
            capture_output=True,
            check=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
        text = io.StringIO(done.stdout.decode("utf-8"))
        rows = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
        words = [row for row in rows if row["level"] == _WORD_LEVEL and row["text"].strip()]
        by_line = groupby(words, lambda row: (row["block_num"], row["par_num"], row["line_num"]))
        lines = [Line(tuple(_word(row, image) for row in line)) for _, line in by_line]
        return _ordered(lines, image), 0, image.width, image.height


@dataclass
class Measured:
    """What one engine's readings came to."""

    predictions: list[Prediction] = field(default_factory=list)
    ocr_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    rules_s: list[float] = field(default_factory=list)


def main() -> None:
    """Print a line an engine."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path)
    parser.add_argument("-n", type=int, help="documents; default all")
    parser.add_argument("--task", default="receipt_fields_v1", choices=sorted(TASKS))
    parser.add_argument("--out", type=Path, help="folder for peers.json")
    options = parser.parse_args()
    lines = options.truth.read_text(encoding="utf-8").splitlines()
    documents = list(read_truth(lines, field_types(TASKS.values())))[: options.n]
    program = shutil.which("tesseract")
    if program is None:
        parser.error("there is no `tesseract`; on Debian: apt-get install tesseract-ocr")
    peers: list[Peer] = [Ours(), BareRapid(), Tesseract(program)]
    before = machine()
    found = measure(documents, options.truth.parent, peers, options.task)
    report = figures(documents, found)
    show(report)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        body = {"documents": len(documents), "machine": before, "engines": report}
        (options.out / "peers.json").write_text(json.dumps(body, separators=(",", ":")) + "\n")


def measure(
    documents: list[TruthDocument], folder: Path, peers: list[Peer], task_id: str
) -> dict[str, Measured]:
    """Every engine's readings of every image; who begins changes from image to image."""
    extractor = build_cpu_extractor()
    found: dict[str, Measured] = defaultdict(Measured)
    with closing(build_loader(LoadingLimits())) as loader:
        for number, document in enumerate(documents):
            deadline = Deadline.after(PATIENCE_S)
            with loader.open((folder / document.file).read_bytes(), deadline) as opened:
                image = opened.image(1, deadline)
            if not number:
                for peer in peers:
                    peer.read(image)  # what is loaded at first use
            turn = number % len(peers)
            for peer in peers[turn:] + peers[:turn]:
                one(document, image, peer, found[peer.name], extractor, task_id)
    return {peer.name: found[peer.name] for peer in peers}


def one(
    document: TruthDocument,
    image: PageImage,
    peer: Peer,
    measured: Measured,
    extractor: Extractor,
    task_id: str,
) -> None:
    """One image by one engine, and through the rules."""
    cpu, begun = _cpu_seconds(), time.perf_counter()
    lines, rotation, width, height = peer.read(image)
    read = time.perf_counter()
    measured.ocr_s.append(read - begun)
    measured.cpu_s.append(_cpu_seconds() - cpu)
    pages = (Page(1, width, height, rotation, PageSource.OCR, lines),)
    hints, task = Hints(received_on=datetime.now(UTC).date()), TASKS[task_id]
    try:
        raw = extractor.extract(pages, task, hints)
        reading = finish(raw, raw.task or task, pages, hints)
    except Error as error:
        measured.predictions.append(Prediction(document.id, error=error.code))
        return
    measured.rules_s.append(time.perf_counter() - read)
    measured.predictions.append(
        Prediction(document.id, document_type=reading.document_type, result=reading.result)
    )


def figures(documents: list[TruthDocument], found: dict[str, Measured]) -> dict[str, dict]:
    """F1 over all judged fields, for each field, and times; beside the first engine's."""
    report: dict[str, dict] = {}
    ours: list[Tally] = []
    for name, measured in found.items():
        result = evaluate(documents, measured.predictions, TASKS.values())
        by_document = dict.fromkeys((document.id for document in documents), Tally())
        for judged in result.judged:
            by_document[judged.document_id] += judged.outcome.score.exact
        tallies = list(by_document.values())
        ours = ours or tallies
        less = f1_difference(ours, tallies)
        report[name] = {
            "exact": round(result.micro.exact.f1 or 0.0, 3),
            "relaxed": round(result.micro.relaxed.f1 or 0.0, 3),
            "exact_beside_first": None if less is None else [less.value, *less.interval],
            "fields": {
                each: round(score.exact.f1 or 0.0, 3) for each, score in result.fields.items()
            },
            "ocr_s": round(median(measured.ocr_s), 3),
            "ocr_cpu_s": round(mean(measured.cpu_s), 3),
            "rules_s": round(mean(measured.rules_s), 3),
        }
    return report


def show(report: dict) -> None:
    """A line an engine."""
    table = Table("engine", "exact F1", "relaxed", "s an image (median)", "CPU s", "rules, s")
    for name, row in report.items():
        table.add_row(
            name,
            f"{row['exact']:.3f}",
            f"{row['relaxed']:.3f}",
            f"{row['ocr_s']:.3f}",
            f"{row['ocr_cpu_s']:.3f}",
            f"{row['rules_s']:.3f}",
        )
    Console().print(table)


def _cut(text: str, quad: np.ndarray, confidence: float) -> Iterator[Word]:
    """The words of a line, each with its share of the line's quad by characters."""
    at = 0
    for part in text.split():
        first = text.index(part, at)
        at = first + len(part)
        left, right = first / len(text), at / len(text)
        top = [quad[0] + (quad[1] - quad[0]) * share for share in (left, right)]
        bottom = [quad[3] + (quad[2] - quad[3]) * share for share in (right, left)]
        corners = tuple((float(x), float(y)) for x, y in np.clip([*top, *bottom], 0.0, 1.0))
        yield Word(part, Polygon(corners), confidence)


def _word(row: dict[str, str], image: PageImage) -> Word:
    left, top, width, height = (int(row[name]) for name in ("left", "top", "width", "height"))
    box = Polygon.from_box(
        left / image.width,
        top / image.height,
        (left + width) / image.width,
        (top + height) / image.height,
    )
    return Word(row["text"], box, max(0.0, float(row["conf"])) / 100)


def _ordered(lines: list[Line], image: PageImage) -> tuple[Line, ...]:
    places = [quad_of(line.polygon, image.width, image.height) for line in lines]
    return tuple(in_reading_order(lines, places))


def _pixels(image: PageImage) -> np.ndarray:
    return np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, 3)


def _cpu_seconds() -> float:
    """Of this process, all its threads, and of the children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


if __name__ == "__main__":
    main()
