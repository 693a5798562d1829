"""Strict JSON: what a model or a broken server may write."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.inference.strict_json import parse


def test_money_is_exact() -> None:
    assert parse(b'{"total": 19.90, "n": 3}') == {"total": Decimal("19.90"), "n": 3}


def test_a_raw_control_character_in_a_string_is_accepted() -> None:
    assert parse('{"name": "A\x01B\n"}') == {"name": "A\x01B\n"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"total": "12',
        "{} {}",
        "<html>Bad gateway</html>",
        "NaN",
        '{"total": -Infinity}',
        '{"total": 9E5750}',
        '{"total": 1e-99999999999999999999}',
        "9" * 5000,
        "0." + "9" * 5000,
        "[" * 200_000,
        "[" * 80 + "]" * 80,
        '{"total": 1, "total": 2}',
        '{"name": "\\ud800"}',
        '{"\\udc00": 1}',
        '{"name": "\ud800"}',
        '[["\\udc00"]]',
        b'{"name": "\xff"}',
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_traps_are_refused_with_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError) as refused:
        parse(text)
    assert type(refused.value) is ValueError


@given(st.text() | st.binary())
def test_nothing_else_is_ever_raised(text: str | bytes) -> None:
    try:
        parse(text)
    except ValueError as refused:
        assert type(refused) is ValueError
