"""How one judged header field ended: right, wrong, missing, invented, or rightly left out."""

from __future__ import annotations

from enum import StrEnum

from lib.domain.task import FieldType
from lib.evaluation.compare import agree
from lib.evaluation.tally import Score, Tally


class Outcome(StrEnum):
    """`RELAXED` agrees by the relaxed rule only; `INVENTED` answers where the document has none."""

    EXACT = "exact"
    RELAXED = "relaxed"
    WRONG = "wrong"
    MISSING = "missing"
    INVENTED = "invented"
    ABSENT = "absent"

    @property
    def is_truth(self) -> bool:
        """Whether the document has a value: it counts in recall."""
        return self not in (Outcome.INVENTED, Outcome.ABSENT)

    @property
    def is_answer(self) -> bool:
        """Whether a value was answered: it counts in precision."""
        return self not in (Outcome.MISSING, Outcome.ABSENT)

    def is_correct(self, *, relaxed: bool = False) -> bool:
        """Whether a truth was answered so that it agrees."""
        return self is Outcome.EXACT or (relaxed and self is Outcome.RELAXED)

    @property
    def score(self) -> Score:
        """Its share in the counts behind precision, recall and F1."""
        judged, predicted = int(self.is_truth), int(self.is_answer)
        return Score(
            Tally(judged, predicted, int(self.is_correct())),
            Tally(judged, predicted, int(self.is_correct(relaxed=True))),
        )


def outcome(truth: object, answer: object, field_type: FieldType) -> Outcome:
    """Compare an answer (None: not answered) with the truth (None: the document has no value)."""
    if truth is None:
        return Outcome.ABSENT if answer is None else Outcome.INVENTED
    if answer is None:
        return Outcome.MISSING
    agreement = agree(truth, answer, field_type)
    if agreement.exact:
        return Outcome.EXACT
    return Outcome.RELAXED if agreement.relaxed else Outcome.WRONG
