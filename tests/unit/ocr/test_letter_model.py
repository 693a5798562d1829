"""The n-gram model: what counts, what is kept, how it is stored."""

import math
from pathlib import Path

import pytest

from lib.ocr.letter_model import (
    LetterModel,
    count_letters,
    load_letters,
    plain,
    save_letters,
)


def test_text_is_counted_in_capitals_with_its_digits_as_zero() -> None:
    assert plain(" Jalan\t4/12 ") == "JALAN 0/00"


def test_probabilities_follow_the_counts_and_back_off() -> None:
    model = count_letters([["QUEEN QUIET QUOTE"]] * 3)
    after_q = math.exp(model.log_probability(" Q", "U"))
    assert after_q > 0.5
    assert math.exp(model.log_probability("XYZQ", "U")) == pytest.approx(
        math.exp(model.log_probability("Q", "U"))
    )
    assert 0 < math.exp(model.log_probability(" Q", "Z")) < 0.01


def test_the_letters_behind_a_context_share_one() -> None:
    model = LetterModel({"A": 3, "B": 1, "AB": 2, "AA": 1})
    seen = sum(math.exp(model.log_probability("A", letter)) for letter in "AB")
    unseen = math.exp(model.log_probability("A", "C")) * 118
    assert seen + unseen == pytest.approx(1.0)


def test_one_source_counts_a_word_three_times_at_most() -> None:
    model = count_letters([["TEA " * 50], ["TEA"], ["TEA"]])
    assert model.counts["TEA"] == 5


def test_a_word_of_one_vendor_is_not_kept() -> None:
    model = count_letters([["SECRETPLACE MARKET"], ["MARKET"], ["MARKET"]])
    assert " MARKE" in model.counts
    assert not any("CRET" in gram for gram in model.counts)


def test_a_stored_model_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    model = count_letters([["Straße 4, Größe"]] * 3)
    first, second = tmp_path / "first", tmp_path / "second"
    save_letters(model, first)
    save_letters(load_letters(first), second)
    assert load_letters(first).counts == model.counts
    assert first.read_bytes() == second.read_bytes()


def test_the_shipped_model_knows_common_words_and_no_number() -> None:
    model = load_letters()
    assert model.log_probability(" TOTA", "L") > math.log(0.5)
    assert not any(character in "123456789" for gram in model.counts for character in gram)
