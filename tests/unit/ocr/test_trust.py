"""When a text layer is used, and when the page is read by OCR instead."""

from dataclasses import replace

import pytest

from lib.domain.document import Line, Word
from lib.domain.geometry import Polygon
from lib.domain.source import TextLayer
from lib.ocr.trust import is_trusted

INVOICE = """Invoice number 2026-118 Date 03.11.2026 Customer 4471 Widget blue 10 pieces 4.50 45.00
Widget green 2 pieces 9.00 18.00 Subtotal 63.00 Value added tax 19 percent 11.97 Total due 74.97
Please transfer the amount within fourteen days to the account below quoting the invoice number"""


def words(text: str) -> list[Word]:
    """Words in rows of eight, none touching another."""
    found = []
    for index, token in enumerate(text.split()):
        x, y = 0.05 + 0.11 * (index % 8), 0.05 + 0.02 * (index // 8)
        found.append(Word(token, Polygon.from_box(x, y, x + 0.1, y + 0.015)))
    return found


def layer(text: str = INVOICE, image_share: float = 0.0) -> TextLayer:
    return TextLayer((Line(tuple(words(text))),), 0.0, 0.0, image_share)


def trusted(of: TextLayer) -> bool:
    return is_trusted(of, 1240, 1754)


def test_a_born_digital_page_is_trusted() -> None:
    assert trusted(layer())


def test_a_logo_does_not_matter() -> None:
    assert trusted(layer(image_share=0.08))


def test_somebody_elses_ocr_behind_a_scan_is_not_used() -> None:
    assert not trusted(replace(layer(INVOICE * 8, image_share=1.0), hidden_share=1.0))


def test_a_dense_page_over_a_background_image_is_trusted() -> None:
    assert trusted(layer(INVOICE * 8, image_share=1.0))


def test_a_little_text_beside_a_large_image_is_not_enough() -> None:
    assert not trusted(layer("From: shop@example.org Subject: your receipt, see below", 0.6))
    assert not trusted(layer(image_share=0.7))


def test_a_stamp_on_a_scan_is_not_the_page() -> None:
    assert not trusted(layer("Received 12.11.2026"))


def test_no_words_at_all() -> None:
    assert not trusted(TextLayer((), 0.0, 0.0, 0.0))


def test_fonts_without_a_mapping() -> None:
    assert not trusted(replace(layer(), unmapped_share=0.2))


def test_a_shifted_encoding_is_noticed() -> None:
    shifted = "".join(chr(ord(c) - 29) if c.isalpha() else c for c in INVOICE.lower())
    assert any(c.isalpha() for c in shifted)
    rot = INVOICE.lower().translate(str.maketrans("aeioustn", "xkzqvjwb"))
    assert not trusted(layer(shifted))
    assert not trusted(layer(rot))


@pytest.mark.parametrize(
    "text",
    [
        "Счёт на оплату номер сто двадцать от третьего ноября Итого к оплате девяносто рублей",
        "Faktura nr sto dwadzieścia sprzedawca nabywca razem do zapłaty przelew brutto netto",
    ],
)
def test_other_scripts_and_consonant_rich_languages_are_trusted(text: str) -> None:
    assert trusted(layer(text * 2))


def test_letters_set_one_by_one() -> None:
    assert not trusted(layer(" ".join(INVOICE.replace(" ", ""))))


def test_a_page_drawn_on_its_side_is_to_be_turned_first() -> None:
    tall = [
        Word(word.text, Polygon.from_box(0.01 * n, 0.1, 0.01 * n + 0.008, 0.2))
        for n, word in enumerate(words(INVOICE))
    ]
    assert not trusted(TextLayer((Line(tuple(tall)),), 0.0, 0.0, 0.0))


def test_two_layers_over_each_other() -> None:
    twice = (Line(tuple(words(INVOICE))), Line(tuple(words(INVOICE))))
    assert not trusted(TextLayer(twice, 0.0, 0.0, 0.0))
