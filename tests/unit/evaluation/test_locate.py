"""Where a true value stands: amounts and dates by value, text across words and lines."""

import pytest

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.geometry import Polygon
from lib.domain.task import FieldType
from lib.evaluation.locate import locate

LINES = (
    "CORNER SHOP",
    "12 High Street",
    "Leeds LS1 4AB",
    "Date 03.11.2026 14:20",
    "TOTAL EUR 1.234,50",
)


def page(number=1, lines=LINES):
    """Each character is a hundredth wide, each line a tenth high."""
    made = []
    for row, text in enumerate(lines):
        words, x = [], 0
        for word in text.split():
            box = Polygon.from_box(x / 100, row / 10, (x + len(word)) / 100, row / 10 + 0.05)
            words.append(Word(word, box))
            x += len(word) + 1
        made.append(Line(tuple(words)))
    return Page(number, 100, 100, 0, PageSource.OCR, tuple(made))


def box(place):
    found = place.polygon
    return tuple(round(edge, 2) for edge in (found.x0, found.y0, found.x1, found.y1))


@pytest.mark.parametrize(
    ("truth", "kind", "expected"),
    [
        ("1234.50", FieldType.MONEY, (0.06, 0.4, 0.18, 0.45)),
        ("2026-11-03", FieldType.DATE, (0.05, 0.3, 0.15, 0.35)),
        ("corner-shop", FieldType.NAME, (0, 0, 0.11, 0.05)),
        ("12 High Street, Leeds", FieldType.ADDRESS, (0, 0.1, 0.14, 0.25)),
        ("12 Hiqh Street, Leeds", FieldType.ADDRESS, (0, 0.1, 0.14, 0.25)),
    ],
)
def test_the_place_is_the_box_around_the_words(truth, kind, expected):
    assert box(locate(truth, kind, [page()])) == expected


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        ("99.00", FieldType.MONEY),
        ("2026-03-12", FieldType.DATE),
        ("Somebody Else Ltd", FieldType.NAME),
        ("XY", FieldType.NAME),
        ("---", FieldType.NAME),
    ],
)
def test_what_is_not_printed_has_no_place(truth, kind):
    assert locate(truth, kind, [page()]) is None


def test_the_first_page_that_has_it_is_named():
    assert locate("LS1 4AB", FieldType.STRING, [page(1, ("nothing",)), page(2)]).page == 2
    assert locate("LS1 4AB", FieldType.STRING, [page(1, ())]) is None
