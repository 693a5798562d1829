"""End-to-end figures of trained readers: extractor and post-processing, then lib/evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from apps.api_cpu.settings import CONFIGS
from kie_training.documents import Document
from lib.domain.extraction import Hints
from lib.domain.vendors import VendorBook
from lib.evaluation.evaluate import Evaluation, Prediction, evaluate
from lib.kie.extractor import Extractor
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

TASK = "receipt_fields_v1"
_NO_VENDORS = VendorBook()
RECEIVED_ON = date(2027, 1, 1)  # after all documents


def predict(
    documents: Iterable[Document], extractor: Extractor, vendors: VendorBook = _NO_VENDORS
) -> list[Prediction]:
    """The answers for documents, from their pages to the values of the receipt task."""
    task = load_tasks(CONFIGS / "tasks")[TASK]
    hints = Hints(received_on=RECEIVED_ON, vendors=vendors)
    found = []
    for document in documents:
        raw = extractor.extract(document.pages, task, hints)
        chosen = raw.task or task
        reading = finish(raw, chosen, document.pages, hints)
        confidences = {name: field.confidence for name, field in reading.fields.items()}
        found.append(Prediction(document.truth.id, raw.document_type, reading.result, confidences))
    return found


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Evaluation:
    """Documents of one set against their answers."""
    tasks = load_tasks(CONFIGS / "tasks")
    return evaluate([document.truth for document in documents], predictions, [tasks[TASK]])


def figures(evaluation: Evaluation, names: Sequence[str]) -> str:
    """Exact / relaxed F1 of some fields and of all, as cells of a table."""
    scores = [evaluation.fields.get(name) for name in names]
    cells = [
        f"{s.exact.f1 or 0:.3f} / {s.relaxed.f1 or 0:.3f}" if s else ""
        for s in (*scores, evaluation.micro)
    ]
    return " | ".join(cells)
