"""Answers to labelled documents as the service gives them: features, and whether each is right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from kie_training.documents import Document
from numpy.typing import NDArray

from lib.domain.extraction import FieldValue, Hints
from lib.domain.task import Task
from lib.evaluation.compare import agree
from lib.evaluation.evaluate import field_types, line_item_types
from lib.evaluation.line_items import pair_rows
from lib.evaluation.outcome import outcome
from lib.kie.extractor import Extractor
from lib.post.features import features
from lib.post.finish import Choice, choose_values
from lib.post.review import key_fields, review_reasons
from lib.post.schema import build_result, schema_errors


@dataclass(frozen=True)
class Answers:
    """One row per judged answer. `document` counts from 0 over all documents.

    `field`: cells as `table.column`; `source`: ocr, text_layer or derived.
    """

    names: tuple[str, ...]
    rows: NDArray[np.float64]
    right: NDArray[np.bool_]
    relaxed: NDArray[np.bool_]
    field: NDArray[np.str_]
    source: NDArray[np.str_]
    document: NDArray[np.int_]

    @property
    def in_table(self) -> NDArray[np.bool_]:
        return self.rows[:, self.names.index("in table")] > 0

    def only(self, wanted: NDArray[np.bool_]) -> Answers:
        """The rows that are wanted."""
        parts = (self.rows, self.right, self.relaxed, self.field, self.source, self.document)
        return Answers(self.names, *(part[wanted] for part in parts))


@dataclass(frozen=True)
class Booking:
    """A document as one decision: its answered key fields, and what else asks for a review.

    `rows` indexes `Answers` by key field; one that is answered and not judged has no row, and is
    not in it. `asked`: whether review is asked for by anything else than a low confidence.
    """

    document_type: str
    rows: dict[str, int]
    asked: bool


@dataclass(frozen=True)
class _Answer:
    features: dict[str, float]
    right: bool
    relaxed: bool
    field: str
    source: str
    document: int


def collect(
    documents: Sequence[Document],
    extractor_of: Callable[[int], Extractor],
    tasks: Mapping[str, Task],
    hints: Hints,
    month_first: Collection[str] = (),
) -> tuple[Answers, list[Booking]]:
    """Read every document by `extractor_of(index)`, which must not have been trained on it.

    `month_first`: sets whose dates were labelled month first whatever the country. Where answer
    and label differ by day and month changing places only, nothing is judged.
    """
    found: list[_Answer] = []
    bookings: list[Booking] = []
    for index, document in enumerate(documents):
        raw = extractor_of(index).extract(document.pages, tasks["auto"], hints)
        task = raw.task or tasks["auto"]
        choice = choose_values(raw, task, document.pages, hints)
        verdicts = verdicts_on(document, choice, tuple(tasks.values()))
        start = len(found)
        for answered in choice.answered:
            if answered.key not in verdicts:
                continue
            swapped = _swapped(document.fields.get(answered.key), answered.option.value)
            if swapped and document.source in month_first:
                continue
            signs = features(answered, choice.signs)
            source = answered.option.candidate.source.value
            judged = verdicts[answered.key]
            found.append(_Answer(signs, *judged, answered.field, source, index))
        rows = {found[i].field: i for i in range(start, len(found))}
        kind = str(task.document_type or raw.document_type)
        bookings.append(_booking(task, kind, choice, rows))
    return _table(found), bookings


def _table(found: Sequence[_Answer]) -> Answers:
    return Answers(
        names=tuple(found[0].features),
        rows=np.array([list(answer.features.values()) for answer in found]),
        right=np.array([answer.right for answer in found]),
        relaxed=np.array([answer.relaxed for answer in found]),
        field=np.array([answer.field for answer in found]),
        source=np.array([answer.source for answer in found]),
        document=np.array([answer.document for answer in found]),
    )


def _booking(task: Task, document_type: str, choice: Choice, rows: Mapping[str, int]) -> Booking:
    fields = {
        a.key: FieldValue(a.option.value, a.option.candidate.raw, 1.0, a.option.candidate.source)
        for a in choice.answered
    }
    checks = [verdict.check for verdict in choice.verdicts]
    errors = schema_errors(task, build_result(choice.settled))
    reasons = review_reasons(task, choice.settled.fields, fields, checks, errors, choice.unclear)
    own = {name: rows[name] for name in key_fields(task) if name in rows}
    return Booking(document_type, own, bool(reasons))


def _swapped(truth: object, answer: object) -> bool:
    """Whether two ISO dates differ by day and month changing places only."""
    one, other = str(truth).split("-"), str(answer).split("-")
    return len(one) == len(other) == 3 and one != other and one == [other[0], other[2], other[1]]


def verdicts_on(
    document: Document, choice: Choice, tasks: Sequence[Task]
) -> dict[str, tuple[bool, bool]]:
    """By key of the answers that the truth judges whether each is right, and nearly so."""
    return _header(document, choice, tasks) | _cells(document, choice, tasks)


def _header(
    document: Document, choice: Choice, tasks: Sequence[Task]
) -> dict[str, tuple[bool, bool]]:
    types = field_types(tasks)
    found = {}
    for answered in choice.answered:
        if answered.in_table or answered.field not in document.fields:
            continue
        truth = document.fields[answered.field]
        ended = outcome(truth, answered.option.value, types[answered.field])
        found[answered.key] = ended.is_correct(), ended.is_correct(relaxed=True)
    return found


def _cells(
    document: Document, choice: Choice, tasks: Sequence[Task]
) -> dict[str, tuple[bool, bool]]:
    """Cells of line items in columns that the truth judges; an answered row too many is wrong."""
    truth = document.truth.line_items
    if truth is None:
        return {}
    types = line_item_types(tasks)
    rows = build_result(choice.settled).get("line_items") or ()
    partner = {j: i for i, j in pair_rows(truth, rows, types)}
    judged = {name for row in truth for name in row if row[name] is not None}
    found = {}
    for j, row in enumerate(rows):
        for name in judged & {name for name, value in row.items() if value is not None}:
            wanted = truth[partner[j]].get(name) if j in partner else None
            agreement = agree(wanted, row[name], types[name])
            found[f"line_items[{j}].{name}"] = agreement.exact, agreement.relaxed
    return found
