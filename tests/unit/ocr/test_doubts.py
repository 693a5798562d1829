"""What else may be written: options found in the recogniser's columns."""

import math

import numpy as np
import pytest

from lib.ocr.doubts import Doubt, find_doubts

ALPHABET = ("", "A", "B", "8", ".", ",", "É", " ")
Column = dict[str, float]


def doubts(*columns: Column) -> tuple[Doubt, ...]:
    """The doubts of a text whose columns have these probabilities; the rest is spread thinly."""
    classes = np.zeros((len(columns), 4), np.int64)
    probabilities = np.zeros((len(columns), 4), np.float32)
    for row, column in enumerate(columns):
        ranked = sorted(column.items(), key=lambda item: -item[1])
        ranked += [(name, 1e-6) for name in ALPHABET if name not in column]
        for place, (name, probability) in enumerate(ranked[:4]):
            classes[row, place] = ALPHABET.index(name)
            probabilities[row, place] = probability
    best = classes[:, 0]
    starts = [
        row for row in range(len(best)) if best[row] and (row == 0 or best[row] != best[row - 1])
    ]
    return find_doubts(classes, probabilities, starts, float(len(columns)), ALPHABET)


def test_a_sure_text_has_no_doubts() -> None:
    assert doubts({"A": 0.99}, {"": 0.99}, {"B": 0.99}) == ()


def test_the_runner_up_is_an_option_with_its_odds_and_place() -> None:
    (doubt,) = doubts({"A": 0.99}, {"": 0.99}, {"8": 0.8, "B": 0.2}, {"": 0.99})
    assert (doubt.index, doubt.between) == (1, False)
    (option,) = doubt.options
    assert option.text == "B"
    assert option.log_odds == pytest.approx(math.log(0.25))
    assert option.confidence == pytest.approx(0.2)
    assert option.position == pytest.approx(2.5 / 4)


def test_columns_of_one_character_count_together() -> None:
    (doubt,) = doubts({"8": 0.9, "B": 0.02}, {"8": 0.6, "B": 0.3})
    assert doubt.options[0].log_odds == pytest.approx(math.log(0.3 / 0.9))


def test_a_character_may_not_be_there_only_if_no_column_insists() -> None:
    (doubt,) = doubts({"A": 0.6, "": 0.4})
    assert doubt.options[0].text == ""
    assert doubt.options[0].log_odds == pytest.approx(math.log(0.4 / 0.6))
    assert doubts({"A": 0.6, "": 0.4}, {"A": 0.99}) == ()


def test_what_shows_where_nothing_was_read_stands_between() -> None:
    (doubt,) = doubts({"A": 0.99}, {"": 0.7, "8": 0.2}, {"B": 0.99})
    assert (doubt.index, doubt.between) == (1, True)
    assert doubt.options[0].text == "8"


def test_the_edge_of_a_neighbour_is_no_character_of_its_own() -> None:
    assert doubts({"A": 0.99}, {"": 0.7, "A": 0.2}, {"B": 0.99}) == ()


def test_a_comma_beside_the_column_of_a_full_stop_is_an_option_for_it() -> None:
    found = doubts({"A": 0.99}, {".": 0.9}, {"": 0.9, ",": 0.05}, {"B": 0.99})
    at_the_stop = next(doubt for doubt in found if not doubt.between)
    assert [option.text for option in at_the_stop.options] == [","]


def test_another_case_is_no_other_letter() -> None:
    assert find_doubts(
        np.array([[1, 2, 0, 0]]),
        np.array([[0.6, 0.4, 0, 0]], np.float32),
        [0],
        1.0,
        ("", "o", "O"),
    ) == ()  # fmt: skip
