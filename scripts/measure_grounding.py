"""Measures how well values are found on pages: with the labels as if a perfect model had said them.

    python scripts/measure_grounding.py ../documents/truth.jsonl -n 200

`truth.jsonl` is the labels' file of `ocr eval`. Two shares per field: of the document's own values
how many are found among the words that our OCR reads (what is missed would be reviewed though it
is right), and of another document's values how many are found too (they happen to be printed, or
would be believed though they are wrong). Documents are paired by a fixed shuffle.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.domain.task import FieldType
from lib.errors import Error
from lib.evaluation.evaluate import field_types
from lib.evaluation.truth import TruthDocument, read_truth
from lib.kie.models.grounding import places_of
from lib.kie.models.printed import Printed
from lib.loading.limits import LoadingLimits
from lib.loading.loader import build_loader
from lib.ocr.build import OcrSettings, build_ocr_pool
from lib.ocr.pages import read_pages
from lib.pipelines.tasks import load_tasks

TASKS = load_tasks(Path(__file__).resolve().parents[1] / "configs" / "tasks")
PATIENCE_S = 300.0
SEED = 7


def main() -> None:
    """Print a line a field."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth", type=Path)
    parser.add_argument("-n", type=int, help="documents; default all")
    parser.add_argument("-j", type=int, default=2, help="OCR workers")
    options = parser.parse_args()
    kinds = field_types(TASKS.values())
    lines = options.truth.read_text(encoding="utf-8").splitlines()
    documents = list(read_truth(lines, kinds))[: options.n]
    pages = read(documents, options.truth.parent, options.j)
    known = [document for document in documents if document.id in pages]
    others = list(known)
    random.Random(SEED).shuffle(others)
    own: Counter[tuple[str, bool]] = Counter()
    foreign: Counter[tuple[str, bool]] = Counter()
    for document, other in zip(known, others, strict=True):
        printed = Printed(pages[document.id], None)
        for name, value in document.fields.items():
            if value is None or kinds[name] is FieldType.TABLE:
                continue
            own[name, bool(places_of(printed, kinds[name], str(value)))] += 1
            wrong = other.fields.get(name)
            if wrong is not None and str(wrong) != str(value):
                foreign[name, bool(places_of(printed, kinds[name], str(wrong)))] += 1
    print(f"{len(known)} documents of {len(documents)} read")
    for name in sorted({name for name, _ in own}):
        print(
            f"{name:24} found {share(own, name)}   another document's found {share(foreign, name)}"
        )


def share(counts: Counter[tuple[str, bool]], name: str) -> str:
    """`found / all` of a field."""
    return f"{counts[name, True]}/{counts[name, True] + counts[name, False]}"


def read(documents: list[TruthDocument], folder: Path, workers: int) -> dict[str, tuple[Page, ...]]:
    """The pages of each document that can be read."""
    loader = build_loader(LoadingLimits(max_processes=workers + 1))
    pool = build_ocr_pool(OcrSettings(workers=workers))
    with closing(loader), closing(pool), ThreadPoolExecutor(workers + 1) as threads:

        def one(document: TruthDocument) -> tuple[Page, ...] | None:
            deadline = Deadline.after(PATIENCE_S)
            try:
                data = (folder / document.file).read_bytes()
                with loader.open(data, deadline) as opened:
                    return read_pages(opened, range(1, opened.page_count + 1), pool, deadline)
            except Error:
                return None

        found = zip(documents, threads.map(one, documents), strict=True)
        return {document.id: pages for document, pages in found if pages}


if __name__ == "__main__":
    main()
