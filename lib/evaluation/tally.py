"""Counts behind precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """`judged`: truths; `predicted`: answers to judged keys; `correct`: answers that agree."""

    judged: int = 0
    predicted: int = 0
    correct: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.judged + other.judged,
            self.predicted + other.predicted,
            self.correct + other.correct,
        )

    @property
    def precision(self) -> float | None:
        """Correct / predicted; None without predictions."""
        return self.correct / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Correct / judged; None when nothing is judged."""
        return self.correct / self.judged if self.judged else None

    @property
    def f1(self) -> float | None:
        """2 x correct / (predicted + judged), their harmonic mean; None when both counts are 0."""
        either = self.predicted + self.judged
        return 2 * self.correct / either if either else None

    @property
    def is_perfect(self) -> bool:
        """Whether everything judged was answered, rightly, and nothing else."""
        return self.judged == self.predicted == self.correct

    def as_dict(self) -> dict[str, int | float | None]:
        """Counts and rates, for a report."""
        return {
            "judged": self.judged,
            "predicted": self.predicted,
            "correct": self.correct,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True, slots=True)
class Score:
    """The same answers counted by the exact rule and by the relaxed one."""

    exact: Tally = Tally()
    relaxed: Tally = Tally()

    def __add__(self, other: Score) -> Score:
        return Score(self.exact + other.exact, self.relaxed + other.relaxed)

    def as_dict(self) -> dict[str, dict[str, int | float | None]]:
        """Both tallies, for a report."""
        return {"exact": self.exact.as_dict(), "relaxed": self.relaxed.as_dict()}
