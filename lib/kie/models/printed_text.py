"""Finds free text on a page: a name in one line, an address over several, with letters misread."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from lib.domain.document import Word
from lib.domain.geometry import BoundingBox, around
from lib.kie.models.printed import Place, Printed, PrintedLine
from lib.values.text import fold_ocr

_LEAST_COVERED = 0.8  # of the value's characters: below, most addresses would fit some other one
_SAME_TOKEN = 0.8  # one letter in five may be misread
_FUZZY_LENGTH = 4  # characters: shorter tokens must be equal, or "of" is "to"
_REACH = 2.6  # letter heights between the lines of one text
_MOST_SEEDS = 6
_HAS_DIGIT = re.compile(r"\d")


_Likeness = Mapping[str, tuple[str, float]]
"""Per token on the page the token of the value that it stands for, and how well it fits."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring words of a line, and which tokens of the value they leave uncovered."""

    line: PrintedLine
    start: int
    end: int
    uncovered: Mapping[str, int]
    fit: float  # characters covered, each weighed by how well its token fits

    @property
    def words(self) -> tuple[Word, ...]:
        return self.line.words[self.start : self.end]

    @property
    def box(self) -> BoundingBox:
        return around(self.line.boxes[self.start : self.end])


def find_text(printed: Printed, value: str) -> Iterator[Place]:
    """Places that print `value`, best first: each within a few neighbouring lines of one page.

    Compared without case, accents and punctuation, and with look-alike characters made one; a token
    may differ in one letter of five, but not one with digits in it: house numbers and postcodes
    make an address, and must be there.
    """
    wanted = Counter(_tokens(value))
    size = sum(len(token) * count for token, count in wanted.items())
    digits = set(_tokens_with_digits(value))
    if not size or not digits <= printed.tokens.keys():
        return
    similar = _similar(printed.tokens, wanted, digits)
    within_reach = {meant for meant, _ in similar.values()}
    if sum(len(token) * wanted[token] for token in within_reach) / size < _LEAST_COVERED:
        return
    lines = printed.lines_with(similar)
    runs = [run for line in lines if (run := _best_run(line, wanted, similar))]
    found: list[tuple[float, Place]] = []
    for seed in sorted(runs, key=lambda run: -run.fit)[:_MOST_SEEDS]:
        group, missing = _grown(seed, printed, similar)
        share = sum(run.fit for run in group) / size
        has_digits = all(missing.get(token, 0) < wanted[token] for token in digits)
        if share >= _LEAST_COVERED and has_digits:
            words = tuple(word for run in group for word in run.words)
            raw = " ".join(" ".join(word.text for word in run.words) for run in group)
            found.append((share, Place(seed.line.page, words, raw, min(1.0, share))))
    seen: set[tuple[Word, ...]] = set()
    for _, place in sorted(found, key=lambda item: -item[0]):
        if place.words not in seen:
            seen.add(place.words)
            yield place


def _tokens(text: str) -> list[str]:
    return fold_ocr(text).split()


def _tokens_with_digits(text: str) -> Iterator[str]:
    for part in re.split(r"[\W_]+", text):
        if _HAS_DIGIT.search(part):
            yield from _tokens(part)


def _similar(printed: Collection[str], wanted: Counter[str], digits: set[str]) -> _Likeness:
    likest: dict[str, tuple[float, str]] = {}
    long = [token for token in printed if len(token) >= _FUZZY_LENGTH]
    for token in wanted:
        if len(token) < _FUZZY_LENGTH or token in digits:
            continue
        for other, likeness, _ in process.extract_iter(
            token, long, scorer=Levenshtein.normalized_similarity, score_cutoff=_SAME_TOKEN
        ):
            likest[other] = max(likest.get(other, (0.0, "")), (likeness, token))
    found = {other: (token, likeness) for other, (likeness, token) in likest.items()}
    return found | {token: (token, 1.0) for token in wanted if token in printed}


def _best_run(line: PrintedLine, wanted: Mapping[str, int], similar: _Likeness) -> _Run | None:
    """The neighbouring words that cover most of the value and least of anything else."""
    best: _Run | None = None
    best_gain = 0.0
    for start, first in enumerate(line.tokens):
        if first and similar.keys().isdisjoint(first):
            continue  # a run that begins with something else is a worse one
        fit = strange = 0.0
        uncovered = dict(wanted)
        for end in range(start, len(line.words)):
            for token in line.tokens[end]:
                meant, likeness = similar.get(token, ("", 0.0))
                if uncovered.get(meant):
                    uncovered[meant] -= 1
                    fit += likeness * len(meant)
                else:
                    strange += len(token)
            if fit - strange > best_gain:
                best_gain = fit - strange
                best = _Run(line, start, end + 1, uncovered.copy(), fit)
            if strange > fit:
                break
    return best


def _grown(
    seed: _Run, printed: Printed, similar: _Likeness
) -> tuple[list[_Run], Mapping[str, int]]:
    """The seed with the neighbouring lines that cover what it leaves open, in printed order.

    And what is still missing then.
    """
    group = [seed]
    while missing := {token: n for token, n in group[-1].uncovered.items() if n}:
        box = around([run.box for run in group])
        taken = {run.line.index for run in group}
        useful = [token for token, (meant, _) in similar.items() if meant in missing]
        near = [
            run
            for line in printed.lines_with(useful)
            if line.page == seed.line.page
            and line.index not in taken
            and _is_near(line.box, box, printed.line_height)
            and (run := _best_run(line, missing, similar))
            and _is_near(run.box, box, printed.line_height)
        ]
        if not near:
            break
        group.append(max(near, key=lambda run: run.fit))
    return sorted(group, key=lambda run: run.line.index), missing


def _is_near(box: BoundingBox, other: BoundingBox, height: float) -> bool:
    """Whether two boxes are parts of one block: close above each other, and not far beside."""
    down = max(box[1], other[1]) - min(box[3], other[3])
    across = max(box[0], other[0]) - min(box[2], other[2])
    return down <= _REACH * height and across <= 0.15
