"""Fits the weight tables of the receipt finder on labelled receipts and prints them.

    python scripts/fit_receipt_weights.py FIELD --truth SET/truth.jsonl [--truth OTHER/truth.jsonl]

FIELD is vendor_name, vendor_address or total. A truth file has a line per document with `file` and
`fields`. Every set weighs the same. Prints how often the first candidate is right in five folds
that keep a vendor's documents together, then the table fitted on all, to be copied by hand.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from scipy.optimize import minimize

from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import Reader, build_reader
from lib.domain.deadline import Deadline
from lib.domain.document import Page
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions
from lib.kie.ranking import shares, weigh
from lib.kie.receipts.amounts import labelled_amounts
from lib.kie.receipts.header import NAME_WEIGHTS, NO_NAME, HeaderEvidence, Run
from lib.kie.receipts.total import TotalEvidence
from lib.ocr.pages import read_pages

FOLDS = 5
PENALTY = {"vendor_name": 0.03, "vendor_address": 0.03, "total": 0.06}
# Of a name as labelled the closest run counts as right if no more than this share differs (OCR).
LARGEST_MISREADING = 0.3
# Not fitted: shown too rarely by the sets, or labelled by them either way.
BY_HAND = {
    "total": {
        "after rounding": 2.0,
        "before rounding": -1.5,
        "label total above": 1.5,
        "label count": -1.0,
        "several total labels": 0.0,
    }
}
Candidate = tuple[Mapping[str, float], bool]


@dataclass(frozen=True)
class Example:
    """One document: its vendor, its set, its candidates' features and which are right."""

    vendor: str
    source: str
    candidates: Sequence[Candidate]


def main() -> None:
    """Read the documents, check by folds, fit on all, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("field", choices=sorted(PENALTY))
    parser.add_argument("--truth", type=Path, action="append", required=True)
    arguments = parser.parse_args()
    reader = build_reader(load_settings())
    try:
        examples = [
            example
            for path in arguments.truth
            for example in read_examples(path, arguments.field, reader)
        ]
    finally:
        reader.close()
    check(examples, arguments.field)
    weights, none = fit(examples, arguments.field)
    for name, weight in sorted(weights.items(), key=lambda item: -item[1]):
        if abs(weight) >= 0.1:
            print(f'    "{name}": {weight:.1f},')
    print(f"none: {none:.1f}")


def read_examples(path: Path, field: str, reader: Reader) -> Iterator[Example]:
    """The set's documents whose field is labelled and was read at all."""
    make = {"vendor_name": name_candidates, "vendor_address": address_candidates}
    for line in path.read_text(encoding="utf-8").splitlines():
        truth = json.loads(line)
        wanted = truth["fields"].get(field)
        if not wanted:
            continue
        deadline = Deadline.after(120)
        with reader.stations.loader.open((path.parent / truth["file"]).read_bytes(), deadline) as d:
            numbers = range(1, d.page_count + 1)
            pages = read_pages(d, numbers, reader.stations.ocr, deadline)
        candidates = make.get(field, total_candidates)(mentions_of(pages), wanted)
        if any(right for _, right in candidates):
            vendor = letters(re.sub(r"\(.*?\)", "", truth["fields"].get("vendor_name") or line))
            yield Example(vendor, str(path), candidates)


def mentions_of(pages: Sequence[Page]) -> Mentions:
    """The mentions as the extractor sees them."""
    return Mentions(lay_out(pages), load_lexicon())


def name_candidates(mentions: Mentions, wanted: str) -> list[Candidate]:
    """Runs of lines as the vendor's name; right is the closest to the label."""
    evidence = HeaderEvidence(mentions)
    return runs(evidence, evidence.name_runs(), evidence.name_features, wanted)


def address_candidates(mentions: Mentions, wanted: str) -> list[Candidate]:
    """Runs of lines as the address, behind the name that the present weights choose."""
    evidence = HeaderEvidence(mentions)
    names = evidence.name_runs()
    believed = shares([weigh(evidence.name_features(run), NAME_WEIGHTS) for run in names], NO_NAME)
    best = names[int(np.argmax(believed))] if names else None
    return runs(
        evidence,
        evidence.address_runs(),
        lambda run: evidence.address_features(run, best),
        wanted,
    )


def runs(
    evidence: HeaderEvidence,
    found: Sequence[Run],
    features: Callable[[Run], Mapping[str, float]],
    wanted: str,
) -> list[Candidate]:
    """Features of runs, the one that reads most like the label marked as right."""
    label = letters(wanted)
    distances = [Levenshtein.distance(letters(evidence.text(run)), label) for run in found]
    closest = min(distances, default=0)
    right = distances.index(closest) if distances else -1
    if closest > LARGEST_MISREADING * len(label) + 1:
        right = -1
    return [(features(run), index == right) for index, run in enumerate(found)]


def total_candidates(mentions: Mentions, wanted: str) -> list[Candidate]:
    """All amounts; right are those of the labelled value."""
    amounts = labelled_amounts(mentions)
    evidence = TotalEvidence(mentions, amounts)
    return [(evidence.features(a), a.mention.value == Decimal(wanted)) for a in amounts]


def letters(text: str) -> str:
    """Letters and digits in capitals."""
    return re.sub(r"[\W_]", "", text.upper())


def check(examples: Sequence[Example], field: str) -> None:
    """Print per set how often the best candidate is right when its vendor was held out."""
    by_vendor: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_vendor[example.vendor].append(example)
    folds: list[list[Example]] = [[] for _ in range(FOLDS)]
    for group in sorted(by_vendor.values(), key=len, reverse=True):
        min(folds, key=len).extend(group)
    right: dict[str, list[bool]] = defaultdict(list)
    for held_out in folds:
        kept = [e for fold in folds if fold is not held_out for e in fold]
        weights, _ = fit(kept, field)
        for example in held_out:
            best = max(example.candidates, key=lambda c: weigh(c[0], weights))
            right[example.source].append(best[1])
    for source, hits in right.items():
        print(f"{source}: {sum(hits)} of {len(hits)} right ({sum(hits) / len(hits):.3f})")


def fit(examples: Sequence[Example], field: str) -> tuple[dict[str, float], float]:
    """Weights of the conditional logit, and the score of "none of them"."""
    names = sorted({name for e in examples for features, _ in e.candidates for name in features})
    fixed = {names.index(n): v for n, v in BY_HAND.get(field, {}).items() if n in names}
    rows, right, starts, document_weights = _matrix(examples, names)
    document = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
    penalty = PENALTY[field] * len(examples) / 100

    def log_sum(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        top = np.maximum.reduceat(scores, starts)
        return top + np.log(np.add.reduceat(np.exp(scores - top[document]), starts))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = _with_fixed(weights, fixed)
        scores = rows @ weights
        among_right = np.where(right, scores, -1e9)
        whole, part = log_sum(scores), log_sum(among_right)
        pull = np.exp(scores - whole[document]) - np.exp(among_right - part[document])
        gradient = rows.T @ (document_weights[document] * pull) + 2 * penalty * weights
        gradient[list(fixed)] = 0
        value = (document_weights * (whole - part)).sum() + penalty * weights @ weights
        return float(value), gradient

    start = _with_fixed(np.zeros(len(names) + 1), fixed)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return dict(zip(names, found[:-1].tolist(), strict=True)), float(found[-1])


def _with_fixed(weights: NDArray[np.float64], fixed: Mapping[int, float]) -> NDArray[np.float64]:
    held = weights.copy()
    for index, value in fixed.items():
        held[index] = value
    return held


def _matrix(
    examples: Sequence[Example], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int_], NDArray[np.float64]]:
    """A row per candidate and one for "none" per document; where documents start; their weights."""
    column = {name: index for index, name in enumerate(names)}
    sizes: dict[str, int] = defaultdict(int)
    for example in examples:
        sizes[example.source] += 1
    rows: list[NDArray[np.float64]] = []
    right: list[bool] = []
    starts: list[int] = []
    weights: list[float] = []
    for example in examples:
        starts.append(len(rows))
        weights.append(max(sizes.values()) / sizes[example.source])
        for features, is_right in [*example.candidates, ({}, False)]:
            row = np.zeros(len(names) + 1)
            for name, value in features.items():
                row[column[name]] = value
            rows.append(row)
            right.append(is_right)
        rows[-1][-1] = 1.0
    return np.array(rows), np.array(right), np.array(starts), np.array(weights)


if __name__ == "__main__":
    main()
