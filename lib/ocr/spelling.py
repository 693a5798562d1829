"""Segments respelled where the recogniser wavered: letters by context, commas by their odds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib.ocr.doubts import Doubt, Option
from lib.ocr.letter_model import ORDER, LetterModel, plain
from lib.ocr.recognition import Segment

# Of 429 receipts, in folds that keep a vendor's documents together; docs/experiments.md has the
# figures and the neighbouring settings, which differ by less than noise.
_CONTEXT_WEIGHT = 0.5
"""Weight of the letter model against the recogniser's odds."""
_PER_CHARACTER = 1.0
"""What a character is worth by being there: the letter model alone prefers short texts."""
_PER_CHANGE, _PER_RARE_CHANGE = 1.0, 2.0
"""What a change costs: the recogniser is right when nothing speaks for either. It seldom reads a
character that is not there, or a letter for a digit."""

_BEAM = 6

_COMMA_ODDS = -3.0
"""A full stop is a comma when its log odds are above this. The recogniser is timid with commas: of
50 that it read as full stops 40 lie above, of 516 full stops 9."""

_NEW_COMMA_ODDS = -2.5
"""The same for a comma at a word's end where nothing was read."""

_PUNCTUATION = "&()/-'"
_MISREAD_MARKS = _PUNCTUATION + ":_!|"
"""Marks that letters are read as; others, such as `#` and `*`, are what they are."""

_VOWEL = re.compile("[AEIOUYÀ-ÖØ-Ý]")
_LETTERS_AT_END = re.compile(r"[^\W\d_]+$")
_POSTCODE = re.compile(r"\d{5}")
_DECIMALS = re.compile(r"\d[.,]\d{1,2}$")
"""What a letter may stand behind as a unit (`0,2l`): whether it is a digit, no context tells."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """One option taken."""

    doubt: Doubt
    option: Option


@dataclass(frozen=True, slots=True)
class _Path:
    """A way to read the text so far: its score, its last letters, what was changed."""

    score: float
    tail: str
    edits: tuple[_Edit, ...]


def respell(segment: Segment, model: LetterModel, accents: bool) -> Segment:
    """The segment as it most likely reads. `accents`: whether letters with accents are options.

    A changed character keeps the confidence of its place: the recogniser's doubt stays visible.
    Digits are never exchanged for other digits, nor made up or dropped: no context tells those.
    """
    if not segment.doubts:
        return segment
    letters = {
        (doubt.index, doubt.between): kept
        for doubt in segment.doubts
        if (kept := _letters_only(doubt, segment.text, accents)) is not None
    }
    edits = [*_best_letters(segment.text, letters, model), *_commas(segment)]
    return _edited(segment, edits) if edits else segment


def _letters_only(doubt: Doubt, text: str, accents: bool) -> Doubt | None:
    """The doubt with the options that context can judge, if any."""
    read = "" if doubt.between else text[doubt.index]
    decimals = _DECIMALS.search(text[: doubt.index]) is not None
    options = tuple(
        option
        for option in doubt.options
        if _can_judge(read, option.text, accents) and not (decimals and option.text.isdigit())
    )[:3]
    return replace(doubt, options=options) if options else None


def _can_judge(read: str, option: str, accents: bool) -> bool:
    if not (option.isascii() or accents):
        return False
    if not read or not option:
        return (read or option).isalpha()
    if read.isascii() and not read.isalnum() and read not in _MISREAD_MARKS:
        return False
    if option.isdigit():
        return read.isalpha()
    return option.isalpha() or option in _PUNCTUATION


def _best_letters(
    text: str, doubts: Mapping[tuple[int, bool], Doubt], model: LetterModel
) -> tuple[_Edit, ...]:
    """The options that the best reading takes: beam search, scored only while ways differ."""
    if not doubts:
        return ()
    paths = [_Path(0.0, " ", ())]
    for index in range(len(text) + 1):
        between = doubts.get((index, True))
        if between:
            paths = _advanced(paths, "", between, model)
        if index < len(text):
            paths = _advanced(paths, text[index], doubts.get((index, False)), model)
    ended = _advanced(paths, " ", None, model)
    return ended[0].edits


def _advanced(
    paths: Sequence[_Path], read: str, doubt: Doubt | None, model: LetterModel
) -> list[_Path]:
    """The best ways on by what was read or any option, one for each tail, best first."""
    tells = doubt is not None or len(paths) > 1
    best: dict[str, _Path] = {}
    for path in paths:
        steps: list[tuple[str, float, tuple[_Edit, ...]]] = [(read, 0.0, path.edits)]
        for option in doubt.options if doubt else ():
            taken = (*path.edits, _Edit(doubt, option)) if doubt else path.edits
            rare = not option.text or option.text.isdigit()
            cost = _PER_RARE_CHANGE if rare else _PER_CHANGE
            steps.append((option.text, option.log_odds - cost, taken))
        for letter, odds, edits in steps:
            score, tail = _appended(path, letter, model if tells else None)
            if tail not in best or score + odds > best[tail].score:
                best[tail] = _Path(score + odds, tail, edits)
    return sorted(best.values(), key=lambda path: -path.score)[:_BEAM]


def _appended(path: _Path, letter: str, model: LetterModel | None) -> tuple[float, str]:
    """Score and tail of a way with one more letter; not scored without a model."""
    folded = plain(letter) or " "
    if not letter or (folded == " " and path.tail.endswith(" ")):
        return path.score, path.tail
    score = path.score
    if model is not None:
        score += _PER_CHARACTER + _CONTEXT_WEIGHT * model.log_probability(path.tail, folded)
    return score, (path.tail + folded)[1 - ORDER :]


def _commas(segment: Segment) -> Iterator[_Edit]:
    """Full stops that are commas, and commas at word ends where nothing was read."""
    text = segment.text
    for doubt in segment.doubts:
        comma = next((option for option in doubt.options if option.text == ","), None)
        if comma is None or doubt.index == 0:
            continue
        if doubt.between:
            at_end = doubt.index == len(text) or text[doubt.index].isspace()
            fits = at_end and text[doubt.index - 1].isalnum()
            if fits and comma.log_odds > _NEW_COMMA_ODDS:
                yield _Edit(doubt, comma)
            continue
        before, read, after = text[: doubt.index], text[doubt.index], text[doubt.index + 1 :]
        if read == "." and comma.log_odds > _COMMA_ODDS and not _stop_expected(before, after):
            yield _Edit(doubt, comma)


def _stop_expected(before: str, after: str) -> bool:
    """Whether a full stop is likely here: in an amount, after an initial or an abbreviation."""
    if before[-1:].isdigit() and after[:1].isdigit():
        return not _POSTCODE.match(after)
    letters = _LETTERS_AT_END.search(before)
    return letters is not None and (
        len(letters.group()) == 1 or not _VOWEL.search(letters.group().upper())
    )


def _edited(segment: Segment, edits: Sequence[_Edit]) -> Segment:
    """The segment with these edits made."""
    characters = list(segment.text)
    confidences = segment.confidences.tolist()
    positions = segment.positions.tolist()
    for edit in sorted(edits, key=lambda e: (e.doubt.index, not e.doubt.between), reverse=True):
        index, option = edit.doubt.index, edit.option
        if edit.doubt.between:
            characters.insert(index, option.text)
            confidences.insert(index, option.confidence)
            positions.insert(index, option.position)
        elif option.text:
            characters[index] = _in_case(option.text, characters, index)
        else:
            del characters[index], confidences[index], positions[index]
    return replace(
        segment,
        text="".join(characters),
        confidences=np.array(confidences, np.float32),
        positions=np.maximum.accumulate(np.array(positions, np.float32)),
        doubts=(),
    )


def _in_case(letter: str, characters: Sequence[str], index: int) -> str:
    """The letter as a capital where its neighbours are: `l` and `L` are one to the model."""
    beside = "".join([*characters[max(0, index - 2) : index], *characters[index + 1 : index + 3]])
    return letter.upper() if beside.isupper() and len(letter.upper()) == 1 else letter
