"""An inference server made of bytes: each request gets the next step of a script, good or bad."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Step = Callable[[socket.socket, threading.Event], None]
"""Answers one request on its connection; the event says that the test is over."""

GOOD_BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "fine"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
).encode()

MODELS_BODY = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'


def answer(
    body: bytes = GOOD_BODY, status: str = "200 OK", *headers: str, length: int | None = None
) -> Step:
    """A whole answer; with a wrong `length` it is one that never ends or is cut."""
    head = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return raw("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def raw(data: bytes) -> Step:
    """These bytes, then the connection stays open for the next request."""
    return lambda connection, _: connection.sendall(data)


def then_close(*steps: Step) -> Step:
    """The steps, then an orderly end."""

    def step(connection: socket.socket, over: threading.Event) -> None:
        for each in steps:
            each(connection, over)
        connection.shutdown(socket.SHUT_WR)
        connection.close()

    return step


def then_reset(*steps: Step) -> Step:
    """The steps, then a TCP reset."""

    def step(connection: socket.socket, over: threading.Event) -> None:
        for each in steps:
            each(connection, over)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return step


def hang(_: socket.socket, over: threading.Event) -> None:
    """Nothing, until the test is over."""
    over.wait()


def drip(data: bytes, every_s: float = 0.02) -> Step:
    """These bytes, then one blank after the other: each read is answered, the answer never ends."""

    def step(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(data)
        while not over.wait(every_s):
            connection.sendall(b" ")

    return step


def endless(data: bytes, chunk: bytes) -> Step:
    """These bytes, then the chunk for as long as anybody listens."""

    def step(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(data)
        while not over.is_set():
            connection.sendall(chunk)

    return step


def gzip_bomb() -> Step:
    """10 MB of zeros in 10 kB, although no compression was asked for."""
    return answer(gzip.compress(bytes(10_000_000)), "200 OK", "Content-Encoding: gzip")


_PROBED = answer(MODELS_BODY, "200 OK", "Connection: close")


class BadServer:
    """Serves the script, one step a request whatever the connection; the last step for good.

    With `probed` it answers every GET as a server in good health does, and the script the others.
    """

    def __init__(self, script: Sequence[Step], *, probed: bool = False) -> None:
        self._script = list(script)
        self._probed = probed
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self.requests: list[bytes] = []
        self.asked = threading.Event()
        """Set with the first POST."""
        self.broken_off = threading.Event()
        """Set when a client closed a connection on which it was owed an answer."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def play(self, *script: Step) -> None:
        """Serve this from the next request on."""
        with self._lock:
            self._script = list(script)
            self.requests.clear()
            self.asked.clear()
            self.broken_off.clear()

    def end(self) -> None:
        """Stop listening and let every step go on."""
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        with connection:
            try:
                while (request := _read_request(connection)) is not None:
                    if self._probed and request.startswith(b"GET"):
                        # Not kept: a step of the script on it would be that of a stale connection.
                        then_close(_PROBED)(connection, self._over)
                        return
                    with self._lock:
                        self.requests.append(request)
                        if request.startswith(b"POST"):
                            self.asked.set()
                        step = self._script[0] if len(self._script) == 1 else self._script.pop(0)
                    watch = threading.Thread(target=self._watch, args=(connection,), daemon=True)
                    if step is hang:
                        watch.start()
                    step(connection, self._over)
            except OSError:
                return

    def _watch(self, connection: socket.socket) -> None:
        try:
            if connection.recv(1, socket.MSG_PEEK) == b"":
                self.broken_off.set()
        except OSError:
            self.broken_off.set()


def _read_request(connection: socket.socket) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionError("ended within its body")
        body += chunk
    return head + b"\r\n\r\n" + body


@contextmanager
def bad_server(*script: Step, probed: bool = False) -> Iterator[BadServer]:
    """A server with this script, ended with the block."""
    server = BadServer(script, probed=probed)
    try:
        yield server
    finally:
        server.end()


@contextmanager
def refusing_address() -> Iterator[str]:
    """An address at which nobody listens: it is taken, so that nobody else comes there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
