"""A port of its own for `GET /metrics` of a process that answers no other requests."""

from __future__ import annotations

import hmac
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import SecretStr

from apps.api_cpu.metrics.registry import CONTENT_TYPE, Metrics
from apps.api_cpu.rate_limits import RateLimit, network_of
from apps.api_cpu.settings import is_loopback
from lib.errors import Error, Kind

# A client that sends nothing gives its thread back.
_PATIENCE_S = 10.0


class MetricsListener:
    """Listens from construction to `stop`. The same rule as the server's: with a token whoever
    sends it, else callers of this machine.
    """

    def __init__(
        self,
        metrics: Metrics,
        host: str,
        port: int,
        token: SecretStr | None,
        failures: RateLimit | None = None,
    ) -> None:
        """`failures`: how often a wrong token may come from an address; None for no limit.

        Raises `storage_unavailable`, in words for an operator, when the port is not free.
        """

        class Handler(_Handler):
            known = metrics, token, failures

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as taken:
            reason = taken.strerror or "unknown"
            message = f"METRICS_PORT: {host}:{port} cannot be listened on: {reason}."
            raise Error("storage_unavailable", Kind.UNAVAILABLE, message) from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers `GET /metrics`, and nothing else."""

    known: tuple[Metrics, SecretStr | None, RateLimit | None]
    timeout = _PATIENCE_S
    server_version = "ocr-service"
    sys_version = ""

    def do_GET(self) -> None:
        """One scrape."""
        metrics, token, failures = self.known
        if self.path != "/metrics":
            self.send_error(404)
            return
        if not self._may(token):
            guessed = token is not None and "authorization" in self.headers
            self.send_error(404 if failures is None or not guessed else self._status(failures))
            return
        text = metrics.text()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: scrapes come every few seconds."""

    def _status(self, failures: RateLimit) -> int:
        """How a wrong token is answered: as if nothing were here, or that there were too many."""
        return 404 if failures.take(network_of(str(self.client_address[0]))).allowed else 429

    def _may(self, token: SecretStr | None) -> bool:
        if token is None:
            return is_loopback(str(self.client_address[0]))
        sent = self.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(sent.encode(), token.get_secret_value().encode())
