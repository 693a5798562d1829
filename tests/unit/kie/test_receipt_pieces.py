"""Heads of receipts are cut where what a line says changes: labels in front, numbers behind."""

import pytest
from printed_receipts import printed

from lib.kie.cpu_extractor import read_mentions
from lib.kie.lexicon import load_lexicon
from lib.kie.receipts.pieces import head_pieces


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        ("GREEN HILL TRADERS LTD", ["GREEN HILL TRADERS LTD"]),
        ("GREEN HILL TRADERS (123456-X)", ["GREEN HILL TRADERS", "(123456-X)"]),
        ("OWNED BY: GREEN HILL LTD", ["OWNED BY:", "GREEN HILL LTD"]),
        ("Address: 12 Mill Road", ["Address:", "12 Mill Road"]),
        ("Alamat : JALAN MAWAR 12", ["Alamat :", "JALAN MAWAR 12"]),
        ("Address:", ["Address:"]),
        ("Name: Ann", ["Name: Ann"]),
        ("Pay to: 1234 Ltd Tel: 0123456", ["Pay to:", "1234 Ltd", "Tel: 0123456"]),
    ],
)
def test_lines_are_cut_into_what_they_say(line: str, pieces: list[str]) -> None:
    mentions = read_mentions([printed(f"  {line}\n  TOTAL 5.00")], load_lexicon(), "ms")
    found = [piece for piece in head_pieces(mentions) if piece.row.index == 0]
    assert [piece.text for piece in found] == pieces


@pytest.mark.parametrize(
    ("line", "foreign"),
    [
        ("Mobile /", True),
        ("Tel:", True),
        ("Tel: 012-918 7937", True),
        ("40170 SETIA ALAM", False),
        ("PARADIGM MALL", False),
    ],
)
def test_a_label_of_a_phone_is_part_of_no_address(line: str, foreign: bool) -> None:
    mentions = read_mentions([printed(f"  {line}\n  TOTAL 5.00")], load_lexicon(), "en")
    (piece, *_) = head_pieces(mentions)
    assert piece.is_foreign_to_addresses is foreign
