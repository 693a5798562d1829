"""Finds free text on a page: a name in one line, an address over several, with letters misread."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from lib.domain.document import Word
from lib.domain.geometry import Polygon, bounding_polygon
from lib.kie.models.printed import Place, Printed, PrintedLine
from lib.values.text import fold_ocr

_LEAST_COVERED = 0.8  # of the value's characters: below, most addresses would fit some other one
_SAME_TOKEN = 0.8  # one letter in five may be misread
_FUZZY_LENGTH = 4  # characters: shorter tokens must be equal, or "of" is "to"
_REACH = 2.6  # letter heights between the lines of one text
_MOST_SEEDS = 6
_HAS_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring words of a line, and which tokens of the value they cover."""

    line: PrintedLine
    words: tuple[Word, ...]
    covered: Counter[str]
    fit: float  # characters covered, each weighed by how well its token fits

    @property
    def box(self) -> Polygon:
        return bounding_polygon(word.polygon for word in self.words)


def find_text(printed: Printed, value: str) -> Iterator[Place]:
    """Places that print `value`, best first: each within a few neighbouring lines of one page.

    Compared without case, accents and punctuation, and with look-alike characters made one; a token
    may differ in one letter of five, but not one with digits in it: house numbers and postcodes
    make an address, and must be there.
    """
    wanted = Counter(_tokens(value))
    size = sum(len(token) * count for token, count in wanted.items())
    if not size:
        return
    digits = set(_tokens_with_digits(value))
    similar = _similar(printed.tokens, wanted, digits)
    lines = [
        line for line in printed.lines if any(t in similar for word in line.tokens for t in word)
    ]
    runs = [run for line in lines if (run := _best_run(line, wanted, similar))]
    found: list[tuple[float, Place]] = []
    for seed in sorted(runs, key=lambda run: -run.fit)[:_MOST_SEEDS]:
        group = _grown(seed, lines, wanted, similar, printed.line_height)
        covered = sum((run.covered for run in group), Counter[str]())
        share = sum(run.fit for run in group) / size
        if share >= _LEAST_COVERED and all(covered[token] for token in digits):
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


def _similar(
    printed: Sequence[str], wanted: Counter[str], digits: set[str]
) -> dict[str, tuple[str, float]]:
    """Per token on the page the token of the value that it stands for, and how well it fits."""
    likest: dict[str, tuple[float, str]] = {}
    for token in wanted:
        if len(token) < _FUZZY_LENGTH or token in digits:
            continue
        for other, likeness, _ in process.extract_iter(
            token, printed, scorer=Levenshtein.normalized_similarity, score_cutoff=_SAME_TOKEN
        ):
            likest[other] = max(likest.get(other, (0.0, "")), (likeness, token))
    found = {other: (token, likeness) for other, (likeness, token) in likest.items()}
    return found | {token: (token, 1.0) for token in printed if token in wanted}


def _best_run(
    line: PrintedLine, wanted: Counter[str], similar: dict[str, tuple[str, float]]
) -> _Run | None:
    """The neighbouring words that cover most of the value and least of anything else."""
    best: _Run | None = None
    best_gain = 0.0
    for start in range(len(line.words)):
        covered: Counter[str] = Counter()
        fit = strange = 0.0
        for end in range(start, len(line.words)):
            for token in line.tokens[end]:
                match = similar.get(token)
                if match and covered[match[0]] < wanted[match[0]]:
                    covered[match[0]] += 1
                    fit += match[1] * len(match[0])
                else:
                    strange += len(token)
            if fit - strange > best_gain:
                best_gain = fit - strange
                best = _Run(line, line.words[start : end + 1], Counter(covered), fit)
            if strange > fit:
                break
    return best


def _grown(
    seed: _Run,
    lines: Sequence[PrintedLine],
    wanted: Counter[str],
    similar: dict[str, tuple[str, float]],
    height: float,
) -> list[_Run]:
    """The seed with the neighbouring lines that cover what it leaves open, in printed order."""
    group = [seed]
    while missing := wanted - sum((run.covered for run in group), Counter[str]()):
        box = bounding_polygon(run.box for run in group)
        taken = {id(run.line) for run in group}
        near = [
            run
            for line in lines
            if line.page == seed.line.page and id(line) not in taken
            if (run := _best_run(line, missing, similar)) and _is_near(run.box, box, height)
        ]
        if not near:
            break
        group.append(max(near, key=lambda run: run.fit))
    order = {id(line): index for index, line in enumerate(lines)}
    return sorted(group, key=lambda run: order[id(run.line)])


def _is_near(box: Polygon, other: Polygon, height: float) -> bool:
    """Whether two boxes are parts of one block: close above each other, and not far beside."""
    down = max(box.y0, other.y0) - min(box.y1, other.y1)
    across = max(box.x0, other.x0) - min(box.x1, other.x1)
    return down <= _REACH * height and across <= 0.15
