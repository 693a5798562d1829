"""Doubtful letters settled by context, full stops that are commas, and what is never touched."""

import numpy as np
import pytest

from lib.ocr.doubts import Doubt, Option
from lib.ocr.letter_model import count_letters
from lib.ocr.recognition import Segment
from lib.ocr.spelling import respell

MODEL = count_letters(
    [["HARDWARE STORE", "JALAN UTAMA", "MARKET HALL", "Straße", "12345 TOWN", "5 STARS"]] * 3
)


def doubt(index: int, odds: float, option: str, between: bool = False) -> Doubt:
    return Doubt(index, between, (Option(option, odds, 0.3, 0.5),))


def segment(text: str, *doubts: Doubt) -> Segment:
    count = max(1, len(text))
    return Segment(
        quad=np.array([(0, 0), (400, 0), (400, 20), (0, 20)], np.float32),
        text=text,
        confidences=np.full(len(text), 0.9, np.float32),
        positions=((np.arange(len(text)) + 0.5) / count).astype(np.float32),
        doubts=doubts,
    )


def read(text: str, *doubts: Doubt, accents: bool = False) -> str:
    return respell(segment(text, *doubts), MODEL, accents).text


def test_context_chooses_the_runner_up() -> None:
    assert read("HARDWAKE STORE", doubt(6, -1.5, "R")) == "HARDWARE STORE"
    assert read("J1LAN UTARA", doubt(1, -2.0, "A"), doubt(9, -0.5, "M")) == "JALAN UTAMA"


def test_a_right_letter_is_not_changed_for_a_close_runner_up() -> None:
    assert read("HARDWARE STORE", doubt(6, -0.1, "K")) == "HARDWARE STORE"


def test_odds_that_are_too_long_are_not_taken() -> None:
    assert read("HARDWAKE", doubt(6, -9.0, "R")) == "HARDWAKE"


def test_a_text_without_doubts_is_the_same_segment() -> None:
    sure = segment("HARDWAKE")
    assert respell(sure, MODEL, True) is sure


def test_letters_are_put_in_and_taken_out_with_their_places() -> None:
    added = respell(segment("MARET", doubt(3, -0.5, "K", between=True)), MODEL, False)
    assert added.text == "MARKET"
    assert added.confidences[3] == pytest.approx(0.3)
    dropped = respell(segment("MARRKET", doubt(3, -0.5, "")), MODEL, False)
    assert dropped.text == "MARKET"
    for changed in (added, dropped):
        assert len(changed.confidences) == len(changed.positions) == len(changed.text)
        assert np.all(np.diff(changed.positions) >= 0)


def test_a_changed_letter_keeps_the_doubt_of_its_place() -> None:
    changed = respell(segment("HARDWAKE", doubt(6, -1.0, "R")), MODEL, False)
    assert changed.confidences[6] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12345 TOWN", doubt(2, -0.01, "8")),  # another digit
        ("12345 TOWN", doubt(2, -0.01, "")),  # a digit less
        ("1234 TOWN", doubt(4, -0.01, "5", between=True)),  # a digit more
        ("12/45", doubt(2, -0.01, "1")),  # a digit for a sign
        ("4.50 HALL", doubt(1, -0.01, "A")),  # a letter for a full stop
        ("JUICE 0,2l", doubt(9, -0.1, "1")),
    ],
)
def test_numbers_are_not_made_up(text: str, found: Doubt) -> None:
    assert read(text, found) == text


def test_a_digit_among_letters_and_a_letter_among_digits_are_exchanged() -> None:
    assert read("H4RDWARE", doubt(1, -1.0, "A")) == "HARDWARE"
    assert read("1234S TOWN", doubt(4, -1.0, "5")) == "12345 TOWN"


def test_accents_are_options_only_on_a_page_that_prints_them() -> None:
    assert read("StraBe", doubt(4, -1.0, "ß")) == "StraBe"
    assert read("StraBe", doubt(4, -1.0, "ß"), accents=True) == "Straße"


def test_a_letter_takes_the_case_of_its_neighbours() -> None:
    assert read("HAL1", doubt(3, -1.0, "l")) == "HALL"
    assert read("Hal1", doubt(3, -1.0, "l")) == "Hall"


@pytest.mark.parametrize(
    ("text", "odds", "expected"),
    [
        ("JALAN UTAMA. MARKET", -2.0, "JALAN UTAMA, MARKET"),
        ("JALAN UTAMA. MARKET", -3.5, "JALAN UTAMA. MARKET"),
        ("JALAN 21/60. UTAMA", -2.0, "JALAN 21/60, UTAMA"),
        ("UTAMA 3.12345 TOWN", -2.0, "UTAMA 3,12345 TOWN"),  # a postcode follows
        ("TOTAL 12.50", -0.1, "TOTAL 12.50"),
        ("MR. SMITH", -2.0, "MR. SMITH"),
        ("P. SMITH", -2.0, "P. SMITH"),
    ],
)
def test_a_full_stop_is_a_comma_where_its_odds_say_so(
    text: str, odds: float, expected: str
) -> None:
    assert read(text, doubt(text.index("."), odds, ",")) == expected


def test_a_faint_comma_is_put_at_the_end_of_a_word_only() -> None:
    assert read("JALAN UTAMA", doubt(11, -2.0, ",", between=True)) == "JALAN UTAMA,"
    assert read("JALAN UTAMA", doubt(5, -2.0, ",", between=True)) == "JALAN, UTAMA"
    assert read("JALAN UTAMA", doubt(3, -2.0, ",", between=True)) == "JALAN UTAMA"


def test_doubts_are_settled_once() -> None:
    changed = respell(segment("HARDWAKE", doubt(6, -1.0, "R")), MODEL, False)
    assert respell(changed, MODEL, False) is changed
