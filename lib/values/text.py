"""Foldings of text: one for comparing what was recognised, and one that keeps every position."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Letters that Unicode does not decompose into a base letter and a mark.
_UNDECOMPOSED = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)

# Characters that recognisers confuse, each class under one letter.
_LOOK_ALIKE = str.maketrans(
    {"0": "o", "q": "o", "1": "i", "l": "i", "|": "i", "!": "i", "j": "i", "5": "s", "$": "s",
     "8": "b", "6": "g", "2": "z"}
)  # fmt: skip

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－"), "-")
_QUOTES = dict.fromkeys(map(ord, "’‘ʼ′`´＇"), "'")
_SPACES = dict.fromkeys(
    map(
        ord,
        "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t",
    ),
    " ",
)
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")

# What `fold_ocr` makes of each ASCII character, in one table.
_ASCII_FOLDED = str.maketrans(
    {
        character: _NOT_ALPHANUMERIC.sub(" ", character.lower().translate(_LOOK_ALIKE))
        for character in map(chr, range(128))
    }
)


def fold_width(text: str) -> str:
    """The text with full-width forms, dashes, apostrophes and spaces made plain, in place.

    The result has the length of `text`, so spans found in it are spans of `text`. Digits of any
    script become ASCII digits.
    """
    if text.isascii():
        return text.replace("\t", " ").replace("`", "'")
    return "".join(map(_fold_character, text))


@cache
def _fold_character(character: str) -> str:
    if character.isascii():
        return character.translate(_QUOTES).translate(_SPACES)
    for table in (_DASHES, _QUOTES, _SPACES):
        if ord(character) in table:
            return table[ord(character)]
    digit = unicodedata.digit(character, None)
    if digit is not None and unicodedata.category(character) == "Nd":
        return str(digit)
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character


def base_letter(character: str) -> str:
    """The ASCII letter under an accent; the character itself when it is not an accented one."""
    parts = unicodedata.normalize("NFD", character)
    return parts[0] if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() else character


def _strip_accents(text: str) -> str:
    """The text without diacritics, in lower case letters where Unicode has no decomposition."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_UNDECOMPOSED)


def fold_ocr(text: str) -> str:
    """The text for comparing: case folded, no accents, punctuation as spaces, look-alike characters
    made one (0/O, 1/l/I, 5/S, 8/B).
    """
    if text.isascii():
        return " ".join(text.translate(_ASCII_FOLDED).split())
    folded = _strip_accents(unicodedata.normalize("NFKC", text).casefold())
    return _NOT_ALPHANUMERIC.sub(" ", folded.translate(_LOOK_ALIKE)).strip()
