"""Printed labels as data: loads the languages' phrase files and finds their phrases in text.

Matching works on skeletons: lower case without accents, letters that OCR confuses (O/0, l/I/1, S/5,
B/8, rn/m) made equal. A phrase is found as whole words, also when its words are glued or torn
("GRANDTOTAL", "SUB TOTAL"), and words of five letters and more may differ by one letter. Where
phrases overlap the longest wins. Nothing here knows what a field means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from rapidfuzz.distance import OSA

_LONGEST_PHRASE = 8  # words
_FUZZY_FROM = 5  # letters: shorter words have too many neighbours
_GLUE_FROM = 6  # letters: shorter tokens are not taken apart
_GLUE_PART = 3
_LONGEST_GLUED = 60  # letters: more are no printed words, and taking them apart takes long
_FUZZY_SCORE = 0.8
_GLUED_SCORE = 0.9
_SECTIONS = ("document_types", "fields", "cues", "columns")

_LOOK_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "!": "l", "5": "s", "8": "b"})
_FOLDS = str.maketrans(
    {"ß": "ss", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ё": "е"}
)
# A token is a run of letters and digits; `|` and `!` count only inside one, as a misread l.
_TOKEN = re.compile(r"[^\W_](?:[^\W_]|[|!](?=[^\W_]))*|[%#№]")
_AMOUNT_TAIL = re.compile(r"(?<=[^\W\d_])\d+$")
_NUMBERED = re.compile(r"^[^\W\d]{3,}[\dlosb]$")
_CURRENCY_TAILS = ("rm", "myr", "rp", "idr", "usd", "us", "eur", "gbp", "chf", "sgd", "pln", "zl")


class LabelKind(StrEnum):
    """The section of a phrase file that a phrase stands in."""

    DOCUMENT_TYPE = "document_types"
    FIELD = "fields"
    CUE = "cues"
    COLUMN = "columns"


@dataclass(frozen=True, slots=True)
class Label:
    """One meaning of a phrase: e.g. the field `total` in German."""

    kind: LabelKind
    name: str
    language: str
    phrase: str


@dataclass(frozen=True)
class LabelMatch:
    """A phrase found at characters `start` to `end` of a text, with all its meanings.

    `score` is 1.0 for the phrase as written, 0.9 where words were glued and 0.8 where a letter
    differs. Meanings differ by kind (a total's label is a column's header too) and by language.
    """

    start: int
    end: int
    score: float
    labels: tuple[Label, ...]

    def names(self, kind: LabelKind) -> frozenset[str]:
        """The names that the phrase has in that section."""
        return frozenset(label.name for label in self.labels if label.kind is kind)

    @cached_property
    def fields(self) -> frozenset[str]:
        """Fields that the phrase is a label of."""
        return self.names(LabelKind.FIELD)

    @cached_property
    def cues(self) -> frozenset[str]:
        """Cues that the phrase gives."""
        return self.names(LabelKind.CUE)

    @cached_property
    def columns(self) -> frozenset[str]:
        """Table columns that the phrase heads."""
        return self.names(LabelKind.COLUMN)

    @cached_property
    def document_types(self) -> frozenset[str]:
        """Document types that the phrase names."""
        return self.names(LabelKind.DOCUMENT_TYPE)

    @cached_property
    def languages(self) -> frozenset[str]:
        """Languages that have the phrase."""
        return frozenset(label.language for label in self.labels)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str  # skeleton
    start: int
    end: int
    penalty: float = 1.0


class Lexicon:
    """Phrases of several languages, indexed for search. Safe to share between threads."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._phrases: dict[str, list[Label]] = {}
        self._words: set[str] = set()
        for label in labels:
            words = [skeleton(run) for run, _, _ in _runs(label.phrase)]
            if not words or len(words) > _LONGEST_PHRASE:
                raise ValueError(f"{label.language}: not a label phrase: {label.phrase!r}")
            self._phrases.setdefault("".join(words), []).append(label)
            self._words.update(words)
        self._prefixes = _prefixes(self._phrases)
        self._neighbours = _deletion_index(self._words)
        self._longest_word = max(map(len, self._words), default=0)
        self._find = lru_cache(maxsize=4096)(self._search)
        self._endings = lru_cache(maxsize=64)(self._endings_of)
        self._correct = lru_cache(maxsize=8192)(self._nearest_word)

    @property
    def languages(self) -> frozenset[str]:
        """Languages that have at least one phrase."""
        return frozenset(label.language for labels in self._phrases.values() for label in labels)

    def find(self, text: str) -> tuple[LabelMatch, ...]:
        """The phrases in a printed text, left to right, without overlap."""
        return self._find(text)

    def may_end(self, text: str, cue: str) -> bool:
        """Whether a phrase that gives the cue could end in the text, whatever stands before it.

        False is certain; True says that `find` is worth its time.
        """
        endings = self._endings(cue)
        return any(part.text in endings for token in _tokens(text) for part in self._split(token))

    def _endings_of(self, cue: str) -> frozenset[str]:
        """All that the cue's phrases end with, themselves included."""
        return frozenset(
            phrase[start:]
            for phrase, labels in self._phrases.items()
            if any(label.kind is LabelKind.CUE and label.name == cue for label in labels)
            for start in range(len(phrase))
        )

    def _search(self, text: str) -> tuple[LabelMatch, ...]:
        tokens = [part for token in _tokens(text) for part in self._split(token)]
        found: list[tuple[int, int, LabelMatch]] = []
        for first in range(len(tokens)):
            found.extend(self._phrases_at(tokens, first))
        # Longest first; then the better spelled, then the one further left.
        found.sort(key=lambda item: (-_letters(tokens, item), -item[2].score, item[0]))
        taken: set[int] = set()
        chosen = []
        for first, last, match in found:
            if taken.isdisjoint(range(first, last)):
                taken.update(range(first, last))
                chosen.append(match)
        return tuple(sorted(chosen, key=lambda match: match.start))

    def _phrases_at(
        self, tokens: list[_Token], first: int
    ) -> Iterator[tuple[int, int, LabelMatch]]:
        joined, score = "", 1.0
        for last in range(first, min(len(tokens), first + _LONGEST_PHRASE)):
            token = tokens[last]
            joined += token.text
            score = min(score, token.penalty)
            if labels := self._phrases.get(joined):
                match = LabelMatch(tokens[first].start, token.end, score, tuple(labels))
                yield first, last + 1, match
            if joined not in self._prefixes:
                return

    def _split(self, token: _Token) -> tuple[_Token, ...]:
        """The token as the lexicon knows it: itself, corrected, or its glued words."""
        numbered = token.text not in self._words and _NUMBERED.search(token.text)
        if numbered and token.text[:-1] in self._words:
            # "TAX2", "Tax1" (read as "taxl"): a label with a number behind it.
            return (_Token(token.text[:-1], token.start, token.end - 1, _GLUED_SCORE),)
        too_short = len(token.text) < _FUZZY_FROM - 1  # a word of five may have lost one
        if token.text in self._words or too_short or token.text.isdigit():
            return (token,)
        if _GLUE_FROM <= len(token.text) <= _LONGEST_GLUED:
            if token.text in self._phrases:
                return (_Token(token.text, token.start, token.end, _GLUED_SCORE),)
            if parts := self._unglue(token.text):
                return _place_parts(token, parts)
        if corrected := self._correct(token.text):
            return (_Token(corrected, token.start, token.end, _FUZZY_SCORE),)
        return (token,)

    def _unglue(self, text: str) -> tuple[str, ...]:
        """Known words whose concatenation the token is; a currency or digits may stand last."""
        best: list[tuple[str, ...] | None] = [()] + [None] * len(text)
        for end in range(1, len(text) + 1):
            for start in range(max(0, end - 20), end):
                head, part = best[start], text[start:end]
                if head is None:
                    continue
                whole_tail = end == len(text) and start > 0
                known = len(part) >= _GLUE_PART and part in self._words
                if known or (whole_tail and (part in _CURRENCY_SKELETONS or part.isdigit())):
                    current = best[end]
                    if current is None or len(head) + 1 < len(current):
                        best[end] = (*head, part)
        return best[len(text)] or ()

    def _nearest_word(self, text: str) -> str | None:
        """A known word one letter away (substituted, lost, added or swapped), or None."""
        if len(text) > self._longest_word + 1:
            return None
        for key in (text, *_deletions(text)):
            for word in self._neighbours.get(key, ()):
                if OSA.distance(word, text, score_cutoff=1) <= 1:
                    return word
        return None


def load_lexicon(folder: Path | None = None) -> Lexicon:
    """The lexicon of all `*.yaml` files in a folder, by default those shipped with this package.

    Raises ValueError for a file that does not follow the schema (see `_labels`).
    """
    if folder is None:
        return _shipped()
    return _load(folder)


@cache
def _shipped() -> Lexicon:
    return _load(files("lib.kie") / "lexicons")


def _load(folder: Traversable | Path) -> Lexicon:
    labels: list[Label] = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".yaml"):
            content = yaml.load(entry.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
            labels.extend(_labels(entry.name, content))
    return Lexicon(labels)


def _labels(file_name: str, content: Any) -> Iterator[Label]:
    """Labels of one file: `language`, then per section a mapping of names to lists of phrases.

    `legal_forms` (Ltd, GmbH) is a plain list; its phrases become the cue `legal_form`.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("language"), str):
        raise ValueError(f"{file_name}: no `language`")  # noqa: TRY004 - a file's content
    unknown = set(content) - {"language", "legal_forms", *_SECTIONS}
    if unknown:
        raise ValueError(f"{file_name}: unknown sections {sorted(unknown)}")
    sections = {section: content.get(section) or {} for section in _SECTIONS}
    sections["cues"] = {**sections["cues"]}
    sections["cues"].setdefault("legal_form", content.get("legal_forms") or [])
    for section, names in sections.items():
        for name, phrases in names.items():
            for phrase in phrases:
                if not isinstance(phrase, str):
                    message = f"{file_name}: {section}.{name}: not text: {phrase!r}"
                    raise ValueError(message)  # noqa: TRY004 - a file's content
                yield Label(LabelKind(section), name, content["language"], phrase)


@lru_cache(maxsize=16384)
def skeleton(text: str) -> str:
    """Lower case without accents, with characters that OCR confuses made equal.

    A token without letters keeps its digits: "10" is not "lo".
    """
    folded = text.casefold().translate(_FOLDS)
    if not folded.isascii():
        decomposed = unicodedata.normalize("NFKD", folded)
        folded = "".join(c for c in decomposed if not unicodedata.combining(c))
    if not folded.isalpha() and not any(map(str.isalpha, folded)):
        return folded
    return folded.translate(_LOOK_ALIKE).replace("rn", "m")


def _tokens(text: str) -> list[_Token]:
    """Runs of letters and digits; digits glued behind a word ("TOTAL12") are a token of theirs."""
    return [_Token(skeleton(run), start, end) for run, start, end in _runs(text)]


def _runs(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        # One digit at the end is more often a misread letter (TOTA1) than an amount.
        if text[end - 2 : end].isdigit() and (tail := _AMOUNT_TAIL.search(match.group())):
            middle = start + tail.start()
            if end - middle > 1 and tail.start() >= _GLUE_PART:
                yield text[start:middle], start, middle
                start = middle
        yield text[start:end], start, end


def _place_parts(token: _Token, parts: tuple[str, ...]) -> tuple[_Token, ...]:
    """Tokens for a glued token's parts; exact while the skeleton kept the text's length."""
    length = token.end - token.start
    scale = length / len(token.text)
    placed, at = [], 0
    for part in parts:
        start = token.start + round(at * scale)
        at += len(part)
        end = token.start + round(at * scale)
        placed.append(_Token(part, start, end, _GLUED_SCORE))
    return tuple(placed)


def _letters(tokens: list[_Token], item: tuple[int, int, LabelMatch]) -> int:
    first, last, _ = item
    return sum(len(token.text) for token in tokens[first:last])


def _deletions(word: str) -> Iterator[str]:
    for index in range(len(word)):
        yield word[:index] + word[index + 1 :]


def _deletion_index(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Words by themselves and by each of their spellings with one letter left out.

    Words one substitution, insertion, deletion or swap apart share a key (symmetric delete spelling
    correction, W. Garbe); so do some that are further apart, hence the distance is checked as well.
    """
    index: dict[str, tuple[str, ...]] = {}
    for word in sorted(words):
        if len(word) >= _FUZZY_FROM and not word.isdigit():
            for key in (word, *_deletions(word)):
                found = index.get(key, ())
                if word not in found:
                    index[key] = (*found, word)
    return index


def _prefixes(phrases: Iterable[str]) -> frozenset[str]:
    """What the phrases begin with, themselves included; what one adds has no gap."""
    found: set[str] = set()
    for phrase in phrases:
        for end in range(len(phrase), 0, -1):
            if phrase[:end] in found:
                break
            found.add(phrase[:end])
    return frozenset(found)


_CURRENCY_SKELETONS = frozenset(skeleton(tail) for tail in _CURRENCY_TAILS)
