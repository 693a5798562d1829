"""Runs an evaluation: documents of a truth file to a reader, then the comparison."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from apps.api_cpu.evals.reader import DocumentReader
from lib.domain.task import Task
from lib.errors import Error, Kind
from lib.evaluation.evaluate import Evaluation, Prediction, evaluate, field_types
from lib.evaluation.truth import TruthDocument, read_truth


@dataclass(frozen=True, slots=True)
class TruthSet:
    """A truth file: its documents, the folder their files are in, and its hash."""

    folder: Path
    documents: tuple[TruthDocument, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """What was asked, what was answered and how it compares.

    `vendors`: the same for documents of `known` and of `unseen` vendors, where the truth says.
    `unknown_fields` are judged, but no task has them: misspelt, or not read yet.
    """

    truth: TruthSet
    reader: str
    predictions: tuple[Prediction, ...]
    evaluation: Evaluation
    vendors: Mapping[str, Evaluation]
    unknown_fields: tuple[str, ...]


def load_truth(file: Path, tasks: Sequence[Task], limit: int | None = None) -> TruthSet:
    """The documents of a truth file, the first `limit` of them.

    Raises `validation_error` when the file cannot be read, has a bad line or no documents, or names
    a document that is not there: an evaluation of only a part would look like one of the whole.
    """
    try:
        data = file.read_bytes()
        documents = read_truth(data.decode("utf-8").splitlines(), field_types(tasks))[:limit]
    except OSError:
        raise _invalid("the truth file cannot be read") from None
    except UnicodeDecodeError:
        raise _invalid("the truth file is not UTF-8") from None
    if not documents:
        raise _invalid("the truth file has no documents")
    missing = [document.id for document in documents if not (file.parent / document.file).is_file()]
    if missing:
        raise _invalid(f"{len(missing)} documents are not there, the first is {missing[0]!r}")
    return TruthSet(file.parent, documents, hashlib.sha256(data).hexdigest())


def run_evaluation(
    truth: TruthSet,
    reader: DocumentReader,
    tasks: Sequence[Task],
    jobs: int = 1,
    on_document: Callable[[Prediction], None] = lambda prediction: None,
) -> EvaluationRun:
    """Read every document, `jobs` at a time, and compare.

    Times are per document as its reader measures them: with more than one job they hold waiting.
    Raises what the reader raises, without asking it about further documents.
    """

    gave_up = threading.Event()

    def read(document: TruthDocument) -> Prediction:
        path = truth.folder / document.file
        if gave_up.is_set():
            return Prediction(document.id, error="canceled")
        try:
            prediction = reader.read(document.id, path.name, path.read_bytes())
        except Error:
            gave_up.set()
            raise
        on_document(prediction)
        return prediction

    with ThreadPoolExecutor(jobs) as pool:
        predictions = tuple(pool.map(read, truth.documents))
    return judge(truth, reader.name, predictions, tasks)


def judge(
    truth: TruthSet, reader: str, predictions: tuple[Prediction, ...], tasks: Sequence[Task]
) -> EvaluationRun:
    """Compare predictions, one per document of the truth and in its order."""
    known = field_types(tasks)
    judged = dict.fromkeys(name for document in truth.documents for name in document.fields)
    return EvaluationRun(
        truth=truth,
        reader=reader,
        predictions=predictions,
        evaluation=evaluate(truth.documents, predictions, tasks),
        vendors=_by_vendor(truth, predictions, tasks),
        unknown_fields=tuple(name for name in judged if name not in known),
    )


def _by_vendor(
    truth: TruthSet, predictions: Sequence[Prediction], tasks: Sequence[Task]
) -> dict[str, Evaluation]:
    groups: dict[str, Evaluation] = {}
    for name, known in (("known", True), ("unseen", False)):
        documents = [d for d in truth.documents if d.vendor_known is known]
        if documents:
            groups[name] = evaluate(documents, predictions, tasks)
    return groups


def _invalid(message: str) -> Error:
    return Error("validation_error", Kind.UNPROCESSABLE, f"Cannot evaluate: {message}.")
