"""Fits how sure an answer is, and from which confidence on answers err at most at a rate.

    python scripts/fit_confidence.py --truth SET/truth.jsonl [--truth OTHER/truth.jsonl ...]
        --cache DIR [--synthetic DIR/truth.jsonl ...] [--month-first SET] [--heads N] [--write]

Reads every document as the service does and judges every answer. Families of models are compared on
answers to vendors that they were not fitted on (folds that keep a vendor's documents together);
the trees are fitted on everything and, with `--write`, replace lib/post/confidence.json, with the
thresholds of held-out answers in lib/post/error_rates.json. A set is named by its folder. With
`--heads` the network that reads receipts' heads is trained for each fold without its documents, on
N synthetic receipts besides, and kept in the cache: else documents that the shipped one was trained
on look surer than strangers' would. Seeded. Needs the extra `training`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from confidence_fitting.answers import Answers, Booking, collect
from confidence_fitting.models import FAMILIES, fit_trees, held_out, isotonic_per_field
from confidence_fitting.thresholds import ASSURANCE, RATES, accepted, thresholds_of_both
from kie_training.documents import Document, read_sets
from kie_training.folds import grouped_folds
from numpy.typing import NDArray

from lib.domain.extraction import Hints
from lib.domain.task import DocumentType
from lib.evaluation.confidence import (
    Judgement,
    coverage_at,
    expected_calibration_error,
    reliability,
)
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.extractor import Extractor
from lib.pipelines.tasks import load_tasks
from lib.post import confidence, error_rates

ROOT = Path(__file__).parents[1]
FOLDS = 3  # of each the head network is trained anew, which takes most of the time
SYNTHETIC_WEIGHT = 0.3  # of an answer on a drawn document, where a real one weighs 1
CELL_WEIGHT = 0.2  # a table's cells are many and stand or fall together
RECEIVED_ON = date(2026, 11, 21)  # no document is dated later
SHOWN_RATES = (0.01, 0.02, 0.05, 0.1)
Array = NDArray[np.float64]


def main() -> None:
    arguments = _arguments()
    documents = read_sets([*arguments.truth, *arguments.synthetic], arguments.cache)
    synthetic = {path.parent.name for path in arguments.synthetic}
    fold_of = grouped_folds(documents, FOLDS, arguments.seed)
    answers, bookings = collect(
        documents,
        _extractors(documents, fold_of, arguments),
        load_tasks(ROOT / "configs" / "tasks"),
        Hints(received_on=RECEIVED_ON),
        arguments.month_first,
    )
    sets = np.array([document.source for document in documents])
    fold = np.array(fold_of)[answers.document]
    drawn = np.isin(sets[answers.document], list(synthetic))
    weights = np.where(drawn, SYNTHETIC_WEIGHT, 1.0) * np.where(answers.in_table, CELL_WEIGHT, 1.0)
    print(f"{len(documents)} documents, {len(answers.right)} judged answers")
    found = {
        name: held_out(family, answers, weights, fold, arguments.seed)
        for name, family in FAMILIES.items()
    }
    found["trees, isotonic per field"] = isotonic_per_field(answers, weights, fold, found["trees"])
    for name, scores in found.items():
        print(f"\n## {name}, unseen vendors\n")
        print_calibration(answers, sets[answers.document], scores)
    scores = np.round(found["trees"], 4)
    print_reliability(answers, sets[answers.document], scores)
    print_rates(answers, bookings, sets, scores, np.array(fold_of), synthetic)
    if arguments.write:
        trees = fit_trees(answers, weights, arguments.seed)
        write(confidence.FILE, trees.as_data())
        write(
            error_rates.FILE,
            rates_table(answers, bookings, scores, ~np.isin(sets, list(synthetic))),
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--truth", type=Path, action="append", required=True)
    parser.add_argument("--synthetic", type=Path, action="append", default=[])
    parser.add_argument("--cache", type=Path, required=True, help="where read pages are kept")
    parser.add_argument("--month-first", action="append", default=[], metavar="SET")
    parser.add_argument("--heads", type=int, help="synthetic receipts to train heads by fold on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="replace the shipped files")
    return parser.parse_args()


def _extractors(
    documents: Sequence[Document], fold_of: Sequence[int], arguments: argparse.Namespace
) -> Callable[[int], Extractor]:
    """The extractor for each document: that of its fold with `--heads`, else the shipped one."""
    if arguments.heads is None:
        shipped = build_cpu_extractor()
        return lambda index: shipped
    from confidence_fitting.heads import head_of_fold  # noqa: PLC0415 (torch only with --heads)

    drawn = {path.parent.name for path in arguments.synthetic}
    labelled = [d.truth.document_type is DocumentType.RECEIPT for d in documents]
    by_fold = []
    for number in range(FOLDS):
        kept = [
            document
            for document, fold, is_receipt in zip(documents, fold_of, labelled, strict=True)
            if fold != number and is_receipt and document.source not in drawn
        ]
        head = head_of_fold(kept, arguments.heads, arguments.seed, arguments.cache)
        by_fold.append(build_cpu_extractor(head=head))
        print(f"head of fold {number + 1} of {FOLDS}", flush=True)
    return lambda index: by_fold[fold_of[index]]


def _judgements(scores: Array, right: NDArray[np.bool_]) -> list[Judgement]:
    return [Judgement(float(p), bool(r)) for p, r in zip(scores, right, strict=True)]


def print_calibration(answers: Answers, sets: NDArray[np.str_], scores: Array) -> None:
    """A line per set (header fields), all header fields, and all cells."""
    print("| answers | n | right | ECE | ECE if perfect | at 0.9: share | right | Brier |")
    print("|---|---|---|---|---|---|---|---|")
    header = ~answers.in_table
    parts = {name: header & (sets == name) for name in sorted(set(sets.tolist()))}
    parts |= {"all header fields": header, "all cells": answers.in_table}
    for name, own in parts.items():
        if not own.any():
            continue
        judged = _judgements(scores[own], answers.right[own])
        at = coverage_at(judged, 0.9)
        brier = float(np.mean((scores[own] - answers.right[own]) ** 2))
        print(
            f"| {name} | {own.sum()} | {answers.right[own].mean():.3f} | "
            f"{expected_calibration_error(judged):.3f} | {_noise(scores[own]):.3f} | "
            f"{at.coverage:.3f} | {at.precision or 0:.3f} | {brier:.4f} |"
        )


def _noise(scores: Array) -> float:
    """The mean calibration error of answers that are right exactly as often as stated."""
    generator = np.random.default_rng(0)
    drawn = (generator.random((30, len(scores))) < scores).astype(bool)
    return float(
        np.mean([expected_calibration_error(_judgements(scores, one)) or 0.0 for one in drawn])
    )


def print_reliability(answers: Answers, sets: NDArray[np.str_], scores: Array) -> None:
    print("\n## Reliability of the trees, header fields\n")
    print("| set | bin | n | mean confidence | right |\n|---|---|---|---|---|")
    for name in sorted(set(sets.tolist())):
        own = ~answers.in_table & (sets == name)
        for group in reliability(_judgements(scores[own], answers.right[own])):
            print(
                f"| {name} | {group.low:.1f} to {group.high:.1f} | {group.count} | "
                f"{group.mean_confidence:.3f} | {group.accuracy:.3f} |"
            )


def rates_table(
    answers: Answers, bookings: Sequence[Booking], scores: Array, real: NDArray[np.bool_]
) -> dict[str, object]:
    """The content of error_rates.json."""
    own = np.ones(len(bookings), bool)
    return {
        "assurance": ASSURANCE,
        "rates": list(RATES),
        "fields": field_thresholds(answers, scores, np.ones(len(scores), bool), real),
        "documents": document_thresholds(answers, bookings, scores, own, real),
    }


def field_thresholds(
    answers: Answers, scores: Array, wanted: NDArray[np.bool_], real: NDArray[np.bool_]
) -> dict[str, list[float | None]]:
    """By `field/source` the thresholds that the wanted answers give; without those of no rate."""
    names = np.char.add(np.char.add(answers.field, "/"), answers.source)
    wanted = wanted & ~answers.in_table
    found = {}
    for name in sorted(set(names[wanted].tolist())):
        own = wanted & (names == name)
        least = thresholds_of_both(scores[own], answers.right[own], real[answers.document[own]])
        if any(threshold is not None for threshold in least):
            found[name] = least
    return found


def document_thresholds(
    answers: Answers,
    bookings: Sequence[Booking],
    scores: Array,
    wanted: NDArray[np.bool_],
    real: NDArray[np.bool_],
) -> dict[str, list[float | None]]:
    """By document type the thresholds of the least sure key field."""
    found = {}
    for kind in sorted({booking.document_type for booking in bookings}):
        own = [b for b, is_wanted in zip(bookings, wanted, strict=True) if is_wanted]
        least, right, documents = _booked(answers, own, scores, kind)
        found[kind] = thresholds_of_both(least, right, real[documents])
    return found


def _booked(
    answers: Answers, bookings: Sequence[Booking], scores: Array, kind: str
) -> tuple[Array, NDArray[np.bool_], NDArray[np.int_]]:
    """The least sure key field of each document that nothing else asks to look at, whether all of
    its judged key fields are right, and which document it is."""
    rows = [
        list(b.rows.values())
        for b in bookings
        if b.document_type == kind and not b.asked and b.rows
    ]
    least = np.array([scores[own].min() for own in rows])
    right = np.array([bool(answers.right[own].all()) for own in rows], bool)
    return least, right, np.array([answers.document[own[0]] for own in rows], int)


def print_rates(
    answers: Answers,
    bookings: Sequence[Booking],
    sets: NDArray[np.str_],
    scores: Array,
    fold: NDArray[np.int_],
    synthetic: set[str],
) -> None:
    """What is accepted, and how much of it is wrong, when thresholds come from other documents."""
    print("\n## max_error_rate: thresholds of the other folds, then of real on drawn\n")
    print("| judged on | what | rate | of | accepted | wrong |\n|---|---|---|---|---|---|")
    real = ~np.isin(sets, list(synthetic))
    splits = [(fold != number, fold == number) for number in range(FOLDS)]
    for title, own in (("held-out folds, real", real), ("held-out folds, drawn", ~real)):
        pairs = [(kept, left & own) for kept, left in splits]
        _print_rates(title, answers, bookings, scores, pairs, real)
    _print_rates("real only, on drawn", answers, bookings, scores, [(real, ~real)], real)


def _print_rates(
    title: str,
    answers: Answers,
    bookings: Sequence[Booking],
    scores: Array,
    splits: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    real: NDArray[np.bool_],
) -> None:
    tables = [
        (
            field_thresholds(answers, scores, kept[answers.document], real),
            document_thresholds(answers, bookings, scores, kept, real),
            left,
        )
        for kept, left in splits
    ]
    names = np.char.add(np.char.add(answers.field, "/"), answers.source)
    for rate in SHOWN_RATES:
        counts = np.zeros(3, int)
        for fields, _, left in tables:
            own = left[answers.document] & ~answers.in_table
            for name in set(names[own].tolist()):
                rows = own & (names == name)
                taken = accepted(scores[rows], fields.get(name, [None] * len(RATES)), rate)
                counts += rows.sum(), taken.sum(), (taken & ~answers.right[rows]).sum()
        _print_line(title, "header fields", rate, counts)
        for kind in sorted({booking.document_type for booking in bookings}):
            counts = np.zeros(3, int)
            for _, documents, left in tables:
                own = [b for b, is_left in zip(bookings, left, strict=True) if is_left]
                least, right, _ = _booked(answers, own, scores, kind)
                taken = accepted(least, documents.get(kind, [None] * len(RATES)), rate)
                every = sum(b.document_type == kind for b in own)
                counts += every, taken.sum(), (taken & ~right).sum()
            _print_line(title, f"documents: {kind}", rate, counts)


def _print_line(title: str, what: str, rate: float, counts: NDArray[np.int_]) -> None:
    every, taken, wrong = counts.tolist()
    share = f"{wrong} ({wrong / taken:.4f})" if taken else "-"
    print(f"| {title} | {what} | {rate} | {every} | {taken} | {share} |")


def write(name: str, content: dict[str, object]) -> None:
    """Replace a shipped file; a node or a threshold list a line, so that changes can be seen."""
    path = ROOT / "lib" / "post" / name
    text = json.dumps(content)
    path.write_text(text.replace("], [", "],\n[") + "\n", "utf-8")
    print(f"written {path}")


if __name__ == "__main__":
    main()
