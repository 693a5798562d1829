from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest

from lib.domain.deadline import Deadline
from lib.domain.document import Line, Word
from lib.domain.extraction import Candidate, RawExtraction, Source
from lib.domain.geometry import Polygon
from lib.domain.page_images import ImageLimits, PagePart
from lib.domain.source import EInvoice, SourcePage, TextLayer
from lib.domain.task import DocumentType
from lib.errors import Error, Kind
from lib.loading import wire
from lib.loading.wire import Channel, Closed, Malformed


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def soon() -> Deadline:
    return Deadline.after(60)


def frame(head: bytes, body: bytes = b"") -> bytes:
    return struct.pack("!II", len(head), len(body)) + head + body


def test_a_large_message_arrives_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    body = bytes(range(256)) * 20_000
    sender = threading.Thread(
        target=lambda: Channel(theirs).send({"text": "ü€\U0001f600"}, body, until=soon())
    )
    sender.start()

    head, found = Channel(ours).receive(until=soon(), max_body=len(body))
    sender.join()

    assert (head, found) == ({"text": "ü€\U0001f600"}, body)


def test_a_message_that_drips_ends_at_the_deadline(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    theirs.sendall(frame(b"{}")[:5])

    with pytest.raises(TimeoutError):
        Channel(ours).receive(until=Deadline.after(0.02), max_body=0)


def test_a_message_that_nobody_reads_ends_at_the_deadline(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(TimeoutError):
        Channel(ends[0]).send({}, bytes(10_000_000), until=Deadline.after(0.02))


def test_the_end_of_the_other_side(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.close()

    with pytest.raises(Closed):
        Channel(ours).receive(until=soon(), max_body=0)
    with pytest.raises(Closed):
        Channel(ours).send({}, bytes(10_000_000), until=soon())


@pytest.mark.parametrize(
    "message",
    [
        struct.pack("!II", 0xFFFFFFFF, 0),
        struct.pack("!II", 2, 11) + b"{}",
        frame(b"not json"),
        frame(b"[]"),
        frame(b"\xff"),
        frame(b"[" * 100_000),
        frame(b'{"hidden_share": NaN}'),
    ],
)
def test_forged_messages(ends: tuple[socket.socket, socket.socket], message: bytes) -> None:
    ours, theirs = ends
    theirs.sendall(message)

    with pytest.raises(Malformed):
        Channel(ours).receive(until=soon(), max_body=10)


def through_json(head: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(head))
    return found


def test_a_page_survives() -> None:
    word = Word("19,90", Polygon.from_box(0.1, 0.2, 0.3, 0.4))
    layer = TextLayer((Line((word, word)), Line((word,))), 0.1, 0.2, 0.3)

    for page in (SourcePage(3, 10, 20, layer), SourcePage(3, 10, 20, None)):
        assert wire.page_from_json(3, through_json(wire.page_to_json(page))) == page


def test_an_einvoice_survives_to_the_last_decimal() -> None:
    number = Candidate("1.500", 1.0, Source.XML, value=Decimal("1.500"))
    text = Candidate("DE 1", 1.0, Source.XML, value="DE1")
    raw = RawExtraction(
        DocumentType.CREDIT_NOTE,
        1.0,
        {"total": (number,), "iban": (text,)},
        {"t": ({"a": number},)},
    )
    einvoice = EInvoice("ubl", "profile", raw)

    found = wire.einvoice_from_json(through_json(wire.einvoice_to_json(einvoice)))

    assert found == einvoice
    assert str(found.raw.fields["total"][0].value) == "1.500"


def test_an_error_survives() -> None:
    error = Error("too_many_pages", Kind.UNPROCESSABLE, "text", {"limit": 50})

    found = wire.error_from_json(through_json(wire.error_to_json(error))["error"])

    assert (found.code, found.kind, found.message) == (error.code, error.kind, error.message)
    assert found.details == error.details


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1,5", "1e999999999999999999"])
def test_a_forged_number_is_refused(value: str) -> None:
    invoice = {
        "syntax": "cii",
        "profile": "",
        "document_type": "invoice",
        "fields": {"total": [["1", value, True]]},
        "tables": {},
    }

    with pytest.raises(Malformed):
        wire.einvoice_from_json(invoice)


@pytest.mark.parametrize("found", [None, [], "text", {}, {"fields": {}}, 3])
def test_forged_shapes_are_refused(found: object) -> None:
    with pytest.raises(Malformed):
        wire.einvoice_from_json(found)
    with pytest.raises(Malformed):
        wire.error_from_json(found)


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"width": 1, "height": 1, "text_layer": {}},
        {"width": 1, "height": None, "text_layer": None},
        {"width": 1, "height": 1, "text_layer": {"lines": [[["a", 1]]]}},
        {"width": 1, "height": float("inf"), "text_layer": None},
    ],
)
def test_forged_pages_are_refused(head: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        wire.page_from_json(1, head)


def test_an_image_must_fill_its_size() -> None:
    assert wire.image_from_message({"width": 2, "height": 1}, bytes(6)).width == 2
    for head in ({"width": 2, "height": 2}, {"width": -2, "height": -1}, {"width": "x"}, {}):
        with pytest.raises(Malformed):
            wire.image_from_message(head, bytes(6))


def test_a_part_that_is_asked_for_survives() -> None:
    part = PagePart(2, (1240, 1754), 270, (0.1, 1 / 3, 0.7, 1.0))
    limits = ImageLimits(dpi=150, max_pixels=1_200_000, max_width=768, multiple=28, quality=80)

    assert wire.part_from_json(through_json(wire.part_to_json(part, limits))) == (part, limits)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ({"width": 2, "height": 1}, b""),
        ({"width": 2, "height": 1}, b"\xff\xd8"),
        ({"width": 2, "height": 1}, b"\x89PNG\r\n\x1a\n"),
        ({"width": 0, "height": 1}, b"\xff\xd8\xff"),
        ({"width": 2, "height": -1}, b"\xff\xd8\xff"),
        ({"width": 65_536, "height": 1}, b"\xff\xd8\xff"),
        ({"width": 2, "height": "many"}, b"\xff\xd8\xff"),
        ({"width": 2, "height": None}, b"\xff\xd8\xff"),
        ({"width": float("inf"), "height": 1}, b"\xff\xd8\xff"),
        ({"width": 2}, b"\xff\xd8\xff"),
    ],
)
def test_a_forged_jpeg_is_refused(head: dict[str, object], body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.encoded_from_message(head, bytearray(body))


def test_a_jpeg_is_handed_on_as_it_came() -> None:
    found = wire.encoded_from_message({"width": 2, "height": 1}, bytearray(b"\xff\xd8\xff..."))

    assert (found.media_type, found.width, found.height) == ("image/jpeg", 2, 1)
    assert found.data == b"\xff\xd8\xff..."
    assert isinstance(found.data, bytes)
