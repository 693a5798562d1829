"""Letters as they are printed: the recogniser's full-width and look-alike forms, one to one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lib.values.text import base_letter

# Full-width ASCII (U+FF01..U+FF5E) as PP-OCR's Chinese training likes to return it. NFKC would do
# this too, but also turn ² into 2, ½ into three characters and ™ into letters: amounts
# would change.
_FOLDS = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_FOLDS |= {
    ord(form): plain
    for form, plain in {
        "\u3000": " ",
        "￥": "¥",
        "−": "-",  # minus sign
        "∶": ":",  # ratio
        "∕": "/",
        "∗": "*",
        "⁎": "*",
        "Å": "Å",  # angstrom sign
        "。": ".",
        "、": ",",
    }.items()
}

# Capital Greek letters drawn like Latin ones. Only folded in a word that has Latin letters as well.
_GREEK = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοι", "ABEZHIKMNOPTYXoi")
_LATIN_AND_GREEK = re.compile(r"(?=\S*[A-Za-z])(?=\S*[ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοι])\S+")

_TIMES_IN_WORD = re.compile(r"(?<=[A-Za-z])×|×(?=[A-Za-z])")
_CJK = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]")
_BAR = str.maketrans("一ー", "--")

# A printed rule of asterisks comes back as a row of star-shaped Chinese characters.
_STARS = re.compile(r"[*家冰本车末米木水京宗寒凉字半不农审牢东\s]{3,}")

_SURE_ACCENT = 0.9
"""Confidence that real accents reach on almost every page that prints any, and specks seldom."""


def fold(text: str) -> str:
    """The text with each character in the form that is printed; same number of characters."""
    text = text.translate(_FOLDS)
    if text.isascii():
        return text
    text = _LATIN_AND_GREEK.sub(lambda word: word.group().translate(_GREEK), text)
    text = _TIMES_IN_WORD.sub("x", text)
    text = _STARS.sub(lambda run: _asterisks(run.group()), text)
    if not _CJK.search(text.translate(_BAR)):
        text = text.translate(_BAR)
    return text


def _asterisks(run: str) -> str:
    """Asterisks for a run of look-alikes that repeats itself as print does and no sentence does."""
    marks = "".join(run.split())
    if "*" not in marks and (len(marks) < 5 or len(set(marks)) > len(marks) / 2):
        return run
    return re.sub(r"\S", "*", run)


def prints_accents(texts: Iterable[tuple[str, Iterable[float]]]) -> bool:
    """Whether any accent on a page is sure, so that the others can be believed.

    Each text comes with the confidence of each character. A language with accents prints many and
    the recogniser is sure of most; on a page without a single sure one, they are dirt on the paper.
    """
    return any(
        confidence >= _SURE_ACCENT and base_letter(character) != character
        for text, confidences in texts
        for character, confidence in zip(text, confidences, strict=True)
        if not character.isascii()
    )


def without_accents(text: str) -> str:
    """The text with each letter's accent removed; same number of characters."""
    return text if text.isascii() else "".join(map(base_letter, text))
