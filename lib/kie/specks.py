"""Specks of dirt that a recogniser read: accents, marks between words, stops that stand twice."""

from __future__ import annotations

import re

from lib.values.text import base_letter

# Languages that are written without accents, but for loan words and names: é, è, ê, ñ, ç, ö, ü, ø
# are left as they are, since they are common in the names of restaurants and firms abroad.
_UNACCENTED = frozenset({"en", "ms", "id"})
_LOANED = frozenset("éèêñçöüøå")

# Marks that stand in no name and no address, and quotes that open nothing.
_SMEARS = re.compile(r"[_~]+|(?<=[,.])[\"'`´](?=\w)|(?<=\s)[\"'`´](?=\w{3})|(?<=[^\W\d_])'(?=\d)")
_QUOTES = "\"'`´"
_ONE_BEFORE_A_STOP = re.compile(r"(?<=[A-Z]\.)([01])(?=\.\s?[A-Z]\b)")  # "B.1.G."
_STOPS_AT_END = re.compile(r"\.[.\s]+$")
_OPEN_BRACKET_AT_END = re.compile(r"(?<=[^\W_])\s*[(\[](?:[^()\[\]]{0,12}:|[\d\W]{0,8})$")


def without_marks(text: str) -> str:
    """A name or address read by OCR without marks between its words that mean nothing.

    "MILL_ROAD,'Leeds.." becomes "MILL ROAD, Leeds."; a quotation in marks stays.
    """
    quoted = sum(text.count(mark) for mark in _QUOTES) > 1
    text = re.sub(r"[_~]+", " ", text) if quoted else _SMEARS.sub(" ", text)
    return " ".join(_STOPS_AT_END.sub(".", text).split())


def as_a_name(text: str) -> str:
    """A name read by OCR: letters between the stops of initials, no bracket that goes on elsewhere.

    "B.1.G. LTD (Co No:" becomes "B.I.G. LTD".
    """
    text = _ONE_BEFORE_A_STOP.sub(lambda digit: "I" if digit[0] == "1" else "O", text)
    return _OPEN_BRACKET_AT_END.sub("", text)


def without_specks(text: str, language: str | None) -> str:
    """A name or address as printed, read by OCR, without accents that its language does not have.

    "JALAN LAPÁNGAN" becomes "JALAN LAPANGAN" in Malay. Other languages keep everything.
    """
    if language not in _UNACCENTED or text.isascii():
        return text
    return "".join(c if c.lower() in _LOANED else base_letter(c) for c in text)
