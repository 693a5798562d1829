#!/usr/bin/env python
"""Photographs and scans labelled receipts again, and says how many are known as duplicates.

    .venv/bin/python scripts/measure_duplicates.py --every 4 FOLDER...

A FOLDER holds truth.jsonl and its images. Positives: every n-th document against a picture of
itself, by turns a photo and a scan. Negatives: all pairs of different files of a folder; those that
are told are listed, since data sets hold duplicates too.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))

from sample_documents.scan import scanned_page
from synthetic.capture import photo

from apps.api_cpu.duplicates.service import compare, document_of
from apps.api_cpu.duplicates.store import SeenDocument
from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import Reader, build_reader
from lib.domain.deadline import Deadline
from lib.domain.extraction import Hints
from lib.errors import Error
from lib.evaluation.truth import read_truth
from lib.pipelines.extract import extract

LONGEST = 2000
DEADLINE_S = 120.0


def pictured(path: Path, number: int) -> bytes:
    """The document in another picture: a photo for even numbers, else a scan at quality 45."""
    image = Image.open(path).convert("L")
    image.thumbnail((LONGEST, LONGEST))
    page = np.asarray(image)
    if number % 2 == 0:
        return photo(page, f"copy {number}")
    chance = random.Random(number)
    out = BytesIO()
    scan = scanned_page(page, chance.gauss(0, 1), np.random.default_rng(number))
    Image.fromarray(scan).save(out, "JPEG", quality=45)
    return out.getvalue()


def seen(name: str, data: bytes, reader: Reader) -> SeenDocument:
    """What is remembered of a document; its bytes are nobody else's."""
    hints = Hints(datetime.now(UTC).date())
    stations = reader.stations
    try:
        read = extract(data, stations.tasks["auto"], stations, hints, Deadline.after(DEADLINE_S))
    except Error as error:
        print(f"{name}: {error.code}")
        return SeenDocument(name, 0.0, name)
    words = (word.text for page in read.pages for word in page.words)
    return document_of(name, 0.0, name, read.reading.result, words)


def measure(folder: Path, every: int, reader: Reader) -> Iterator[str]:
    """Lines that say how a folder's documents fare."""
    originals: list[SeenDocument] = []
    told: Counter[str] = Counter()
    for number, truth in enumerate(read_truth((folder / "truth.jsonl").read_text().splitlines())):
        path = folder / truth.file
        originals.append(seen(path.name, path.read_bytes(), reader))
        if number % every == 0:
            copy = seen(f"copy of {path.name}", pictured(path, number // every), reader)
            same = compare(copy, originals[-1])
            is_candidate = bool(
                set(copy.bands) & set(originals[-1].bands)
                or (copy.number is not None and copy.number == originals[-1].number)
            )
            told["missed" if same is None or not is_candidate else same.reason.value] += 1
    yield f"{folder.name}: copies {dict(told)}"
    pairs = list(combinations(originals, 2))
    for one, other in pairs:
        if (same := compare(one, other)) is not None:
            yield f"  {one.request_id} and {other.request_id}: {same.reason} {same.score}"
    yield f"  of {len(pairs)} pairs"


def main() -> None:
    """Print what was told of copies and of different documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=4, help="copy every n-th document")
    arguments = parser.parse_args()
    settings = load_settings(auth_enabled=False, ocr_workers=1, log_level="WARNING")
    reader = build_reader(settings)
    try:
        for folder in arguments.folders:
            for line in measure(folder, arguments.every, reader):
                print(line, flush=True)
    finally:
        reader.close()


if __name__ == "__main__":
    main()
