"""Images and replies across the process border, and replies that make no sense."""

import io
import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.document import Line, PageImage, Word
from lib.domain.geometry import Polygon
from lib.errors import Error, Kind
from lib.ocr.engine import OrientedReading
from lib.ocr.wire import Reply, receive_image, receive_reply, send_image, send_reply


def through(reply: Reply) -> Reply:
    stream = io.BytesIO()
    send_reply(stream, reply)
    stream.seek(0)
    return receive_reply(stream)


def test_an_image_arrives_as_it_was_sent() -> None:
    stream = io.BytesIO()
    image = PageImage(3, 2, bytes(range(18)))
    send_image(stream, image, 3)
    stream.seek(0)
    assert receive_image(stream) == (image, 3)
    with pytest.raises(EOFError):
        receive_image(stream)


unit = st.floats(0, 1)
polygons = st.builds(Polygon, st.tuples(*[st.tuples(unit, unit)] * 4))
texts = st.text(st.characters(exclude_categories=["Cs"]))
words = st.builds(Word, texts, polygons, unit)
lines = st.builds(lambda found: Line(tuple(found)), st.lists(words, max_size=3))
readings = st.builds(
    OrientedReading,
    st.lists(lines, max_size=3).map(tuple),
    st.sampled_from([0, 90, 180, 270]),
    st.integers(1, 9999),
    st.integers(1, 9999),
)


@given(readings)
def test_a_reading_arrives_to_the_last_digit(reading: OrientedReading) -> None:
    assert through(Reply(5, reading=reading)) == Reply(5, reading=reading)


def test_an_error_arrives_with_all_its_fields() -> None:
    sent = Error("page_too_large", Kind.UNPROCESSABLE, "Too large.", {"limit": 3}, retryable=True)
    found = through(Reply(1, error=sent)).error
    assert found is not None
    assert (found.code, found.kind, found.message) == (sent.code, sent.kind, sent.message)
    assert (found.details, found.retryable) == ({"limit": 3}, True)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"3",
        b"null",
        b"{}",
        orjson.dumps({"resident": 1, "engine": None, "reading": {"lines": [[1]]}, "error": None}),
        orjson.dumps({"resident": 1, "engine": None, "reading": 7, "error": None}),
        orjson.dumps({"resident": 1, "engine": None, "reading": None, "error": {"code": "x"}}),
        orjson.dumps({"resident": [], "engine": None, "reading": None, "error": None}),
    ],
)
def test_what_is_no_reply_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        receive_reply(io.BytesIO(struct.pack("<I", len(body)) + body))


def test_a_reply_longer_than_any_page_is_not_read() -> None:
    with pytest.raises(ValueError, match="too long"):
        receive_reply(io.BytesIO(struct.pack("<I", 0xFFFFFFFF)))
