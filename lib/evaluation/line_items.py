"""Line items against their truth: rows paired optimally, then judged cell by cell and whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lib.domain.task import FieldType
from lib.evaluation.compare import Agreement, agree
from lib.evaluation.tally import Score, Tally

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LineItemScore:
    """`rows`: a row is correct when every cell that its truth holds agrees. `columns`: per cell."""

    rows: Score = field(default_factory=Score)
    columns: Mapping[str, Score] = field(default_factory=dict)

    def __add__(self, other: LineItemScore) -> LineItemScore:
        names = [*self.columns, *(name for name in other.columns if name not in self.columns)]
        return LineItemScore(
            self.rows + other.rows,
            {
                name: self.columns.get(name, Score()) + other.columns.get(name, Score())
                for name in names
            },
        )


def score_line_items(
    truth: Sequence[Row], answer: Sequence[Row], types: Mapping[str, FieldType]
) -> LineItemScore:
    """Score all rows of one document.

    Each true row is paired with at most one answered row, so that as many cells as possible agree
    (relaxed), among equals as many whole rows, then as many exact cells: a row answered twice is
    right once. A column is judged in this document when any true row holds it; answered cells of
    other columns do not count.
    """
    pairs = pair_rows(truth, answer, types)
    columns = list(dict.fromkeys(name for row in truth for name in row if row[name] is not None))
    scores = {name: _score_column(name, truth, answer, pairs, types) for name in columns}
    whole = [_whole_row(_cells(truth[i], answer[j], types)) for i, j in pairs]
    return LineItemScore(
        Score(
            Tally(len(truth), len(answer), sum(agreement.exact for agreement in whole)),
            Tally(len(truth), len(answer), sum(agreement.relaxed for agreement in whole)),
        ),
        scores,
    )


def pair_rows(
    truth: Sequence[Row], answer: Sequence[Row], types: Mapping[str, FieldType]
) -> list[tuple[int, int]]:
    """Indices of the true and the answered rows that belong together, each at most once."""
    # Imported here: half a second that no server should wait for when it starts.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    if not truth or not answer:
        return []
    # All whole rows together are worth less than one cell, and all exact cells together less than
    # one whole row, so each only breaks ties. In whole numbers, so that no tie is lost to rounding.
    most_cells = sum(len(row) for row in truth)
    a_row = most_cells + 1
    a_cell = a_row * (len(truth) + 1)
    gain = np.zeros((len(truth), len(answer)))
    for i, wanted in enumerate(truth):
        for j, got in enumerate(answer):
            cells = _cells(wanted, got, types)
            gain[i, j] = a_cell * sum(agreement.relaxed for agreement in cells)
            gain[i, j] += a_row * _whole_row(cells).relaxed
            gain[i, j] += sum(agreement.exact for agreement in cells)
    chosen = linear_sum_assignment(gain, maximize=True)
    return [(int(i), int(j)) for i, j in zip(*chosen, strict=True)]


def _cells(wanted: Row, got: Row, types: Mapping[str, FieldType]) -> list[Agreement]:
    return [
        agree(value, got.get(name), types.get(name, FieldType.STRING))
        for name, value in wanted.items()
        if value is not None
    ]


def _whole_row(cells: Sequence[Agreement]) -> Agreement:
    return Agreement(
        exact=bool(cells) and all(cell.exact for cell in cells),
        relaxed=bool(cells) and all(cell.relaxed for cell in cells),
    )


def _score_column(
    name: str,
    truth: Sequence[Row],
    answer: Sequence[Row],
    pairs: Sequence[tuple[int, int]],
    types: Mapping[str, FieldType],
) -> Score:
    judged = sum(row.get(name) is not None for row in truth)
    predicted = sum(row.get(name) is not None for row in answer)
    found = [
        agree(truth[i].get(name), answer[j].get(name), types.get(name, FieldType.STRING))
        for i, j in pairs
    ]
    return Score(
        Tally(judged, predicted, sum(agreement.exact for agreement in found)),
        Tally(judged, predicted, sum(agreement.relaxed for agreement in found)),
    )
