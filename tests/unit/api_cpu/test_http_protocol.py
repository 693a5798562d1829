"""A connection is not held by a client that is slow: to ask, to end its body, to read. An answer
is written at once, a stream as it comes.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from apps.api_cpu.http_protocol import EnvelopeProtocol

_LONG_ANSWER = b"x" * (64 << 20)  # more than the sockets' buffers take


_PATIENCE_S = 60.0  # the tests' own


class _Impatient(EnvelopeProtocol):
    head_s = 2.0  # in which a busy machine gets from a connection to its request
    linger_s = stall_s = 0.3
    most_connections = 8
    refused_s = 60.0  # for a busy machine; it ends with the client


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading the body; `/slow` reads it first."""
    if scope["path"] == "/slow":
        while (await receive()).get("more_body"):
            pass
    body = _LONG_ANSWER if scope["path"] == "/long" else b"done"
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": body})


@contextmanager
def _serving() -> Iterator[uvicorn.Server]:
    config = uvicorn.Config(
        _app, port=0, http=_Impatient, ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(_PATIENCE_S)
    assert not thread.is_alive(), "an open connection kept the server from stopping"


@pytest.fixture(scope="module")
def server() -> Iterator[uvicorn.Server]:
    with _serving() as server:
        yield server


@pytest.fixture
def address(server: uvicorn.Server) -> tuple[str, int]:
    return _address(server)


def _address(server: uvicorn.Server) -> tuple[str, int]:
    found: tuple[str, int] = server.servers[0].sockets[0].getsockname()
    return found


def _until(condition: Callable[[], bool]) -> None:
    """Poll for a state that the server's thread brings about."""
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def _drip(connection: socket.socket, drop: bytes) -> bytes:
    """Send a drop again and again until the server hangs up; what it had sent by then."""
    received = b""
    connection.settimeout(0.05)
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            connection.sendall(drop)
            chunk = connection.recv(65536)
            if not chunk:
                return received
            received += chunk
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return received
    raise AssertionError("the connection was still open")


@pytest.mark.parametrize(
    ("sent", "drop"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n", b"a: b\r\n"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
def test_a_dripping_client_is_hung_up_on(
    address: tuple[str, int], sent: bytes, drop: bytes
) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(sent)
        received = _drip(connection, drop)
    assert received.count(b"done") == sent.count(b"\r\n\r\n")


def test_a_client_that_does_not_read_is_hung_up_on(
    server: uvicorn.Server, address: tuple[str, int]
) -> None:
    _until(lambda: not server.server_state.connections)  # those of other tests
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        _until(lambda: bool(server.server_state.connections))
        _until(lambda: not server.server_state.connections)
        received = 0
        connection.settimeout(_PATIENCE_S)
        try:
            while chunk := connection.recv(1 << 20):
                received += len(chunk)
        except ConnectionResetError:
            pass
    assert received < len(_LONG_ANSWER)


def test_a_request_that_is_served_is_not_timed(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=_PATIENCE_S) as connection:
        connection.sendall(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        for _ in range(3):
            threading.Event().wait(_Impatient.head_s / 2)
            connection.sendall(b"x")
        received = b""
        while b"done" not in received:
            chunk = connection.recv(65536)
            assert chunk
            received += chunk


def test_one_connection_too_many_is_told_so_and_room_comes_back() -> None:
    with _serving() as server:
        address = _address(server)
        held = [_begun(address) for _ in range(_Impatient.most_connections)]
        with socket.create_connection(address, timeout=_PATIENCE_S) as one_more:
            one_more.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            received = b""
            while chunk := one_more.recv(65536):
                received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"retry-after: 5" in head.lower()
        error = json.loads(body)["error"]
        assert error["code"] == "inference_unavailable"
        assert error["request_id"]
        for connection in held:
            connection.close()
        while not _answers(address):
            pass


def _begun(address: tuple[str, int]) -> socket.socket:
    """A connection that the server serves and that is not timed."""
    connection = socket.create_connection(address, timeout=_PATIENCE_S)
    connection.sendall(
        b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    )
    assert connection.recv(65536).startswith(b"HTTP/1.1 100")
    return connection


def _answers(address: tuple[str, int]) -> bool:
    with socket.create_connection(address, timeout=_PATIENCE_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return connection.recv(65536).startswith(b"HTTP/1.1 200")


class _Connection(asyncio.Transport):
    """One request of a client that reads at once; what it is sent, as it is written."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.begun = asyncio.Event()
        self._state = ServerState()
        config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
        self._protocol = EnvelopeProtocol(config, self._state, {}, asyncio.get_running_loop())
        self._protocol.connection_made(self)
        self._protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    async def answered(self) -> None:
        await asyncio.gather(*self._state.tasks)
        self._protocol.connection_lost(None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            self.pieces.append(bytes(data))
            self.begun.set()

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def test_an_answer_is_written_with_its_head() -> None:
    async def written() -> list[bytes]:
        connection = _Connection(_app)
        await connection.answered()
        return connection.pieces

    (answer,) = asyncio.run(written())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\ndone")


def test_a_stream_is_written_as_it_comes() -> None:
    async def written() -> list[bytes]:
        goes_on = asyncio.Event()

        async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await goes_on.wait()
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            await send({"type": "http.response.body", "body": b"two", "more_body": False})

        connection = _Connection(stream)
        await connection.begun.wait()
        goes_on.set()
        await connection.answered()
        return connection.pieces

    head, *body = asyncio.run(written())
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert body == [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]
