"""A receiver of webhooks: a real HTTP server in a thread, that answers what it is told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """Where webhooks may be sent to, and what came."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hooks?customer=7"
        self.statuses: list[int] = []
        """What to answer, in turn; 200 when there is no more."""
        self.heard: queue.Queue[Heard] = queue.Queue()

    def next(self) -> Heard:
        """The next request; fails when none comes."""
        return self.heard.get(timeout=PATIENCE_S)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.end_headers()
            receiver.heard.put(Heard(self.path, headers, body))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
