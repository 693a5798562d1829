"""Trains the letter model that settles doubtful letters of OCR (lib/ocr/letters.tsv.gz).

    python scripts/train_letter_model.py --out lib/ocr/letters.tsv.gz --card docs/letter_model.md \
        --truth SET/truth.jsonl --truth OTHER/truth.jsonl --synthetic MADE/truth.jsonl

From images (`--truth`): the lines that the engine is sure of, read without the model, and the names
and addresses that their labels hold. Documents of one vendor are one source. From text layers
(`--synthetic`, documents of `scripts/make_synthetic.py`): all lines, each language four sources.

`--check` counts how many labelled names and addresses are found in what is read, without a model
and with one that has seen no document of their vendor.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import build_document_loader
from lib.domain.deadline import Deadline
from lib.domain.document import Line, PageImage
from lib.loading.loader import ProcessLoader
from lib.ocr.engine_settings import Precision, RuntimeChoice
from lib.ocr.letter_model import LetterModel, count_letters, save_letters
from lib.ocr.ppocr import PpOcrEngine
from lib.ocr.runtime import build_runtime

FOLDS = 5
LABELS = ("vendor_name", "vendor_address")
# Lines below this confidence are not language but misreadings.
SURE = 0.95
SOURCES_PER_LANGUAGE = 4
SIDE = 1280


@dataclass(frozen=True)
class Document:
    """One labelled image: what was read without a model, and its labels."""

    path: Path
    labels: Mapping[str, str]
    lines: Sequence[Line]


def main() -> None:
    """Train and write, or check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--truth", type=Path, action="append", required=True)
    parser.add_argument("--synthetic", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--card", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    loader = build_document_loader(load_settings())
    try:
        sets = [labelled(path, loader) for path in arguments.truth]
        made = [lines for path in arguments.synthetic for lines in synthetic_sources(path, loader)]
        if arguments.check:
            for path, documents in zip(arguments.truth, sets, strict=True):
                rest = [
                    source for other in sets if other is not documents for source in vendors(other)
                ]
                check(path, documents, [*rest, *made], loader)
    finally:
        loader.close()
    if arguments.out:
        sources = [source for documents in sets for source in vendors(documents)]
        model = count_letters([*sources, *made])
        save_letters(model, arguments.out)
        if arguments.card:
            arguments.card.write_text(card(arguments, sets, sources, made, model), encoding="utf-8")


def labelled(path: Path, loader: ProcessLoader) -> list[Document]:
    """The documents of a truth file, read without a letter model."""
    engine = engine_with(None)
    documents = []
    for line in path.read_text(encoding="utf-8").splitlines():
        truth = json.loads(line)
        file = path.parent / truth["file"]
        labels = {name: truth["fields"].get(name) or "" for name in LABELS}
        documents.append(Document(file, labels, read(file, engine, loader)))
    return documents


def engine_with(model: LetterModel | None) -> PpOcrEngine:
    """The product's engine with this letter model."""
    return PpOcrEngine(build_runtime(RuntimeChoice.AUTO, Precision.AUTO), SIDE, model)


def read(file: Path, engine: PpOcrEngine, loader: ProcessLoader) -> tuple[Line, ...]:
    """The lines of a document's pages as their images show them."""
    deadline = Deadline.after(120)
    with loader.open(file.read_bytes(), deadline) as document:
        images: list[PageImage] = [
            document.image(number, deadline) for number in range(1, document.page_count + 1)
        ]
    return tuple(line for image in images for line in engine.read(image).lines)


def vendors(documents: Sequence[Document]) -> list[list[str]]:
    """A source for each vendor: sure lines and labels. Documents that share a name or the beginning
    of an address are of one vendor; a label without white space is no text as it is printed.
    """
    sources: dict[str, list[str]] = defaultdict(list)
    for group, document in zip(groups(documents), documents, strict=True):
        sources[group] += [line.text for line in document.lines if line.confidence > SURE]
        sources[group] += [label for label in document.labels.values() if " " in label]
    return list(sources.values())


def groups(documents: Sequence[Document]) -> list[str]:
    """The vendor of each document, as the path of its first."""
    parents: dict[str, str] = {}

    def root(key: str) -> str:
        while parents.setdefault(key, key) != key:
            key = parents[key]
        return key

    for document in documents:
        name = letters(re.sub(r"\(.*?\)", "", document.labels["vendor_name"]))
        address = letters(document.labels["vendor_address"])[:25]
        for key in (f"name {name}" if name else "", f"address {address}" if address else ""):
            if key:
                parents[root(key)] = root(str(document.path))
    return [root(str(document.path)) for document in documents]


def synthetic_sources(path: Path, loader: ProcessLoader) -> list[list[str]]:
    """The text layers of generated documents, each language in some sources."""
    sources: dict[tuple[str, int], list[str]] = defaultdict(list)
    for index, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        truth = json.loads(line)
        deadline = Deadline.after(120)
        data = (path.parent / truth["file"]).read_bytes()
        with loader.open(data, deadline) as document:
            layers = [
                document.page(number, deadline).text_layer
                for number in range(1, document.page_count + 1)
            ]
        texts = [found.text for layer in layers if layer for found in layer.lines]
        language = truth["id"].split("_")[1]
        sources[language, index % SOURCES_PER_LANGUAGE] += texts
    return list(sources.values())


def check(
    path: Path,
    documents: Sequence[Document],
    others: Sequence[Iterable[str]],
    loader: ProcessLoader,
) -> None:
    """Print how many labels stand in what is read, without and with models of other vendors."""
    by_vendor: dict[str, list[Document]] = defaultdict(list)
    for group, document in zip(groups(documents), documents, strict=True):
        by_vendor[group].append(document)
    folds: list[list[Document]] = [[] for _ in range(FOLDS)]
    for group in sorted(by_vendor, key=lambda name: (-len(by_vendor[name]), name)):
        min(folds, key=len).extend(by_vendor[group])
    found: dict[tuple[str, str], int] = defaultdict(int)
    for held_out in folds:
        kept = [document for fold in folds if fold is not held_out for document in fold]
        engine = engine_with(count_letters([*vendors(kept), *others]))
        for document in held_out:
            tally(found, "without", document.lines, document.labels)
            tally(found, "with", read(document.path, engine, loader), document.labels)
    for (name, what), count in sorted(found.items()):
        print(f"{path} {name}: {what} {count}")


def tally(
    found: dict[tuple[str, str], int],
    when: str,
    lines: Sequence[Line],
    labels: Mapping[str, str],
) -> None:
    """Count the labels that the lines hold, exactly and by letters and digits alone."""
    text = "".join(line.text for line in lines)
    for name, label in labels.items():
        if label:
            found[name, "labelled"] += when == "with"
            found[name, f"{when} exact"] += squeezed(label) in squeezed(text)
            found[name, f"{when} relaxed"] += letters(label) in letters(text)


def squeezed(text: str) -> str:
    """Capitals without white space."""
    return "".join(text.upper().split())


def letters(text: str) -> str:
    """Letters and digits in capitals."""
    return re.sub(r"[\W_]", "", text.upper())


def card(
    arguments: argparse.Namespace,
    sets: Sequence[Sequence[Document]],
    sources: Sequence[Sequence[str]],
    made: Sequence[Sequence[str]],
    model: LetterModel,
) -> str:
    """The data card: what the model was counted on."""
    documents = sum(len(documents) for documents in sets)
    size = arguments.out.stat().st_size / 1024
    return f"""# Data card of the letter model

`{arguments.out.name}`: {len(model.counts)} n-grams of up to six characters with their counts,
{size:.0f} kB, written by `scripts/train_letter_model.py`.

- {documents} labelled images ({" + ".join(str(len(d)) for d in sets)}) of {len(sources)} vendors:
  {sum(map(len, sources))} lines that OCR is sure of, labelled names and addresses among them.
- {sum(map(len, made))} lines of generated documents in eleven languages, in {len(made)} sources.
- A source counts an n-gram three times at most. One of four characters or more is kept when three
  sources have it, so a word of one vendor is not in the model; all digits are counted as 0.
"""


if __name__ == "__main__":
    main()
