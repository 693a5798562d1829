"""Labelled documents to train on: truth sets that are read once and kept, and synthetic ones."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthetic import render
from synthetic.documents import compose
from synthetic.fonts import FOLDER, Fonts
from synthetic.places import load_countries

from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import Reader, build_reader
from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.evaluation.truth import TruthDocument, read_truth
from lib.ocr.pages import read_pages

SYNTHETIC = "synthetic"
SECONDS = 120  # to read one document


@dataclass(frozen=True)
class Document:
    """One labelled document. `source` names its set; `complete`: what is not labelled is absent."""

    source: str
    truth: TruthDocument
    pages: tuple[Page, ...]
    complete: bool = False

    @property
    def id(self) -> str:
        return f"{self.source}/{self.truth.id}"

    @property
    def fields(self) -> dict[str, Any]:
        return dict(self.truth.fields)


def letters(text: str) -> str:
    """Letters and digits in capitals."""
    return re.sub(r"[\W_]", "", text.upper())


def read_sets(paths: Sequence[Path], cache: Path) -> list[Document]:
    """The documents of truth files; their pages are kept below `cache` until a file changes."""
    cache.mkdir(parents=True, exist_ok=True)
    reader: Reader | None = None
    found = []
    try:
        for path in paths:
            kept = cache / f"{path.parent.name}.pkl"
            # Our own file, written below: never one from elsewhere.
            known = pickle.loads(kept.read_bytes()) if kept.exists() else {}
            fresh = {}
            for truth in read_truth(path.read_text("utf-8").splitlines()):
                data = (path.parent / truth.file).read_bytes()
                key = hashlib.sha256(data).hexdigest()
                if key not in known:
                    reader = reader or build_reader(load_settings())
                    known[key] = fresh[key] = _read(data, reader)
                found.append(Document(path.parent.name, truth, known[key]))
            if fresh:
                kept.write_bytes(pickle.dumps(known))
    finally:
        if reader:
            reader.close()
    return found


def _read(data: bytes, reader: Reader) -> tuple[Page, ...]:
    deadline = Deadline.after(SECONDS)
    with reader.stations.loader.open(data, deadline) as document:
        numbers = range(1, document.page_count + 1)
        return read_pages(document, numbers, reader.stations.ocr, deadline)


def synthetic_receipts(count: int, seed: int) -> Iterator[Document]:
    """`count` receipts of scripts/make_synthetic.py as the words that a reader sees."""
    fonts, countries = Fonts(FOLDER), list(load_countries().values())
    for index in range(count):
        made = compose(index, "receipt", seed, countries, fonts)
        (truth,) = read_truth([made.truth.line(made.id, "none", made.kind)])
        yield Document(SYNTHETIC, truth, render.pages(made.sheets), complete=True)
