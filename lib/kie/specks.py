"""Accents that were specks of dirt: in languages without accents a recogniser invents some."""

from __future__ import annotations

import unicodedata

# Languages that are written without accents, but for loan words and names: é, è, ê, ñ, ç, ö, ü, ø
# are left as they are, since they are common in the names of restaurants and firms abroad.
_UNACCENTED = frozenset({"en", "ms", "id"})
_LOANED = frozenset("éèêñçöüøå")


def without_specks(text: str, language: str | None) -> str:
    """A name or address as printed, read by OCR, without accents that its language does not have.

    "JALAN LAPÁNGAN" becomes "JALAN LAPANGAN" in Malay. Other languages keep everything.
    """
    if language not in _UNACCENTED or text.isascii():
        return text
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    if character.isascii() or character.lower() in _LOANED:
        return character
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() and base.isalpha() else character
