"""Boxes and polygons of a page, whatever numbers a recogniser gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.geometry import Polygon, bounding_polygon

# NaN and the infinities too.
ANY = st.floats()
ON_PAGE = st.floats(0, 1)
BOXES = st.builds(Polygon.from_box, ON_PAGE, ON_PAGE, ON_PAGE, ON_PAGE)


def box(polygon: Polygon) -> tuple[float, float, float, float]:
    return polygon.x0, polygon.y0, polygon.x1, polygon.y1


@given(ANY, ANY, ANY, ANY)
def test_a_box_lies_on_the_page_and_has_its_corners_in_order(
    x0: float, y0: float, x1: float, y1: float
) -> None:
    made = Polygon.from_box(x0, y0, x1, y1)
    assert all(0.0 <= value <= 1.0 for corner in made.corners for value in corner)
    assert made.x0 <= made.x1
    assert made.y0 <= made.y1
    top_left, top_right, bottom_right, bottom_left = made.corners
    assert (top_left[1], bottom_left[1]) == (top_right[1], bottom_right[1])
    assert (top_left[0], top_right[0]) == (bottom_left[0], bottom_right[0])
    assert Polygon.from_box(*box(made)) == made


@given(ON_PAGE, ON_PAGE, ON_PAGE, ON_PAGE)
def test_any_two_opposite_corners_make_the_same_box(
    x0: float, y0: float, x1: float, y1: float
) -> None:
    assert Polygon.from_box(x0, y0, x1, y1) == Polygon.from_box(x1, y1, x0, y0)


@given(st.lists(BOXES, min_size=1, max_size=6))
def test_what_bounds_holds_all_and_no_more(boxes: list[Polygon]) -> None:
    bound = bounding_polygon(boxes)
    assert bound.x0 == min(each.x0 for each in boxes)
    assert bound.y1 == max(each.y1 for each in boxes)
    assert bounding_polygon(reversed(boxes)) == bound
    assert bounding_polygon([*boxes, bound]) == bound


def test_nothing_has_no_bounds() -> None:
    with pytest.raises(ValueError, match="no polygons"):
        bounding_polygon([])
