"""Foldings of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.values.text import fold_ocr, fold_width


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Rechnungs-Nr.:", "rechnungs nr"),
        ("  TOTAL\u00a0TTC ", "total ttc"),
        ("Łączna kwota", "laczna kwota"),
        ("Ｔｏｔａｌ", "total"),
        ("Größe", "grosse"),
    ],
)
def test_case_accents_and_punctuation_fold_together(text: str, other: str) -> None:
    assert fold_ocr(text) == fold_ocr(other)


@pytest.mark.parametrize("text", ["TOTAL", "T0TAL", "TOTA1", "T0TAl", "TOTA|", "tötal"])
def test_look_alikes_fold_together(text: str) -> None:
    assert fold_ocr(text) == fold_ocr("total")


@given(st.text())
def test_fold_width_keeps_every_position(text: str) -> None:
    assert len(fold_width(text)) == len(text)


@given(st.text())
def test_folded_text_stays_as_it_is(text: str) -> None:
    assert fold_ocr(fold_ocr(text)) == fold_ocr(text)
