"""Words and lines cut out of a segment by the places of its characters."""

import numpy as np
import pytest

from lib.ocr.recognition import Segment
from lib.ocr.words import PlacedLine, place_lines

PAGE = (1000, 500)


def segment(
    text: str, positions: list[float] | None = None, quad: list[tuple[float, float]] | None = None
) -> Segment:
    """A segment 400 x 20 pixels at (100, 100), its characters spread evenly unless said."""
    count = len(text)
    places = positions or [(index + 0.5) / count for index in range(count)]
    corners = quad or [(100, 100), (500, 100), (500, 120), (100, 120)]
    return Segment(
        quad=np.array(corners, np.float32),
        text=text,
        confidences=np.linspace(0.8, 1.0, count, dtype=np.float32),
        positions=np.array(places, np.float32),
    )


def placed(of: Segment) -> list[PlacedLine]:
    return list(place_lines(of, *PAGE))


def test_words_are_cut_at_spaces_and_tile_the_segment() -> None:
    (line,) = placed(segment("TOTAL DUE 9.90"))
    words = line.line.words
    assert [word.text for word in words] == ["TOTAL", "DUE", "9.90"]
    assert words[0].polygon.x0 == pytest.approx(0.1)
    assert words[0].polygon.x1 == pytest.approx(0.1 + 0.4 * 5 / 14, abs=1e-3)
    assert words[1].polygon.x0 == pytest.approx(0.1 + 0.4 * 6 / 14, abs=1e-3)
    assert words[2].polygon.x1 == pytest.approx(0.5)
    assert (words[0].polygon.y0, words[0].polygon.y1) == pytest.approx((0.2, 0.24))


def test_a_words_confidence_is_the_mean_of_its_characters() -> None:
    (line,) = placed(segment("ab cd"))
    assert [word.confidence for word in line.line.words] == pytest.approx([0.825, 0.975])


def test_a_column_gap_splits_the_segment_into_lines() -> None:
    left = [0.02, 0.05, 0.08]
    right = [0.85, 0.88, 0.91, 0.94]
    lines = placed(segment("Tea 4.25", [*left, 0.1, *right]))
    assert [found.line.text for found in lines] == ["Tea", "4.25"]
    first, second = (found.line.polygon for found in lines)
    assert first.x1 < 0.15
    assert second.x0 > 0.4
    assert float(lines[1].quad[0][0]) == pytest.approx(second.x0 * PAGE[0], abs=0.5)


def test_a_wide_word_space_is_no_column_gap() -> None:
    lines = placed(segment("ab cd", [0.05, 0.1, 0.12, 0.17, 0.22]))
    assert [found.line.text for found in lines] == ["ab cd"]


def test_letters_set_wide_apart_are_no_columns() -> None:
    (line,) = placed(segment("S A L E"))
    assert line.line.text == "S A L E"


def test_words_follow_a_skewed_quad() -> None:
    quad = [(100, 100), (500, 200), (495, 220), (95, 120)]
    (line,) = placed(segment("ab cd", quad=quad))
    first, second = (word.polygon.corners for word in line.line.words)
    assert first[0] == pytest.approx((0.1, 0.2))
    assert second[0][1] > first[1][1] > first[0][1]
    assert second[2] == pytest.approx((0.495, 0.44))


@pytest.mark.parametrize("text", ["", " ", "   "])
def test_a_segment_of_nothing_has_no_lines(text: str) -> None:
    assert placed(segment(text)) == []


def test_a_lone_character_fills_its_segment() -> None:
    (line,) = placed(segment("1", quad=[(10, 10), (20, 10), (20, 30), (10, 30)]))
    assert line.line.words[0].polygon.x1 == pytest.approx(0.02)
