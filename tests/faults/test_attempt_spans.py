"""Spans of the attempts at inference servers: one each, with its own `traceparent` and outcome."""

from __future__ import annotations

from contextlib import closing

import pytest
from bad_upstream import answer, bad_server, refusing_address
from recorded_spans import RecordedSpan
from upstream_faults import FAULTS

from lib.domain.deadline import Deadline
from lib.domain.tracing import SpanKind
from lib.errors import Error
from lib.inference.addresses import AddressBook
from lib.inference.connection import Timeouts
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.retry import RetryPolicy
from lib.inference.secret import Secret
from lib.inference.wire import ChatRequest, Message

pytestmark = pytest.mark.timeout(60)

REQUEST = ChatRequest(model="m", messages=(Message(role="user", content="planted?"),))
SETTINGS = ClientSettings(
    timeouts=Timeouts(connect_s=5, read_s=30, write_s=30, pool_s=30),
    retry=RetryPolicy(first_pause_s=0.001, longest_pause_s=0.002, longest_retry_after_s=0.01),
)


def _asked(address: str, deadline_s: float = 30.0) -> RecordedSpan:
    """The span that a call was made in."""

    span = RecordedSpan()
    client = HttpInferenceClient(AddressBook(address), Secret("planted-key"), SETTINGS)
    with closing(client):
        try:
            client.complete(REQUEST, Deadline.after(deadline_s), request_id="r-1", span=span)
        except Error as error:
            span.fail(error.code)
    return span


def test_each_attempt_is_a_part_with_its_number_and_outcome() -> None:
    with bad_server(FAULTS["500"].step, answer()) as server:
        span = _asked(server.address)
        sent = [request.decode("latin-1").lower() for request in server.requests]
    first, second = span.parts
    assert (first.name, first.kind, first.is_open) == ("POST", SpanKind.CLIENT, False)
    assert first.failure == "server_error"
    assert first.attributes["http.response.status_code"] == 500
    assert "http.request.resend_count" not in first.attributes
    assert second.failure is None
    assert second.attributes["http.response.status_code"] == 200
    assert second.attributes["http.request.resend_count"] == 1
    for part, request in zip(span.parts, sent, strict=True):
        assert f"traceparent: {part.carrier['traceparent']}" in request
        assert "x-request-id: r-1" in request
    assert "planted" not in str(span)


def test_an_attempt_names_its_server() -> None:
    with refusing_address() as address:
        span = _asked(address)
    assert {part.failure for part in span.parts} == {"connect"}
    shown = span.parts[0].attributes
    assert shown["server.address"] == "127.0.0.1"
    assert shown["url.full"] == f"http://127.0.0.1:{shown['server.port']}/v1/chat/completions"


def test_an_attempt_that_the_deadline_ends_is_closed() -> None:
    with bad_server(FAULTS["body dripped"].step) as server:
        span = _asked(server.address, deadline_s=0.5)
    assert span.failure == "inference_timeout"
    assert [part.is_open for part in span.parts] == [False]


def test_without_a_trace_nothing_is_sent_of_one() -> None:
    with bad_server(answer()) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(""), SETTINGS)
        with closing(client):
            client.complete(REQUEST, Deadline.after(30))
        assert b"traceparent" not in server.requests[0].lower()
