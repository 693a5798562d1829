"""Where the recogniser wavered: the characters that came close to being read, place by place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib.ocr.characters import fold

_LEAST_ODDS = 0.01
"""Of 80 misread letters in headers of receipts, the right one came this close in 70; of 100 letters
that were read right, a wrong one does in two."""

_MARKS = ".,"


@dataclass(frozen=True, slots=True)
class Option:
    """What may stand at a place instead: one character, or none.

    `log_odds`: natural logarithm of its probability over that of what was read, usually below 0.
    `confidence` and `position` are those of a `Segment`'s character.
    """

    text: str
    log_odds: float
    confidence: float
    position: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """A place of a text with other readings, surest first.

    They replace the character at `index`, or where `between` come before it (nothing was read
    there).
    """

    index: int
    between: bool
    options: tuple[Option, ...]


def find_doubts(
    classes: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    columns: Sequence[int],
    extent: float,
    alphabet: Sequence[str],
) -> tuple[Doubt, ...]:
    """The doubts of one text, in its order.

    `classes` and `probabilities`: each column's most probable ones, best first (columns, n).
    `columns`: where each character of the text begins. `extent`: the columns that show the quad,
    the rest being padding. The best class of a column wins, and equal
    neighbours are one character (greedy CTC); class 0 is none.
    """
    wavers = probabilities[:, 1] > _LEAST_ODDS * probabilities[:, 0]
    if not wavers.any():
        return ()
    return tuple(_Columns(classes, probabilities, columns, extent, alphabet, wavers).doubts())


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of one text."""

    classes: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    starts: Sequence[int]
    extent: float
    alphabet: Sequence[str]
    wavers: NDArray[np.bool_]

    def doubts(self) -> Iterator[Doubt]:
        end = 0
        for index, start in enumerate(self.starts):
            yield from self._gap(index, end, start)
            end = self._end(start)
            yield from self._character(index, start, end)
        yield from self._gap(len(self.starts), end, len(self.classes))

    def _end(self, start: int) -> int:
        """The column after the run of equal classes."""
        best = self.classes[:, 0]
        end = start + 1
        while end < len(best) and best[end] == best[start]:
            end += 1
        return end

    def _character(self, index: int, start: int, end: int) -> Iterator[Doubt]:
        """Other readings of a character that was read in the columns `start` to before `end`."""
        read = self._letter(self.classes[start, 0])
        seen = self._seen(start, end) if self.wavers[start:end].any() else {}
        if read in _MARKS:
            # Comma and full stop are so small that either may show best in a column beside.
            first = self.starts[index - 1] + 1 if index else 0
            last = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.classes)
            for mark, option in self._seen(first, last).items():
                if mark in _MARKS and mark not in seen:
                    seen[mark] = option
        top = float(self.probabilities[start:end, 0].max())
        none = self._least_none(start, end)
        options = [
            self._option(letter, probability, probability / top, column)
            for letter, (probability, column) in seen.items()
            if letter.upper() != read.upper() and probability > _LEAST_ODDS * top
        ]
        if none > _LEAST_ODDS:
            options.append(self._option("", none * top, none, start))
        if options:
            yield Doubt(index, False, _surest_first(options))

    def _gap(self, index: int, start: int, end: int) -> Iterator[Doubt]:
        """Characters that may stand in columns where none was read."""
        if not self.wavers[start:end].any():
            return
        beside = {
            self._letter(self.classes[self.starts[near], 0]).upper()
            for near in (index - 1, index)
            if 0 <= near < len(self.starts)
        }
        options = [
            self._option(
                letter, probability, probability / float(self.probabilities[column, 0]), column
            )
            for letter, (probability, column) in self._seen(start, end).items()
            if letter.upper() not in beside and probability > _LEAST_ODDS
        ]
        if options:
            yield Doubt(index, True, _surest_first(options))

    def _seen(self, start: int, end: int) -> dict[str, tuple[float, int]]:
        """Printable characters of these columns, each with its best probability and where."""
        seen: dict[str, tuple[float, int]] = {}
        for column in range(start, end):
            for number, probability in zip(
                self.classes[column].tolist(), self.probabilities[column].tolist(), strict=True
            ):
                if not number or probability < _LEAST_ODDS / 2:
                    continue
                letter = self._letter(number)
                if not letter.isspace() and probability > seen.get(letter, (0.0, 0))[0]:
                    seen[letter] = (probability, column)
        return seen

    def _least_none(self, start: int, end: int) -> float:
        """How near the character is to not being there: the least odds of "none" in its columns."""
        odds = []
        for column in range(start, end):
            none = np.flatnonzero(self.classes[column] == 0)
            if not len(none):
                return 0.0
            odds.append(self.probabilities[column, none[0]] / self.probabilities[column, 0])
        return float(min(odds))

    def _option(self, letter: str, probability: float, odds: float, column: int) -> Option:
        position = min(1.0, (column + 0.5) / self.extent)
        return Option(letter, math.log(odds), probability, position)

    def _letter(self, number: int) -> str:
        return fold(self.alphabet[number])


def _surest_first(options: list[Option]) -> tuple[Option, ...]:
    return tuple(sorted(options, key=lambda option: -option.log_odds))
