"""JSON on the wire: exact numbers out, nothing doubtful in."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.api_cpu.request_context import is_request_id, new_request_id
from apps.api_cpu.wire import (
    dump,
    load_stored,
    load_untrusted,
    load_untrusted_exact,
    load_with_exact,
    timestamp,
)
from lib.errors import Error


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2))
def test_money_survives_with_its_decimals(amount: Decimal) -> None:
    text = dump({"amount": amount})
    assert text.decode() == f'{{"amount":{amount:f}}}'
    assert load_stored(text)["amount"] == amount
    assert dump(load_stored(text)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [("19.90", b"19.90"), ("1E+2", b"100"), ("0.00", b"0.00"), ("-0.10", b"-0.10")],
)
def test_no_exponents(number: str, text: bytes) -> None:
    assert dump(Decimal(number)) == text


@given(st.decimals(-(10**40), 10**40))
def test_any_number_is_written_out(number: Decimal) -> None:
    assert dump(number).decode() == f"{number:f}"


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.lists(st.floats(0.001, 1).map(lambda x: round(x, 5))),
    st.text() | st.just('{"response":1}'),
)
def test_what_is_loaded_to_be_said_again_is_written_as_it_was(
    amount: Decimal, polygon: list[float], text: str
) -> None:
    written = dump({
        "text": text, "response": {"total": amount, "again": {"response": polygon}},
        "ocr_words": [{"text": text, "polygon": polygon}],
    })  # fmt: skip
    loaded = load_with_exact(written, "response")
    assert loaded["response"]["total"] == amount
    assert loaded["ocr_words"] == [{"text": text, "polygon": polygon}]
    assert dump(loaded) == written


@pytest.mark.parametrize("data", [b"", b"{}", b'{"response":', b'{"text":"response:"}', b"\xff"])
def test_what_is_no_artifact_is_not_loaded(data: bytes) -> None:
    with pytest.raises(ValueError):
        load_with_exact(data, "response")


@pytest.mark.parametrize("number", ["NaN", "sNaN", "NaN123", "Infinity", "-Infinity"])
def test_numbers_without_a_value_are_refused(number: str) -> None:
    with pytest.raises(TypeError):
        dump({"amount": Decimal(number)})


@pytest.mark.parametrize(
    "text", [b"NaN", b"Infinity", b"1e999", b"[" * 5000, b'"\xff"', b"", b'{"a":1,}', b'"\\ud800"']
)
def test_doubtful_json_is_a_bad_request(text: bytes) -> None:
    with pytest.raises(Error) as caught:
        load_untrusted(text)
    assert caught.value.code == "bad_request"


def test_timestamps_are_rfc_3339_in_utc() -> None:
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 6000, UTC)) == "2026-01-02T03:04:05.006Z"


def test_made_ids_are_valid_unique_and_in_order_of_time() -> None:
    made = [new_request_id() for _ in range(200)]
    assert all(is_request_id(text) for text in made)
    assert len(set(made)) == 200
    assert [text[:13] for text in made] == sorted(text[:13] for text in made)


@pytest.mark.parametrize("text", ["", "-a", ".a", "a" * 129, "a b", "a\n", "é", "a/b", "٣"])
def test_other_ids_are_refused(text: str) -> None:
    assert not is_request_id(text)


@pytest.mark.parametrize("number", ["1" * 30, "-" + "1" * 30, "18446744073709551616", "1e99"])
def test_a_number_that_could_not_be_written_again_is_refused(number: str) -> None:
    with pytest.raises(Error) as caught:
        load_untrusted_exact(f'{{"total": {number}}}'.encode())
    assert caught.value.code == "bad_request"
    assert load_untrusted_exact(b'{"total": -19.90}') == {"total": Decimal("-19.90")}
