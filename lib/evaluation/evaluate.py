"""Predictions against ground truth: one evaluation over a set of documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from lib.domain.task import DocumentType, FieldType, Task
from lib.evaluation.compare import Agreement, agree
from lib.evaluation.confidence import Judgement
from lib.evaluation.line_items import LineItemScore, score_line_items
from lib.evaluation.tally import Score, Tally
from lib.evaluation.truth import TruthDocument


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was answered for one document. A document that failed has an `error` and no result.

    `confidences` maps field names to 0..1. `milliseconds` is the time for the whole document.
    """

    document_id: str
    document_type: DocumentType | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    confidences: Mapping[str, float] = field(default_factory=dict)
    page_count: int = 0
    milliseconds: float | None = None
    error: str | None = None

    @property
    def milliseconds_per_page(self) -> float | None:
        """Time per page; a document without pages (bare XML) counts as one."""
        return None if self.milliseconds is None else self.milliseconds / max(1, self.page_count)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A field where truth and answer do not agree exactly; `relaxed` when they do so relaxed.

    For `line_items` both are all rows of the document.
    """

    document_id: str
    field: str
    truth: Any
    answer: Any
    relaxed: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured. `fields` and `micro` are header fields only; line items stand apart.

    `answers_exact` and `answers_relaxed` hold one judgement per answered, judged header field that
    states a confidence. `document_type` is right in `correct` of `judged` documents.
    """

    documents: int
    failed: int
    fields: Mapping[str, Score]
    micro: Score
    line_items: LineItemScore | None
    document_type: Tally
    answers_exact: tuple[Judgement, ...]
    answers_relaxed: tuple[Judgement, ...]
    milliseconds_per_page: float | None
    milliseconds_per_document: float | None
    mistakes: tuple[Mistake, ...]


def field_types(tasks: Iterable[Task]) -> dict[str, FieldType]:
    """The type of each header field over all tasks; the first task that has a name decides."""
    types: dict[str, FieldType] = {}
    for task in tasks:
        for spec in task.fields:
            types.setdefault(spec.name, spec.type)
    return types


def line_item_types(tasks: Iterable[Task]) -> dict[str, FieldType]:
    """The type of each column of `line_items` over all tasks; the first that has a name decides."""
    types: dict[str, FieldType] = {}
    for task in tasks:
        table = task.field("line_items")
        for column in table.columns if table else ():
            types.setdefault(column.name, column.type)
    return types


def evaluate(
    truths: Sequence[TruthDocument], predictions: Sequence[Prediction], tasks: Sequence[Task]
) -> Evaluation:
    """Compare each document's prediction with its truth.

    A truth without a prediction counts as one that failed. The tasks give the fields' types, hence
    the rules of comparison; a field that no task has is compared as text.
    """
    by_id = {prediction.document_id: prediction for prediction in predictions}
    pairs = [
        (truth, by_id.get(truth.id, Prediction(truth.id, error="missing"))) for truth in truths
    ]
    counter = _FieldCounter(field_types(tasks))
    columns = line_item_types(tasks)
    line_items: LineItemScore | None = None
    for truth, prediction in pairs:
        counter.count(truth, prediction)
        if truth.line_items is not None:
            rows = prediction.result.get("line_items") or ()
            scored = score_line_items(truth.line_items, rows, columns)
            line_items = scored if line_items is None else line_items + scored
            counter.mistakes.extend(_row_mistakes(truth, rows, scored.rows))
    timed = [prediction for _, prediction in pairs if prediction.milliseconds is not None]
    timed = [prediction for prediction in timed if prediction.error is None]
    per_page = [prediction.milliseconds_per_page or 0.0 for prediction in timed]
    per_document = [prediction.milliseconds or 0.0 for prediction in timed]
    return Evaluation(
        documents=len(pairs),
        failed=sum(prediction.error is not None for _, prediction in pairs),
        fields=counter.scores,
        micro=sum(counter.scores.values(), Score()),
        line_items=line_items,
        document_type=sum((_score_type(*pair) for pair in pairs), Tally()),
        answers_exact=tuple(counter.answers_exact),
        answers_relaxed=tuple(counter.answers_relaxed),
        milliseconds_per_page=median(per_page) if per_page else None,
        milliseconds_per_document=median(per_document) if per_document else None,
        mistakes=tuple(counter.mistakes),
    )


@dataclass(slots=True)
class _FieldCounter:
    types: Mapping[str, FieldType]
    scores: dict[str, Score] = field(default_factory=dict)
    answers_exact: list[Judgement] = field(default_factory=list)
    answers_relaxed: list[Judgement] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def count(self, truth: TruthDocument, prediction: Prediction) -> None:
        for name, wanted in truth.fields.items():
            got = prediction.result.get(name)
            agreement = agree(wanted, got, self.types.get(name, FieldType.STRING))
            self.scores[name] = self.scores.get(name, Score()) + _score(wanted, got, agreement)
            confidence = prediction.confidences.get(name)
            if got is not None and confidence is not None:
                self.answers_exact.append(Judgement(confidence, agreement.exact))
                self.answers_relaxed.append(Judgement(confidence, agreement.relaxed))
            if not agreement.exact and not (wanted is None and got is None):
                self.mistakes.append(Mistake(truth.id, name, wanted, got, agreement.relaxed))


def _row_mistakes(
    truth: TruthDocument, rows: Sequence[Mapping[str, Any]], scored: Score
) -> Iterator[Mistake]:
    if not _all_right(scored.exact):
        wanted, got = [dict(row) for row in truth.line_items or ()], [dict(row) for row in rows]
        yield Mistake(truth.id, "line_items", wanted, got, _all_right(scored.relaxed))


def _all_right(tally: Tally) -> bool:
    return tally.judged == tally.predicted == tally.correct


def _score(wanted: object, got: object, agreement: Agreement) -> Score:
    judged, predicted = int(wanted is not None), int(got is not None)
    return Score(
        Tally(judged, predicted, int(agreement.exact)),
        Tally(judged, predicted, int(agreement.relaxed)),
    )


def _score_type(truth: TruthDocument, prediction: Prediction) -> Tally:
    if truth.document_type is None:
        return Tally()
    answered = int(prediction.document_type is not None)
    return Tally(1, answered, int(prediction.document_type is truth.document_type))
