"""Rows and columns into reading order, on level, skewed and curved pages."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ocr.quads import Quad
from lib.ocr.reading_order import in_reading_order


def box(x: float, y: float, width: float = 100, height: float = 20) -> Quad:
    return np.array(
        [(x, y), (x + width, y), (x + width, y + height), (x, y + height)], dtype=np.float32
    )


def turned(quad: Quad, degrees: float) -> Quad:
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (quad @ turn).astype(np.float32)


TABLE = {
    f"{row}{column}": box(60 + 220 * column, 50 + 34 * row)
    for row in range(8)
    for column in range(3)
}


@pytest.mark.parametrize("degrees", [0, 3, -3, 12, -12, 25])
def test_a_table_is_read_row_by_row_at_any_skew(degrees: float) -> None:
    names = sorted(TABLE, key=lambda name: (name[1], name[0]))  # column by column
    places = [turned(TABLE[name], degrees) for name in names]
    assert in_reading_order(names, places) == sorted(TABLE)


def test_rows_may_differ_in_size_and_sit_a_little_askew() -> None:
    places = [box(300, 104, 60, 16), box(10, 100, 200, 24), box(10, 130, 200, 20)]
    assert in_reading_order(["amount", "label", "next"], places) == ["label", "amount", "next"]


def test_a_row_may_climb_along_curved_paper() -> None:
    def along_curve(left: float, right: float, base: float) -> Quad:
        top = [base - 0.0004 * x * x for x in (left, right)]
        return np.array(
            [(left, top[0]), (right, top[1]), (right, top[1] + 20), (left, top[0] + 20)], np.float32
        )

    spans = [(0, 150), (160, 310), (320, 470)]
    places = [along_curve(*span, base=base) for base in (130, 160) for span in spans]
    assert in_reading_order("abcdef", places) == list("abcdef")


def test_segments_above_each_other_are_never_one_row() -> None:
    places = [box(10, 108, 300, 20), box(12, 100, 300, 20)]
    assert in_reading_order(["lower", "upper"], places) == ["upper", "lower"]


def test_none_and_one() -> None:
    assert in_reading_order([], []) == []
    assert in_reading_order(["a"], [box(0, 0)]) == ["a"]


@given(
    st.lists(
        st.tuples(st.floats(0, 2000), st.floats(0, 2000), st.floats(0, 500), st.floats(0, 100)),
        max_size=30,
    )
)
def test_every_segment_comes_out_once(boxes: list[tuple[float, float, float, float]]) -> None:
    places = [box(*values) for values in boxes]
    assert sorted(in_reading_order(range(len(places)), places)) == list(range(len(places)))
