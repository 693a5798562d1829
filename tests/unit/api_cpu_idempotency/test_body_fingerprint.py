"""The hash of a body: the same for what is the same, however it is cut and framed."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from apps.api_cpu.idempotency.fingerprint import FingerprintingReceive, fingerprint_for

FORM = "multipart/form-data; boundary="


def _form(boundary: str, **changes: str) -> bytes:
    part = {"name": "file", "filename": "a.pdf", "type": "application/pdf", "content": "%PDF"}
    part |= changes
    return (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{part["name"]}"; filename="{part["filename"]}"\r\n'
        f"Content-Type: {part['type']}\r\n\r\n"
        f"{part['content']}\r\n--{boundary}--\r\n"
    ).encode()


def _digest(content_type: str, *pieces: bytes) -> str | None:
    fingerprint = fingerprint_for(content_type)
    for piece in pieces:
        fingerprint.add(piece)
    return fingerprint.hexdigest()


@given(st.lists(st.integers(0, 200), max_size=8))
def test_it_does_not_matter_how_a_body_is_cut(cuts: list[int]) -> None:
    body = _form("frontier")
    edges = sorted({0, *(min(cut, len(body)) for cut in cuts), len(body)})
    pieces = [body[a:b] for a, b in pairwise(edges)]
    assert _digest(FORM + "frontier", *pieces) == _digest(FORM + "frontier", body)


def test_the_boundary_does_not_count() -> None:
    assert _digest(FORM + "one", _form("one")) == _digest(FORM + "two", _form("two"))


def test_two_sends_of_a_real_client_are_the_same() -> None:
    digests = set()
    for _ in range(2):
        files = {"file": ("a.pdf", b"%PDF-1.7", "application/pdf")}
        request = httpx.Request("POST", "http://x", files=files, data={"task_id": "auto"})
        digests.add(_digest(request.headers["content-type"], request.read()))
    assert len(digests) == 1
    assert None not in digests


@pytest.mark.parametrize(
    "changes",
    [
        {"content": "%PDX"},
        {"content": ""},
        {"name": "files"},
        {"filename": "b.pdf"},
        {"type": "image/png"},
    ],
)
def test_everything_that_an_endpoint_sees_counts(changes: dict[str, str]) -> None:
    assert _digest(FORM + "x", _form("x", **changes)) != _digest(FORM + "x", _form("x"))


@pytest.mark.parametrize(
    "body",
    [b"", b"no form", _form("x")[:-9], b"--x\r\nContent-Disposition: " + b"a" * 20_000],
)
def test_a_form_that_is_broken_or_cut_has_none(body: bytes) -> None:
    assert _digest(FORM + "x", body) is None


def test_json_and_a_form_of_the_same_bytes_differ() -> None:
    body = _form("x")
    assert _digest("application/json", body) != _digest(FORM + "x", body)
    assert _digest("application/json", b"{}") == _digest("application/json; charset=utf-8", b"{}")


def test_there_is_none_before_the_body_has_arrived() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.request", "body": b"}", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def run() -> None:
        tee = FingerprintingReceive(receive, fingerprint_for("application/json"))
        await tee()
        assert tee.hexdigest() is None
        await tee()
        whole = tee.hexdigest()
        assert whole == _digest("application/json", b"{}")
        await tee()
        assert tee.hexdigest() == whole

    asyncio.run(run())
