"""A proxy before an S3 server: TLS, signatures, R2's refusals, and faults as a script says."""

from __future__ import annotations

import hashlib
import hmac
import html
import http.client
import ssl
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme


@dataclass(frozen=True)
class Credentials:
    """What requests must be signed with."""

    access_key_id: str = "AKIATESTTESTTESTTEST"
    secret: str = "a-secret-of-these-tests/only+0123456789"


@dataclass(frozen=True)
class Fault:
    """What happens to a request instead of, or after, being served.

    `then`: answer (status and code), cut (before it is served), cut_after (served, answer lost),
    hang (until the front is closed), drip (a header that never ends), html (200 and no S3),
    garbled (an error that is none of S3's),
    hold (served, the answer never sent), forget_condition (served without If-None-Match),
    damaged (a byte of the body is another).
    """

    then: str
    status: int = 500
    code: str = "InternalError"


@dataclass
class Front:
    """What a test sees and steers."""

    url: str
    script: list[tuple[str, Fault]] = field(default_factory=list)
    always: dict[str, Fault] = field(default_factory=dict)
    requests: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def will(self, method: str, *faults: Fault) -> None:
        """The next requests of that method meet these faults, one each."""
        self.script += [(method, fault) for fault in faults]

    def count(self, method: str) -> int:
        """Requests of that method so far."""
        return sum(1 for seen, _, _ in self.requests if seen == method)

    def fault_for(self, method: str) -> Fault | None:
        with self.lock:
            for index, (wanted, fault) in enumerate(self.script):
                if wanted == method:
                    del self.script[index]
                    return fault
        return self.always.get(method) or self.always.get("*")


@contextmanager
def front(
    upstream: tuple[str, int],
    credentials: Credentials,
    *,
    authority: trustme.CA | None = None,
    serialised: bool = False,
) -> Iterator[Front]:
    """Serve before `upstream`, over TLS with a certificate of `authority` when there is one.

    `serialised`: one request at a time reaches it, for a peer that checks and then sets.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    server.upstream, server.credentials = upstream, credentials
    server.front = Front(f"{scheme}://127.0.0.1:{server.server_port}")
    server.serialise = threading.Lock() if serialised else nullcontext()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.front
    finally:
        server.front.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    upstream: tuple[str, int]
    credentials: Credentials
    front: Front
    serialise: Any

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        front = self.server.front
        headers = {name.lower(): value for name, value in self.headers.items()}
        front.requests.append((self.command, self.path, headers))
        if refusal := _refused_by_r2(headers):
            self.close_connection = True
            self._answer_error(*refusal)
            return
        body = self.rfile.read(int(headers.get("content-length", 0)))
        fault = front.fault_for(self.command)
        if fault is not None and self._meets(fault):
            return
        if refusal := self._wrongly_signed(headers, body):
            self._answer_error(*refusal)
            return
        answer = self._forward(headers, body, fault)
        if fault is not None and fault.then == "hold":
            front.held.set()
            front.closing.wait(60)
        if fault is not None and fault.then in {"cut_after", "hold"}:
            self._cut()
        else:
            self._answer(*answer)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve

    def _wrongly_signed(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str] | None:
        return _wrongly_signed(self.command, self.path, headers, body, self.server.credentials)

    def _meets(self, fault: Fault) -> bool:
        """Whether the fault was all that the client gets."""
        if fault.then == "answer":
            self._answer_error(fault.status, fault.code)
        elif fault.then == "garbled":
            self._answer(fault.status, {}, b"<Error><Code><b>what</b></Code></Error>")
        elif fault.then == "html":
            self._answer(200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>")
        elif fault.then == "cut":
            self._cut()
        elif fault.then == "hang":
            self.server.front.closing.wait(60)
            self._cut()
        elif fault.then == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.server.front.closing.wait(0.05):
                self.wfile.write(b".")
                self.wfile.flush()
            self._cut()
        else:
            return False
        return True

    def _forward(
        self, headers: Mapping[str, str], body: bytes, fault: Fault | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        sent = {name: value for name, value in headers.items() if name != "connection"}
        if fault is not None and fault.then == "forget_condition":
            sent.pop("if-none-match", None)
        with self.server.serialise:
            connection = http.client.HTTPConnection(*self.server.upstream, timeout=60)
            connection.request(self.command, self.path, body or None, sent)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
        if fault is not None and fault.then == "damaged":
            content = bytes([content[0] ^ 1]) + content[1:]
        return answer.status, dict(answer.getheaders()), content

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response_only(status)
        length = str(len(content))
        for name, value in headers.items():
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _answer_error(self, status: int, code: str) -> None:
        text = (
            f"<Error><Code>{html.escape(code)}</Code><Message>as the script says</Message></Error>"
        )
        self._answer(status, {"Content-Type": "application/xml"}, text.encode())

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args: object) -> None:
        """Quiet."""


def _refused_by_r2(headers: Mapping[str, str]) -> tuple[int, str] | None:
    """Trailers are not implemented there, and 100 is never said."""
    if headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or (
        "x-amz-trailer" in headers or "aws-chunked" in headers.get("content-encoding", "")
    ):
        return 501, "NotImplemented"
    if "expect" in headers or "transfer-encoding" in headers:
        return 501, "NotImplemented"
    return None


def _wrongly_signed(
    method: str, path: str, headers: Mapping[str, str], body: bytes, credentials: Credentials
) -> tuple[int, str] | None:
    """Signature Version 4, as AWS describes it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    place, _, query = path.partition("?")
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    presigned = dict(pairs)
    if "X-Amz-Signature" in presigned:
        given = presigned["X-Amz-Signature"]
        credential, signed = presigned["X-Amz-Credential"], presigned["X-Amz-SignedHeaders"]
        moment, payload = presigned["X-Amz-Date"], "UNSIGNED-PAYLOAD"
        pairs = [pair for pair in pairs if pair[0] != "X-Amz-Signature"]
    else:
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        if scheme != "AWS4-HMAC-SHA256":
            return 403, "AccessDenied"
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        given, credential, signed = parts["Signature"], parts["Credential"], parts["SignedHeaders"]
        moment, payload = headers["x-amz-date"], headers["x-amz-content-sha256"]
        if payload not in {"UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()}:
            return 400, "XAmzContentSHA256Mismatch"
    access_key_id, day, region, service, _ = credential.split("/")
    if access_key_id != credentials.access_key_id:
        return 403, "InvalidAccessKeyId"
    names = signed.split(";")
    if {name for name in headers if name.startswith("x-amz-")} - set(names):
        return 403, "AccessDenied"
    request = "\n".join(
        [
            method,
            urllib.parse.quote(urllib.parse.unquote(place), safe="/-_.~"),
            "&".join(sorted(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
            "",
            signed,
            payload,
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials.secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    return None if hmac.compare_digest(expected, given) else (403, "SignatureDoesNotMatch")


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")
