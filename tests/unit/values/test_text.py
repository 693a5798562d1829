"""Foldings of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.values.text import fold_ocr, fold_width, normalize_label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Rechnungs-Nr.:", "rechnungs nr"),
        ("  TOTAL\u00a0TTC ", "total ttc"),
        ("Łączna kwota", "laczna kwota"),
        ("Ｔｏｔａｌ", "total"),
        ("Größe", "grosse"),
    ],
)
def test_labels_compare_without_case_accents_and_punctuation(text: str, label: str) -> None:
    assert normalize_label(text) == label


@pytest.mark.parametrize("text", ["TOTAL", "T0TAL", "TOTA1", "T0TAl", "TOTA|", "tötal"])
def test_look_alikes_fold_together(text: str) -> None:
    assert fold_ocr(text) == fold_ocr("total")


@given(st.text())
def test_fold_width_keeps_every_position(text: str) -> None:
    assert len(fold_width(text)) == len(text)


@given(st.text())
def test_normalized_labels_stay_as_they_are(text: str) -> None:
    assert normalize_label(normalize_label(text)) == normalize_label(text)
