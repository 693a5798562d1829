"""Fits how sure a served model's answers are, on labelled documents that it reads.

    python scripts/fit_model_confidence.py --truth SET/truth.jsonl --url http://gpu-1:8001 \\
        --model Qwen/Qwen2.5-VL-7B-Instruct --key KEY

Reads every document as the service does with this model, judges the values that it gave, and prints
how well the weights by judgement and the fitted ones say how likely each is right: the fitted ones
on vendors that they were not fitted on (folds that keep a vendor's documents together). What it
prints last goes into the model's card, `configs/models`. A few hundred answers are needed at least.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import yaml
from confidence_fitting.answers import verdicts_on
from confidence_fitting.logistic import Array, fitted, held_out, row, sure
from kie_training.documents import Document
from kie_training.folds import grouped_folds

from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import Reader, build_reader
from lib.domain.deadline import Deadline
from lib.domain.extraction import Hints, ModelWeights, Source
from lib.errors import Error
from lib.evaluation.confidence import Judgement, expected_calibration_error
from lib.evaluation.truth import TruthDocument, read_truth
from lib.kie.models.sight import Asking, Sight
from lib.loading.page_images import DocumentImages
from lib.ocr.pages import read_pages
from lib.post.confidence import model_features
from lib.post.finish import choose_values

FOLDS = 5
FEWEST = 200  # judged answers, or a weight says more of a few documents than of the model
SECONDS = 300  # for one document
RECEIVED_ON = date(2026, 11, 22)  # no document is dated later


@dataclass(frozen=True)
class Judged:
    """A document as it was read, its model's answers and whether each is right."""

    document: Document
    rows: list[list[float]]
    right: list[bool]


def main() -> None:
    """Read, fit, print."""
    options = _arguments()
    settings = load_settings(
        inference_backend="vllm",
        vllm_base_url=options.url,
        vllm_model=options.model,
        vllm_api_key=options.key or None,
        ocr_workers=options.jobs,
    )
    found: list[Judged] = []
    for path in options.truth:
        with closing(build_reader(settings)) as reader, ThreadPoolExecutor(options.jobs) as pool:
            truths = list(read_truth(path.read_text("utf-8").splitlines()))[: options.n]
            every = pool.map(lambda truth, at=path: judged(truth, at, reader), truths)
            found += [one for one in every if one is not None]
        print(f"{path.parent.name}: {len(truths)} documents")
    rows = np.array([each for one in found for each in one.rows])
    right = np.array([each for one in found for each in one.right], bool)
    if len(right) < FEWEST or right.all():
        sys.exit(f"{len(right)} judged answers, {int((~right).sum())} of them wrong: too few")
    fold_of = grouped_folds([one.document for one in found], FOLDS, seed=1)
    fold = [number for number, one in zip(fold_of, found, strict=True) for _ in one.rows]
    judgement = ModelWeights()
    print(f"{len(found)} documents read, {len(right)} judged answers, {right.mean():.3f} right\n")
    print("| weights | ECE | Brier |\n|---|---|---|")
    for name, scores in (
        ("by judgement", sure(judgement, rows)),
        ("fitted, unseen vendors", held_out(rows, right, fold, judgement)),
    ):
        print(f"| {name} | {_ece(scores, right):.3f} | {np.mean((scores - right) ** 2):.4f} |")
    sets = " and ".join(path.parent.name for path in options.truth)
    card = {"fitted_on": f"{len(right)} answers to {len(found)} documents of {sets}"}
    weights = asdict(fitted(rows, right, judgement))
    print("\n" + yaml.safe_dump({"confidence": card | weights}, sort_keys=False))


def judged(truth: TruthDocument, path: Path, reader: Reader) -> Judged | None:
    """The answers that the model gave and the truth judges; None for a document that failed."""
    stations, deadline = reader.stations, Deadline.after(SECONDS)
    if stations.model is None:
        return None
    try:
        with stations.loader.open((path.parent / truth.file).read_bytes(), deadline) as opened:
            pages = read_pages(opened, range(1, opened.page_count + 1), stations.ocr, deadline)
            sight = Sight(DocumentImages(opened, deadline), deadline, Asking())
            hints = Hints(received_on=RECEIVED_ON)
            model = stations.model.reader.looking_at(sight)
            raw = model.extract(pages, stations.tasks["auto"], hints)
    except Error as error:
        print(f"{truth.id}: {error.code}", file=sys.stderr)
        return None
    task = raw.task or stations.tasks["auto"]
    choice = choose_values(raw, task, pages, hints)
    document = Document(path.parent.name, truth, pages)
    verdicts = verdicts_on(document, choice, tuple(stations.tasks.values()))
    own = [
        answered
        for answered in choice.answered
        if answered.key in verdicts and answered.option.candidate.source is Source.MODEL
    ]
    rows = [row(model_features(answered)) for answered in own]
    return Judged(document, rows, [verdicts[answered.key][0] for answered in own])


def _ece(scores: Array, right: Sequence[bool] | np.ndarray) -> float:
    judgements = [Judgement(float(p), bool(r)) for p, r in zip(scores, right, strict=True)]
    return expected_calibration_error(judgements) or 0.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--truth", type=Path, action="append", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("-n", type=int, help="documents of each set; default all")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="documents at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
