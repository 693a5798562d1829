"""Trains the network that reads receipts' heads, from scratch, and writes it with its data card.

    python scripts/train_kie.py --truth SET/truth.jsonl [--truth OTHER/truth.jsonl] --cache DIR
        [--synthetic N] [--seed S] [--family network] [--family trees] [--known] [--out DIR]

A truth file has a line per document with `file` and `fields` (see docs/evaluation.md); its pages
are read once and kept below `--cache`. Synthetic receipts are added to every training set and
never judged. Every family is judged end to end, by the product's extractor, in folds that keep a
vendor's documents together; `--known` also judges the first one in random folds, without and with a
memory of the vendors of the other folds, as corrections would have filled it. With `--out` the
first family, if it is the network, is trained on everything and written with its card.

Needs, for training only: torch (CPU), onnx, and lightgbm for the trees (the extra `training`).
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kie_training.documents import SYNTHETIC, Document, read_sets, synthetic_receipts
from kie_training.folds import grouped_folds, random_folds, vendor_groups
from kie_training.heads import FIELDS, Head, read_heads
from kie_training.scoring import figures, predict, score
from kie_training.vendors import Book, corrected_vendors, no_vendors

from lib.evaluation.evaluate import Prediction
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.receipts.head_network import MODEL, HeadNetwork, HeadReader

FOLDS = 5
SYNTHETIC_WEIGHT = 0.3  # of one synthetic receipt, where a real one weighs 1
Train = Callable[[Sequence[Head], Sequence[float], int], HeadReader]


@dataclass(frozen=True)
class Study:
    """What is trained on: real documents with their heads, and heads of synthetic ones."""

    documents: list[Document]
    heads: dict[str, Head]
    synthetic: list[Head]
    seed: int

    def reader(self, train: Train, kept: Sequence[Document]) -> HeadReader:
        """A reader trained on some of the real documents and all synthetic ones."""
        heads = [self.heads[d.id] for d in kept if d.id in self.heads] + self.synthetic
        weights = [SYNTHETIC_WEIGHT if h.document.source == SYNTHETIC else 1.0 for h in heads]
        return train(heads, weights, self.seed)

    def held_out(
        self, train: Train, fold: Sequence[int], books: Sequence[Book] = (no_vendors,)
    ) -> list[dict[str, Prediction]]:
        """Each document's answers by a reader that was not trained on its fold.

        Once for each of `books`: which vendors are known by the documents of the other folds.
        """
        found: list[dict[str, Prediction]] = [{} for _ in books]
        for number in range(FOLDS):
            kept = [d for d, own in zip(self.documents, fold, strict=True) if own != number]
            left = [d for d, own in zip(self.documents, fold, strict=True) if own == number]
            extractor = build_cpu_extractor(head=self.reader(train, kept))
            for answers, book in zip(found, books, strict=True):
                predictions = predict(left, extractor, book(kept))
                answers |= dict(zip((d.id for d in left), predictions, strict=True))
            print(f"  fold {number + 1} of {FOLDS}", flush=True)
        return found


def main() -> None:
    """Read, judge by folds, train on all, write."""
    arguments = _arguments()
    documents = read_sets(arguments.truth, arguments.cache)
    heads = {head.document.id: head for head in read_heads(documents)}
    synthetic = read_heads(synthetic_receipts(arguments.synthetic, arguments.seed))
    study = Study(documents, heads, synthetic, arguments.seed)
    rows = [f"| judged | set | {' | '.join(FIELDS)} | micro |", "|---|---|---|---|---|"]
    grouped = grouped_folds(documents, FOLDS, arguments.seed)
    families = [(name, _family(name)) for name in arguments.family]
    for name, train in families:
        print(f"{name}: unseen vendors", flush=True)
        (unseen,) = study.held_out(train, grouped)
        rows += _rows(f"{name}, unseen vendors", documents, unseen)
    name, train = families[0]
    if arguments.known:
        print(f"{name}: random folds", flush=True)
        fold = random_folds(documents, FOLDS, arguments.seed)
        without, remembering = study.held_out(train, fold, (no_vendors, corrected_vendors))
        known = _known(documents, fold)
        for answers, memory in ((without, ""), (remembering, ", vendor memory")):
            for title, wanted in (("known vendors", True), ("unseen vendors", False)):
                some = [d for d, seen in zip(documents, known, strict=True) if seen is wanted]
                rows += _rows(f"{name}{memory}, random folds, {title}", some, answers)
            rows += _rows(f"{name}{memory}, random folds, all", documents, answers)
    reader = study.reader(train, documents) if arguments.out else None
    if reader is not None:
        answers = predict(documents, build_cpu_extractor(head=reader))
        found = dict(zip((d.id for d in documents), answers, strict=True))
        rows += _rows(f"{name}, trained on them", documents, found)
    print("\n".join(rows))
    if isinstance(reader, HeadNetwork):
        _write(arguments.out, reader, study, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--truth", type=Path, action="append", required=True)
    parser.add_argument("--cache", type=Path, required=True, help="where read pages are kept")
    parser.add_argument("--synthetic", type=int, default=400, help="synthetic receipts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", choices=("network", "trees"), action="append")
    parser.add_argument("--known", action="store_true", help="judge random folds as well")
    parser.add_argument("--out", type=Path, help="folder of the model and its card")
    arguments = parser.parse_args()
    arguments.family = arguments.family or ["network"]
    return arguments


def _family(name: str) -> Train:
    if name == "trees":
        from kie_training import trees  # noqa: PLC0415 (lightgbm only when asked for)

        return trees.train
    from kie_training import network  # noqa: PLC0415 (torch only when asked for)

    return network.train_reader


def _known(documents: Sequence[Document], fold: Sequence[int]) -> list[bool]:
    """Whether another fold holds a document of the same vendor."""
    known = [False] * len(documents)
    for group in vendor_groups(documents):
        folds = Counter(fold[index] for index in group)
        for index in group:
            known[index] = len(folds) > 1
    return known


def _rows(title: str, documents: Sequence[Document], answers: dict[str, Prediction]) -> list[str]:
    """A line per set: exact / relaxed F1 of the head's fields and of all fields."""
    rows = []
    for source in sorted({document.source for document in documents}):
        own = [document for document in documents if document.source == source]
        evaluation = score(own, [answers[document.id] for document in own])
        rows.append(f"| {title} | {source} ({len(own)}) | {figures(evaluation, list(FIELDS))} |")
    return rows


def _write(out: Path, reader: HeadNetwork, study: Study, rows: Sequence[str]) -> None:
    """The model and its data card, which names the model's hash."""
    counts = Counter(document.source for document in study.documents)
    sets = ", ".join(f"{count} of {source}" for source, count in sorted(counts.items()))
    vendors = len(vendor_groups(study.documents))
    (out / MODEL).write_bytes(reader.model)
    card = CARD.format(
        model=MODEL,
        size=round(len(reader.model) / 1000),
        digest=hashlib.sha256(reader.model).hexdigest(),
        sets=sets,
        vendors=vendors,
        synthetic=len(study.synthetic),
        seed=study.seed,
        rows="\n".join(rows),
    )
    (out / MODEL).with_suffix(".md").write_text(card, "utf-8")
    print(f"{out / MODEL}: {len(reader.model)} bytes")


# Lines of Markdown are as long as they are.
# ruff: noqa: E501
CARD = """# Data card of {model}

Reads the vendor's name and address off the head of a receipt. {size} kB, ONNX, float32.

- **SHA-256**: `{digest}`
- **Trained on**: {sets} ({vendors} vendors), and {synthetic} receipts of `scripts/make_synthetic.py`, which weigh 0.3 each. Labels: the run of
  head pieces whose letters are closest to the labelled name or address. The sets are for research; none of their images or texts is in this repository.
- **Made by**: `scripts/train_kie.py`, seed {seed}. The weights depend on the version of torch in the last digits.
- **Limits**: receipts only, first page only. Addresses are labelled in one real set, of one country, and in synthetic receipts of 18 countries. Scripts other
  than Latin and Cyrillic are seen as unknown letters.

F1 exact / relaxed, end to end from the read pages, through the product's extractor and post-processing. "Unseen vendors": five folds that keep a vendor's documents
together. "Trained on them" flatters.

{rows}
"""

if __name__ == "__main__":
    main()
