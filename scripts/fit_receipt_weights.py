"""Fits the weights of a receipt's total on labelled receipts and prints them.

    python scripts/fit_receipt_weights.py --cache DIR
        --truth SET/truth.jsonl [--truth OTHER/truth.jsonl]

A truth file has a line per document with `file` and `fields`; pages are read once and kept below
`--cache`. Every set weighs the same. Each receipt is shown a second time, cut above its first sum:
there "no total" is right. Prints how many are answered and right in five folds that keep a vendor's
documents together, then the table fitted on all, to be copied by hand. "none" was copied 0.5 lower.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
from kie_training.documents import Document, read_sets
from kie_training.folds import grouped_folds
from numpy.typing import NDArray
from scipy.optimize import minimize

from lib.domain.document import Page
from lib.kie.cpu_extractor import read_mentions
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions
from lib.kie.ranking import weigh
from lib.kie.receipts.amounts import Role, labelled_amounts
from lib.kie.receipts.ladder import find_ladders
from lib.kie.receipts.total import TotalEvidence

FOLDS = 5
PENALTY = 0.06
# Not fitted: shown too rarely by the sets, or labelled by them either way.
CUT_WEIGHT = 0.15  # of a cut receipt, beside a whole one
CUT = " (cut)"
HEAD_ROWS = 5  # in which "total" is part of a name
LEAST_PRICES = 2  # above the cut; with fewer there is nothing to take for a total
SUMS = frozenset(Role) - {Role.COUNT, Role.POINTS, Role.DISCOUNT, Role.SUMMARY}
BY_HAND = {
    "after tax or discount": 2.0,
    "before tax or discount": -1.0,
    "after rounding": 2.0,
    "before rounding": -1.5,
    "label total above": 1.5,
    "label count": -1.0,
    "several total labels": 0.0,
}
Candidate = tuple[Mapping[str, float], bool]


@dataclass(frozen=True)
class Example:
    """One document, whole or cut: its candidates' features and which are right."""

    document: Document
    candidates: Sequence[Candidate]

    @property
    def is_cut(self) -> bool:
        """Whether none of the amounts is the total."""
        return not any(right for _, right in self.candidates)

    @property
    def source(self) -> str:
        """The set, whole and cut receipts apart."""
        return self.document.source + (CUT if self.is_cut else "")


def main() -> None:
    """Read the documents, check by folds, fit on all, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--truth", type=Path, action="append", required=True)
    parser.add_argument("--cache", type=Path, required=True, help="where read pages are kept")
    arguments = parser.parse_args()
    examples = read_examples(read_sets(arguments.truth, arguments.cache))
    check(examples)
    weights, none = fit(examples)
    for name, weight in sorted(weights.items(), key=lambda item: -item[1]):
        if abs(weight) >= 0.1:
            print(f'    "{name}": {weight:.1f},')
    print(f"none: {none:.1f}")


def read_examples(documents: Sequence[Document]) -> list[Example]:
    """The documents whose total is labelled and was read at all, and the same ones cut."""
    lexicon = load_lexicon()
    found = []
    for document in documents:
        wanted = document.truth.fields.get("total")
        if wanted is None:
            continue
        mentions = read_mentions(document.pages, lexicon)
        candidates = total_candidates(mentions, Decimal(wanted))
        if any(right for _, right in candidates):
            found.append(Example(document, candidates))
        if page := cut_above_sums(mentions, Decimal(wanted)):
            rest = total_candidates(read_mentions((page,), lexicon), None)
            found += [Example(document, rest)] if rest else []
    return found


def total_candidates(mentions: Mentions, wanted: Decimal | None) -> list[Candidate]:
    """The amounts that the finder weighs; right are those of the labelled value."""
    amounts = labelled_amounts(mentions)
    evidence = TotalEvidence(mentions, amounts, find_ladders(mentions, amounts))
    rivals = [a for a in amounts if a.mention.is_money or a.head is not None]
    return [(evidence.features(a), a.mention.value == wanted) for a in rivals]


def cut_above_sums(mentions: Mentions, total: Decimal) -> Page | None:
    """A one-page receipt without what begins at its first sum: a label of one, or the total."""
    pages = mentions.layout.pages
    if len(pages) != 1:
        return None
    amounts = labelled_amounts(mentions)
    sums = [
        a.row.index
        for a in amounts
        if a.mention.is_money and (a.head in SUMS or abs(a.mention.value) == abs(total))
    ]
    sums += [
        row.index
        for row in mentions.layout.rows[HEAD_ROWS:]
        if any(la.match.fields & {"total", "subtotal"} for la in mentions.row_labels(row))
    ]
    cut = min(sums, default=0)
    if sum(a.row.index < cut and a.mention.is_exact for a in amounts) < LEAST_PRICES:
        return None
    kept = {id(cell.line) for row in mentions.layout.rows[:cut] for cell in row.cells}
    page = pages[0].page
    return replace(page, lines=tuple(line for line in page.lines if id(line) in kept))


def check(examples: Sequence[Example]) -> None:
    """Print per set how many are answered, and right, when their vendor was held out."""
    fold = grouped_folds([example.document for example in examples], FOLDS, seed=0)
    answered: dict[str, list[bool]] = defaultdict(list)
    right: dict[str, list[bool]] = defaultdict(list)
    for number in range(FOLDS):
        weights, none = fit([e for e, own in zip(examples, fold, strict=True) if own != number])
        for example in (e for e, own in zip(examples, fold, strict=True) if own == number):
            features, is_right = max(example.candidates, key=lambda c: weigh(c[0], weights))
            answered[example.source].append(weigh(features, weights) >= none)
            right[example.source].append(is_right and answered[example.source][-1])
    for source, hits in answered.items():
        print(f"{source}: {sum(hits)} of {len(hits)} answered, {sum(right[source])} right")


def fit(examples: Sequence[Example]) -> tuple[dict[str, float], float]:
    """Weights of the conditional logit, and the score of "none of them"."""
    names = sorted({name for e in examples for features, _ in e.candidates for name in features})
    fixed = {names.index(n): v for n, v in BY_HAND.items() if n in names}
    rows, right, starts, document_weights = _matrix(examples, names)
    document = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
    penalty = PENALTY * len(examples) / 100

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
        weight = max(sizes.values()) / sizes[example.source]
        weights.append(weight * CUT_WEIGHT if example.is_cut else weight)
        for features, is_right in [*example.candidates, ({}, example.is_cut)]:
            row = np.zeros(len(names) + 1)
            for name, value in features.items():
                row[column[name]] = value
            rows.append(row)
            right.append(is_right)
        rows[-1][-1] = 1.0
    return np.array(rows), np.array(right), np.array(starts), np.array(weights)


if __name__ == "__main__":
    main()
