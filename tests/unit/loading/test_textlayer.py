from __future__ import annotations

import pytest

from lib.loading.textlayer import Glyph, character, is_space, is_unmapped, runs


def glyphs(text: str, *, start: float = 0.0, step: float = 5.0, y: float = 0.0) -> list[Glyph]:
    """Characters of a 10 point font, 5 points wide, side by side."""
    return [
        Glyph(ord(letter), start + step * n, y, start + step * n + 5.0, y + 10.0)
        for n, letter in enumerate(text)
    ]


def words(found: list[Glyph], quadrant: int = 0) -> list[str]:
    return [run.text for run in runs(found, lambda _: quadrant)]


def test_white_space_separates() -> None:
    assert words(glyphs("a bc\u00a0d\u2009e\nf")) == ["a", "bc", "d", "e", "f"]


def test_a_gap_separates_and_letter_spacing_does_not() -> None:
    assert words(glyphs("ab") + glyphs("cd", start=15.0)) == ["ab", "cd"]
    assert words(glyphs("abcd", step=8.0)) == ["abcd"]


def test_a_change_of_line_separates() -> None:
    assert words(glyphs("ab") + glyphs("cd", start=10.0, y=-12.0)) == ["ab", "cd"]


def test_a_jump_backwards_separates() -> None:
    assert words(glyphs("ab", start=100.0) + glyphs("cd")) == ["ab", "cd"]


def test_superscripts_stay_with_their_word() -> None:
    raised = [Glyph(ord("2"), 10.0, 4.0, 13.0, 10.0)]

    assert words(glyphs("m\u2082") + raised) == ["m\u20822"]


@pytest.mark.parametrize(
    ("quadrant", "turn"),
    [
        (1, lambda g: Glyph(g.code, -g.y1, g.x0, -g.y0, g.x1)),
        (2, lambda g: Glyph(g.code, -g.x1, -g.y1, -g.x0, -g.y0)),
        (3, lambda g: Glyph(g.code, g.y0, -g.x1, g.y1, -g.x0)),
    ],
)
def test_every_writing_direction(quadrant: int, turn: object) -> None:
    found = [turn(glyph) for glyph in glyphs("ab") + glyphs("cd", start=15.0)]

    assert words(found, quadrant) == ["ab", "cd"]


def test_a_run_knows_its_first_glyph_box_and_space() -> None:
    first, second, third = runs(glyphs("ab cd\nef"), lambda _: 0)

    assert (second.first, second.box) == (3, (15.0, 0.0, 25.0, 10.0))
    assert [first.spaced, second.spaced, third.spaced] == [False, True, False]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ord("€"), "€"),
        (0xFB01, "fi"),
        (0xFB03, "ffi"),
        (0x00AD, "-"),
        (0x0002, "-"),
        (0x0000, "\ufffd"),
        (0xE001, "\ufffd"),
        (0xFFFE, "\ufffd"),
        (0xD800, "\ufffd"),
        (0x1F600, "\U0001f600"),
        (0xBD, "½"),
    ],
)
def test_characters(code: int, expected: str) -> None:
    assert character(code) == expected
    assert is_unmapped(code) is (expected == "\ufffd")


def test_spaces() -> None:
    assert all(is_space(code) for code in (0x20, 0x0A, 0x0D, 0xA0, 0x2009, 0x202F, 0x200B, 0xFEFF))
    assert not any(is_space(code) for code in (0x00, 0x02, 0xAD, 0x41))
