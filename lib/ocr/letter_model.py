"""How likely a letter is behind the letters before it: an n-gram model of what documents say."""

from __future__ import annotations

import gzip
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

ORDER = 6
"""Longest n-gram, in characters."""

_SHIPPED = Path(__file__).with_name("letters.tsv.gz")
_ALPHABET = 120
"""Characters that could come, for one that never did: 1/120 each."""

_MOST_OF_A_SOURCE = 3
"""A source (a vendor) counts an n-gram so often at most: many receipts of one are not language."""

_FEWEST_SOURCES, _SHORT = 3, 3
"""An n-gram longer than `_SHORT` is kept when so many sources have it: a word of one vendor is
not language either, and what one document says is in no model."""

_DIGIT = re.compile(r"\d")


class LetterModel:
    """Letters by what stands before them, Witten-Bell interpolated. Case and digits are folded."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts
        self._totals: dict[str, int] = defaultdict(int)
        self._kinds: dict[str, int] = defaultdict(int)
        for gram, count in counts.items():
            self._totals[gram[:-1]] += count
            self._kinds[gram[:-1]] += 1

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each n-gram was seen."""
        return self._counts

    def log_probability(self, before: str, letter: str) -> float:
        """Natural logarithm of the probability of `letter` (see `plain`) behind `before`.

        Witten and Bell, "The zero-frequency problem" (1991), method C: a context gives the share
        kinds / (total + kinds) to the next shorter one.
        """
        probability = 1.0 / _ALPHABET
        for start in range(len(before), max(-1, len(before) - ORDER), -1):
            context = before[start:]
            total = self._totals.get(context, 0)
            if not total:
                break
            kinds = self._kinds[context]
            count = self._counts.get(context + letter, 0)
            probability = (count + kinds * probability) / (total + kinds)
        return math.log(probability)


def plain(text: str) -> str:
    """Capitals, every digit as 0, white space as single spaces: what the model counts."""
    return " ".join(_DIGIT.sub("0", text.upper()).split())


def count_letters(sources: Iterable[Iterable[str]]) -> LetterModel:
    """The model of these sources, each given as its lines."""
    counts: Counter[str] = Counter()
    having: Counter[str] = Counter()
    for lines in sources:
        own: Counter[str] = Counter()
        for line in lines:
            padded = f" {plain(line)} "
            for end in range(2, len(padded) + 1):
                own.update(padded[start:end] for start in range(max(0, end - ORDER), end))
        for gram, count in own.items():
            counts[gram] += min(count, _MOST_OF_A_SOURCE)
            having[gram] += 1
    return LetterModel(
        {
            gram: count
            for gram, count in sorted(counts.items())
            if len(gram) <= _SHORT or having[gram] >= _FEWEST_SOURCES
        }
    )


def save_letters(model: LetterModel, path: Path) -> None:
    """Write a model; the same model gives the same bytes."""
    text = "".join(f"{gram}\t{count}\n" for gram, count in model.counts.items())
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def load_letters(path: Path = _SHIPPED) -> LetterModel:
    """Read a model that `save_letters` wrote: the shipped one when no other is named."""
    text = gzip.decompress(path.read_bytes()).decode()
    rows = (line.rsplit("\t", 1) for line in text.splitlines())
    return LetterModel({gram: int(count) for gram, count in rows})
