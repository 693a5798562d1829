"""The client against servers that misbehave on the wire: every row ends in time, with its code."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import certifi
import pytest
import trustme
from bad_upstream import (
    GOOD_BODY,
    BadServer,
    answer,
    bad_server,
    drip,
    hang,
    raw,
    refusing_address,
    then_close,
    then_reset,
)
from upstream_faults import ENDLESS, FAULTS, OK_HEAD, SERVER_ERROR, Fault

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.errors import Error
from lib.inference.addresses import AddressBook
from lib.inference.breaker import BreakerPolicy
from lib.inference.client import ChatAnswer
from lib.inference.connection import Timeouts
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.retry import RetryPolicy
from lib.inference.secret import Secret
from lib.inference.wire import ChatRequest, Message

# Nothing here may hang: the bound is pytest's, well above what the client is allowed to take.
pytestmark = pytest.mark.timeout(60)

KEY = "very-secret-key"
# More than the buffers of a connection hold.
LARGE = 64 << 20
REQUEST = ChatRequest(model="m", messages=(Message(role="user", content="total?"),))
SETTINGS = ClientSettings(
    timeouts=Timeouts(connect_s=30, read_s=30, write_s=30, pool_s=30),
    retry=RetryPolicy(first_pause_s=0.001, longest_pause_s=0.002, longest_retry_after_s=0.01),
    breaker=BreakerPolicy(threshold=50),
    max_body_bytes=1 << 20,
)
# For what never answers alone: an answer may take its time on a busy machine, and so may whatever
# comes before it. Together these bound an answer that drips.
HASTY = replace(SETTINGS, timeouts=Timeouts(connect_s=1.5, read_s=0.3, write_s=1.0, pool_s=0.2))


def ask(
    *addresses: str,
    settings: ClientSettings = SETTINGS,
    deadline_s: float = 50.0,
    calls: int = 1,
) -> ChatAnswer:
    """The last of `calls` calls one after the other, without background probes."""

    client = HttpInferenceClient(AddressBook(",".join(addresses)), Secret(KEY), settings)
    with closing(client):
        for _ in range(calls):
            given = client.complete(REQUEST, Deadline.after(deadline_s), request_id="r-1")
        return given


@contextmanager
def calling(client: HttpInferenceClient, request: ChatRequest = REQUEST) -> Iterator[Cancellation]:
    """A call under way in a thread, which has to be cancelled within the block."""
    cancellation = Cancellation()
    outcome: list[BaseException | None] = []

    def call() -> None:
        try:
            client.complete(request, Deadline.after(50), cancellation=cancellation)
        except Canceled as canceled:
            outcome.append(canceled)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield cancellation
        assert cancellation.is_set
    finally:
        cancellation.set()
        caller.join(30)
    assert len(outcome) == 1


def failing(server: BadServer, settings: ClientSettings = SETTINGS) -> Error:
    with pytest.raises(Error) as failed:
        ask(server.address, settings=settings)
    assert failed.value.details["attempts"]
    return failed.value


RETRIED = {name: fault for name, fault in FAULTS.items() if fault.attempts > 1}
FINAL = {name: fault for name, fault in FAULTS.items() if fault.attempts == 1}


@pytest.mark.parametrize("fault", RETRIED.values(), ids=RETRIED)
def test_what_passes_is_tried_again(fault: Fault) -> None:
    with bad_server(fault.step, answer()) as server:
        given = ask(server.address)
        assert given.text == "fine"
        assert given.call.failed_attempts == (fault.reason,)
        assert given.call.prompt_tokens == 3
        assert len(server.requests) == 2


@pytest.mark.parametrize("fault", RETRIED.values(), ids=RETRIED)
def test_what_stays_fails_after_three_attempts(fault: Fault) -> None:
    with bad_server(fault.step) as server:
        error = failing(server)
        assert (error.code, error.details["reason"]) == (fault.code, fault.reason)
        assert error.retryable
        if error.code == "inference_unavailable":
            assert error.details["retry_after_s"] >= 1
        assert len(server.requests) == len(error.details["attempts"])
        assert error.details["attempts"].count(fault.reason) == fault.attempts


@pytest.mark.parametrize(("name", "fault"), FINAL.items(), ids=FINAL)
def test_what_no_repetition_helps_is_asked_once(name: str, fault: Fault) -> None:
    with bad_server(fault.step) as server:
        error = failing(server, HASTY if name in ENDLESS else SETTINGS)
        assert (error.code, error.details["reason"]) == (fault.code, fault.reason)
        assert server.asked.wait(30), "its thread may have read the request after we gave it up"
        assert len(server.requests) == 1


def test_what_no_repetition_helps_on_one_server_another_may_do() -> None:
    for step in (hang, answer(b'{"error": "Unauthorized"}', "401 Unauthorized")):
        with bad_server(step) as bad, bad_server(answer()) as good:
            patient = replace(HASTY, timeouts=replace(HASTY.timeouts, read_s=2.0))
            assert ask(bad.address, good.address, settings=patient).text == "fine"
            assert bad.asked.wait(30)
            assert len(bad.requests) == 1


def test_refused_connections_are_tried_again_then_reported() -> None:
    with refusing_address() as address, pytest.raises(Error) as failed:
        ask(address)
    assert failed.value.code == "inference_unavailable"
    assert failed.value.details["attempts"] == ["connect"] * 3


def test_the_deadline_bounds_everything() -> None:
    patient = ClientSettings(timeouts=Timeouts(read_s=600))
    for step in (
        hang,
        drip(b"HTTP/1.1 200 OK\r\nX:"),
        drip(OK_HEAD + b"Content-Length: 999\r\n\r\n"),
    ):
        with bad_server(step) as server, pytest.raises(Error) as failed:
            ask(server.address, settings=patient, deadline_s=0.2)
        assert failed.value.code == "inference_timeout"


def test_a_pause_that_the_deadline_does_not_allow_is_not_begun() -> None:
    polite = ClientSettings(retry=RetryPolicy(longest_retry_after_s=600))
    busy = answer(b"", "503 Service Unavailable", "Retry-After: 60")
    with bad_server(busy) as server, pytest.raises(Error) as failed:
        ask(server.address, settings=polite, deadline_s=30)
    assert failed.value.code == "inference_unavailable"
    assert failed.value.details["retry_after_s"] == 60
    assert len(server.requests) == 1


def test_a_stale_connection_costs_no_attempt() -> None:
    once_only = ClientSettings(retry=RetryPolicy(max_attempts=1, reserve=0, ratio=0, per_second=0))
    for end in (then_reset(), then_close()):
        with bad_server(answer(), end, answer()) as server:
            given = ask(server.address, settings=once_only, calls=2)
            assert given.text == "fine"
            assert given.call.failed_attempts == ("stale_connection",)
            assert len(server.requests) == 3
            assert server.connections == 2


def test_a_kept_connection_that_breaks_within_the_answer_is_not_stale() -> None:
    once_only = ClientSettings(retry=RetryPolicy(max_attempts=1))
    for begun in (raw(OK_HEAD), raw(OK_HEAD + b"Content-Length: 99\r\n\r\n{")):
        with bad_server(answer(), then_reset(begun)) as server, pytest.raises(Error) as failed:
            ask(server.address, settings=once_only, calls=2)
        assert failed.value.details["attempts"] == ["reset"]
        assert len(server.requests) == 2


def test_a_stale_connection_is_told_of_the_call_that_met_it_alone() -> None:
    with bad_server(answer(), then_reset(), answer(), hang) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(KEY), SETTINGS)
        with closing(client):
            for _ in range(2):
                client.complete(REQUEST, Deadline.after(50))
            with pytest.raises(Error) as failed:
                client.complete(REQUEST, Deadline.after(0.5))
        assert failed.value.details["attempts"] == []
        assert client.snapshot().retries == {"stale_connection": 1}


def test_a_server_that_went_away_since_the_last_call_cannot_be_reached() -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(1 << 16)
        answer()(connection, threading.Event())
        connection.recv(1 << 16)
        listener.close()
        then_reset()(connection, threading.Event())

    once_only = ClientSettings(retry=RetryPolicy(max_attempts=1))
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    threading.Thread(target=serve, daemon=True).start()
    with pytest.raises(Error) as failed:
        ask(address, settings=once_only, calls=2)
    assert failed.value.details["attempts"] == ["stale_connection", "connect"]


def test_a_stale_connection_leaves_all_attempts() -> None:
    twice = ClientSettings(retry=RetryPolicy(max_attempts=2, first_pause_s=0.001))
    failing_once = answer(SERVER_ERROR, "500 Internal Server Error")
    with bad_server(answer(), then_reset(), failing_once, answer()) as server:
        given = ask(server.address, settings=twice, calls=2)
        assert given.call.failed_attempts == ("stale_connection", "server_error")


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks() -> None:
    patient = ClientSettings(retry=RetryPolicy(longest_retry_after_s=600, first_pause_s=0.001))
    busy = answer(b"", "503 Service Unavailable", "Retry-After: 500")
    with bad_server(busy) as first, bad_server(answer()) as second:
        ask(first.address, second.address, settings=patient, calls=4)
        assert len(first.requests) == 1
        assert len(second.requests) == 4


def test_no_more_connections_than_allowed() -> None:
    one = ClientSettings(
        timeouts=Timeouts(read_s=10, pool_s=0.1), max_connections=1, retry=RetryPolicy()
    )

    with bad_server(hang) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(""), one)
        with closing(client), calling(client) as first:
            assert server.asked.wait(30)
            with pytest.raises(Error) as failed:
                client.complete(REQUEST, Deadline.after(30))
            first.set()
        assert failed.value.code == "inference_unavailable"
        assert failed.value.details["reason"] == "no_connection_free"
        assert server.connections == 1


def test_a_call_that_waits_for_a_connection_can_be_cancelled() -> None:
    one = ClientSettings(timeouts=Timeouts(read_s=60, pool_s=60), max_connections=1)
    with bad_server(hang) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(""), one)
        with closing(client), calling(client) as first:
            assert server.asked.wait(30)
            with calling(client) as second:
                second.set()
            first.set()
        assert client.snapshot().canceled == 2
        assert server.connections == 1


def test_a_connection_that_is_given_back_is_taken_by_who_waits() -> None:
    one = ClientSettings(timeouts=Timeouts(read_s=60, pool_s=60), max_connections=1)
    with bad_server(hang, answer()) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(""), one)
        with closing(client), calling(client) as first, ThreadPoolExecutor(1) as threads:
            assert server.asked.wait(30)
            waiting = threads.submit(client.complete, REQUEST, Deadline.after(50))
            first.set()
            assert waiting.result(30).text == "fine"


def test_what_lay_there_before_the_request_is_no_answer_to_it() -> None:
    told = threading.Event()
    other, mine = (GOOD_BODY.replace(b"fine", text) for text in (b"another's", b"mine"))

    def twice(connection: socket.socket, over: threading.Event) -> None:
        answer()(connection, over)
        assert told.wait(30)
        answer(other)(connection, over)

    with bad_server(twice, answer(mine)) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(KEY), SETTINGS)
        with closing(client):
            client.complete(REQUEST, Deadline.after(50))
            told.set()
            time.sleep(0.3)
            assert client.complete(REQUEST, Deadline.after(50)).text == "mine"


def test_a_body_that_nobody_takes_is_not_sent_on_after_the_end() -> None:
    large = ChatRequest(model="m", messages=(Message(role="user", content="x" * LARGE),))

    taken = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = HttpInferenceClient(AddressBook(address), Secret(KEY), SETTINGS)
        with closing(client), calling(client, large) as begun:
            connection, _ = listener.accept()
            connection.settimeout(30)
            taken += len(connection.recv(1))
            begun.set()
        with connection, contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(1 << 20):
                taken += len(chunk)
    assert taken < LARGE


def test_an_answer_to_a_body_that_nobody_takes_is_heard() -> None:
    large = ChatRequest(model="m", messages=(Message(role="user", content="x" * LARGE),))
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = HttpInferenceClient(AddressBook(address), Secret(KEY), SETTINGS)
        with closing(client):
            asking = threads.submit(client.complete, large, Deadline.after(50))
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                time.sleep(0.5)  # until no more can be sent
                answer(b"", "413 Request Entity Too Large")(connection, threading.Event())
                with pytest.raises(Error) as failed:
                    asking.result(25)
    assert failed.value.details["reason"] == "too_many_tokens"


def test_what_tls_has_taken_off_the_socket_is_no_answer_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setattr(certifi, "where", lambda: str(trusted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    other, mine = (GOOD_BODY.replace(b"fine", text) for text in (b"another's", b"mine"))
    scripts = iter([(GOOD_BODY, other), (mine,), (mine,)])
    told: list[str] = []
    sent = threading.Event()

    def serve() -> None:
        for bodies in scripts:
            with contextlib.suppress(OSError):  # given up, or the test is over
                connection, _ = listener.accept()
                safe = context.wrap_socket(connection, server_side=True)
                while safe.recv(1 << 16):
                    for body in bodies:
                        answer(body)(safe, threading.Event())
                    sent.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        address = f"https://localhost:{listener.getsockname()[1]}"
        client = HttpInferenceClient(AddressBook(address), Secret(KEY), SETTINGS)
        with closing(client):
            for _ in range(2):
                told.append(client.complete(REQUEST, Deadline.after(50)).text)
                assert sent.wait(30)
    assert told == ["fine", "mine"]
    assert client.snapshot().retries == {"stale_connection": 1}


def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    context.wrap_socket(connection, server_side=True)

        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(Error) as failed:
            ask(f"https://localhost:{listener.getsockname()[1]}")
    assert failed.value.details["attempts"] == ["connect"] * 3


def test_a_new_connection_that_breaks_is_not_stale() -> None:
    once_only = ClientSettings(retry=RetryPolicy(max_attempts=1))
    with bad_server(then_reset()) as server, pytest.raises(Error) as failed:
        ask(server.address, settings=once_only)
    assert failed.value.details["attempts"] == ["reset"]


def test_the_budget_keeps_an_outage_from_being_multiplied() -> None:
    small = ClientSettings(
        retry=RetryPolicy(first_pause_s=0, longest_pause_s=0, reserve=2, ratio=0.1, per_second=0),
        breaker=BreakerPolicy(threshold=10_000),
    )

    with bad_server(answer(SERVER_ERROR, "500 Internal Server Error")) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(""), small)
        with closing(client):
            for _ in range(50):
                with pytest.raises(Error):
                    client.complete(REQUEST, Deadline.after(50))
            told = client.snapshot()
        retries = sum(told.retries.values())
        assert len(server.requests) == 50 + retries
        assert 2 < retries <= 2 + 50 * 0.1
        assert told.retries_refused == 49  # all but the first call, which had its three attempts


def test_what_fails_meanwhile_closes_the_connection() -> None:
    with bad_server(hang) as server:
        book = AddressBook(server.address)
        with HttpInferenceClient(book, Secret(KEY), ClientSettings()) as client:

            def fail_once_it_is_asked() -> None:
                assert server.asked.wait(30)
                raise LookupError

            with pytest.raises(LookupError):
                client.complete(REQUEST, Deadline.after(50), meanwhile=fail_once_it_is_asked)
            assert server.broken_off.wait(30)


def test_a_cancel_closes_the_connection() -> None:
    with bad_server(hang) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(KEY), SETTINGS)
        with closing(client):
            with calling(client) as cancellation:
                assert server.asked.wait(30)
                cancellation.set()
            assert server.broken_off.wait(30)
            with pytest.raises(Canceled):
                client.complete(REQUEST, Deadline.after(50), cancellation=cancellation)


def test_closing_the_client_ends_its_calls() -> None:
    with bad_server(hang) as server:
        client = HttpInferenceClient(AddressBook(server.address), Secret(KEY), ClientSettings())
        outcome: list[Error] = []

        def call() -> None:
            try:
                client.complete(REQUEST, Deadline.after(50))
            except Error as error:
                outcome.append(error)

        caller = threading.Thread(target=call)
        caller.start()
        assert server.asked.wait(30)
        client.close()
        caller.join(30)
        assert [error.code for error in outcome] == ["shutting_down"]
        assert server.broken_off.wait(30)
        client.close()


def test_what_is_sent() -> None:
    with bad_server(answer()) as server:
        ask(server.address + "/v1/")
        head = server.requests[0].lower()
        assert head.startswith(b"post /v1/chat/completions http/1.1")
        assert b"accept-encoding: identity" in head
        assert b"authorization: bearer very-secret-key" in head
        assert b"x-request-id: r-1" in head
        names = [line.split(b":")[0] for line in head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
        assert sorted(names) == [
            b"accept",
            b"accept-encoding",
            b"authorization",
            b"content-length",
            b"content-type",
            b"host",
            b"user-agent",
            b"x-request-id",
        ]


def test_the_key_shows_nowhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    steps = (answer(b'{"error": "Unauthorized"}', "401 Unauthorized"), then_reset(), hang, answer())
    for step in steps:
        with bad_server(step) as server:
            try:
                ask(server.address, deadline_s=0.5)
            except Error as error:
                shown = "".join(traceback.format_exception(error))
                assert KEY not in shown + repr(error) + str(error.details)
    assert KEY not in caplog.text
    # libcurl, asked to narrate, writes to the process's standard error, whatever is logged.
    assert KEY not in "".join(capfd.readouterr())
    assert KEY not in repr(Secret(KEY)) + str(Secret(KEY)) + f"{Secret(KEY)!r}"
    with pytest.raises(ValueError) as refused:
        Secret("two\r\nlines")
    assert "lines" not in str(refused.value)
