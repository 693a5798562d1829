"""Accents that were specks of dirt: in languages without accents a recogniser invents some."""

from __future__ import annotations

from lib.values.text import base_letter

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
    return "".join(c if c.lower() in _LOANED else base_letter(c) for c in text)
