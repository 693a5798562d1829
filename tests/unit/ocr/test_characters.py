"""Folding: what changes, what must not, and that places stay aligned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ocr.characters import fold, prints_accents, without_accents
from lib.values.text import base_letter


@pytest.mark.parametrize(
    ("read", "printed"),
    [
        ("（ＧＳＴ）：１２", "(GST):12"),
        ("￥100", "¥100"),
        ("Ta×(RM)", "Tax(RM)"),
        ("2×3", "2×3"),
        ("3 × 4.50", "3 × 4.50"),
        ("TΟTAL", "TOTAL"),  # a Greek Omicron
        ("ΣΥΝΟΛΟ", "ΣΥΝΟΛΟ"),
        ("−12,50", "-12,50"),
        ("*本寒*凉家家*", "********"),
        ("家家家家家 GST Summary 家家家家", "***** GST Summary 家家家家"),
        ("一米", "一米"),
        ("一", "-"),
        ("水饺面", "水饺面"),
        ("谢谢！", "谢谢!"),
        ("Überweisung 5 m² ½ ™ É", "Überweisung 5 m² ½ ™ É"),
        ("plain ASCII: 1.50", "plain ASCII: 1.50"),
    ],
)
def test_fold(read: str, printed: str) -> None:
    assert fold(read) == printed


@given(st.text())
def test_fold_keeps_the_number_of_characters(text: str) -> None:
    assert len(fold(text)) == len(text)


@given(st.text())
def test_fold_changes_nothing_twice(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("letter", "base"), [("Á", "A"), ("ç", "c"), ("ß", "ß"), ("ø", "ø"), ("й", "й"), ("a", "a")]
)
def test_base_letter(letter: str, base: str) -> None:
    assert base_letter(letter) == base


def test_accents_are_dirt_where_none_is_sure() -> None:
    assert not prints_accents([("JÁLAN", [0.99, 0.6, 0.99, 0.99, 0.99]), ("SETIA", [1.0] * 5)])


def test_unsure_accents_are_believed_where_another_is_sure() -> None:
    assert prints_accents([("Märkte", [0.9, 0.5, 0.9, 0.9, 0.9, 0.9]), ("für", [1.0, 0.97, 1.0])])


def test_removing_accents_keeps_every_place() -> None:
    assert without_accents("JÁLAN") == "JALAN"
    assert without_accents("№ 5 ß") == "№ 5 ß"
