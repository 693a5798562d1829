"""One HTTP connection to an inference server: the only importer of pycurl."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

import certifi
import pycurl

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.inference.failures import Cause, Failure

_BUFFER = 1 << 16
_UPLOAD_BUFFER = 1 << 19  # a page's image in one go, not 64 kB at a time
_NO_SOCKET = -1
_CURLS_OWN = 1
"""Descriptors by which curl wakes itself, in its `fdset`."""
_UNKNOWN_SOCKET_MS = 10
"""Longest wait while that set has none besides: a name is looked up, or the descriptors are beyond
1,023, which such a set has no room for."""
_LONGEST_MS = 2**31 - 1
_NOT_CONNECTED = frozenset(
    {
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_SSL_CACERT,  # or PEER_FAILED_VERIFICATION
        pycurl.E_SSL_CACERT_BADFILE,
    }
)
"""Of https://curl.se/libcurl/c/libcurl-errors.html, those before a request could be sent."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Longest waits of one attempt in seconds: for a TCP and TLS connection, for the next bytes,
    until bytes can be sent, for a place among the connections. Together they bound the whole
    attempt, which a server that drips its bytes would otherwise stretch for ever.
    """

    connect_s: float = 5.0
    read_s: float = 120.0
    write_s: float = 30.0
    pool_s: float = 5.0

    @property
    def attempt_s(self) -> float:
        """Longest duration of an attempt."""
        return self.connect_s + self.read_s + self.write_s + self.pool_s


class Unasked(Exception):
    """A kept connection held an answer that nobody had asked for; it is of no use any more."""


class Ended(Exception):
    """The call was given up, or its deadline has passed: no fault of the server's."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a request has to heed: until when it may last, and what gives it up. `sent` is called
    when all of it is on its way, `replaced` after it had to be sent on a new connection, since the
    kept one had broken.
    """

    deadline: Deadline
    ended: Cancellation
    sent: Callable[[], object] = lambda: None
    replaced: Callable[[], object] = lambda: None

    def check(self) -> None:
        """Raise `Ended` once it is."""
        if self.ended.is_set or self.deadline.passed:
            raise Ended


@dataclass(frozen=True, slots=True)
class Request:
    """A POST, or a GET where `body` is None. Curl gives it up after `within_s` seconds, and an
    answer once it is longer than `largest_answer` bytes.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes | None
    within_s: float
    largest_answer: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came, nothing inflated; of one that was given up somewhat more than the
    largest.
    """

    status: int
    body: bytes
    retry_after_s: float | None


class Connection:
    """Connects with its first request, and is kept for the next. One thread at a time."""

    def __init__(self, timeouts: Timeouts) -> None:
        """Raises `Failure` where the process has no descriptors left."""
        self._timeouts = timeouts
        try:
            self._waker, self._woken = socket.socketpair()
            self._curl = curl = pycurl.Curl()
            self._multi = pycurl.CurlMulti()
        except (OSError, pycurl.error):
            raise Failure(Cause.CONNECT) from None
        self._waker.setblocking(False)
        self._waking = threading.Lock()
        self._kept = _NO_SOCKET
        """The connection's descriptor between two requests."""
        self.replaced = False
        """Whether the kept connection had broken when it was used last."""
        self._is_connecting = False
        """Whether it was when it was looked at last: the server's name may still be looked up then,
        and curl waits for the end of that when it is closed.
        """
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.PROXY, "")  # nor one of the environment
        curl.setopt(pycurl.CAINFO, certifi.where())
        curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
        curl.setopt(pycurl.BUFFERSIZE, _BUFFER)
        curl.setopt(pycurl.UPLOAD_BUFFERSIZE, _UPLOAD_BUFFER)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(timeouts.connect_s))

    def answer(self, request: Request, watch: Watch) -> Answer:
        """What the server says to it. Raises `Failure` when it says nothing whole, `Ended`, and
        `Unasked` where the request has to be made on another connection.

        A kept connection that turns out to be broken is curl's to replace: if not a byte has come,
        it sends the request again on a new one.
        """
        curl, taken = self._curl, _Taken(request.largest_answer)
        was_kept, self._kept = self._kept != _NO_SOCKET, _NO_SOCKET
        self._prepare(request, taken)
        self._multi.add_handle(curl)
        self._is_connecting, self.replaced = not was_kept, False
        code = 0
        try:
            with watch.ended.calling(self._wake):
                self._run(request, watch, was_kept=was_kept)
            _, _, failed = self._multi.info_read()
            code = failed[0][1] if failed else 0
            self._is_connecting &= code == pycurl.E_OPERATION_TIMEDOUT
            if not watch.ended.is_set:  # or `_wake` may still come, and wake the next request
                self._kept = curl.getinfo(pycurl.ACTIVESOCKET)
        finally:
            self._multi.remove_handle(curl)
            curl.setopt(pycurl.POSTFIELDS, b"")  # or it would hold the request,
            curl.unsetopt(pycurl.WRITEFUNCTION)  # and the answer
            self.replaced = was_kept and (
                curl.getinfo(pycurl.NUM_CONNECTS) > 0
                or self._is_connecting
                or code in _NOT_CONNECTED
            )
        if code and not taken.is_too_much:
            raise Failure(self._cause(code))
        return Answer(
            curl.getinfo(pycurl.RESPONSE_CODE),
            bytes(taken.body),
            float(curl.getinfo(pycurl.RETRY_AFTER)) or None,
        )

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, and nothing has come that nobody asked for: that would be taken for
        the answer to the next request.
        """
        return self._kept != _NO_SOCKET and not _ready([self._kept], [], 0)

    def close(self) -> None:
        """Close it, in the thread that used it or when none does."""
        if self._is_connecting:
            threading.Thread(target=self._close, name="closing", daemon=True).start()
        else:
            self._close()

    def _close(self) -> None:
        self._multi.close()
        self._curl.close()
        with self._waking:
            self._waker.close()
        self._woken.close()

    def _prepare(self, request: Request, taken: _Taken) -> None:
        curl = self._curl
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        if not all(map(str.isprintable, lines)):
            raise ValueError("a header has a character that none can carry")
        # Of a large body curl would ask first whether it may come, and wait a second for that.
        curl.setopt(pycurl.HTTPHEADER, [*lines, "Expect:"])
        curl.setopt(pycurl.URL, request.url)
        curl.setopt(pycurl.TIMEOUT_MS, _milliseconds(request.within_s))
        curl.setopt(pycurl.WRITEFUNCTION, taken.take)
        if request.body is None:
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, request.body)

    def _run(self, request: Request, watch: Watch, *, was_kept: bool) -> None:
        """Let curl work, and wait for what it waits for, until it is done."""
        curl, size, is_sent = self._curl, len(request.body or b""), False
        moved, moved_at = -1, 0.0
        # What TLS has taken off the socket already, `is_quiet` cannot see.
        may_be_unasked = was_kept and request.url.startswith("https:")
        while True:
            _, under_way = self._multi.perform()
            if may_be_unasked and curl.getinfo(pycurl.HEADER_SIZE):
                raise Unasked
            may_be_unasked = False
            if not under_way:
                return
            self._is_connecting = curl.getinfo(pycurl.ACTIVESOCKET) == _NO_SOCKET
            watch.check()
            if curl.getinfo(pycurl.RESPONSE_CODE) == HTTPStatus.SWITCHING_PROTOCOLS:
                raise Failure(Cause.NOT_THE_PROTOCOL)
            up = curl.getinfo(pycurl.SIZE_UPLOAD_T)
            if up == size and not is_sent:
                is_sent = True
                watch.sent()
                moved = -1
            now = up + curl.getinfo(pycurl.SIZE_DOWNLOAD_T)
            if now != moved or self._is_connecting:  # connecting has a time-out of curl's own
                moved, moved_at = now, time.monotonic()
            limit_s = self._timeouts.write_s if up < size else self._timeouts.read_s
            left_s = max(0.0, moved_at + limit_s - time.monotonic())
            came = self._wait(min(left_s, watch.deadline.remaining()), sending=up < size)
            # Not after another `perform`: it may find room where poll tells of none.
            if not came and time.monotonic() >= moved_at + limit_s and not self._is_connecting:
                watch.check()
                raise Failure(Cause.TIMEOUT)

    def _wait(self, seconds: float, *, sending: bool) -> bool:
        """Until curl can go on or has a time-out of its own, or until `_wake`; whether it can."""
        longest_ms, its_own = _milliseconds(seconds), self._multi.timeout()
        if its_own >= 0:
            longest_ms = min(longest_ms, its_own)
        descriptor = self._curl.getinfo(pycurl.ACTIVESOCKET)
        reading, writing = [descriptor], []
        if sending or descriptor == _NO_SOCKET:
            reading, writing, _ = self._multi.fdset()
            if len(reading) + len(writing) <= _CURLS_OWN:
                longest_ms = min(longest_ms, _UNKNOWN_SOCKET_MS)
        return _ready([self._woken.fileno(), *reading], writing, longest_ms)

    def _wake(self) -> None:
        with self._waking, suppress(OSError):  # it is awake already, or closed
            self._waker.send(b"\0")

    def _cause(self, code: int) -> Cause:
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return Cause.CONNECT if self._is_connecting else Cause.TIMEOUT
        return Cause.CONNECT if code in _NOT_CONNECTED else Cause.RESET


class _Taken:
    """What has come of a body, until it is too much."""

    def __init__(self, most: int) -> None:
        self.body = bytearray()
        self._most = most

    @property
    def is_too_much(self) -> bool:
        return len(self.body) > self._most

    def take(self, chunk: bytes) -> int | None:
        """Called by curl, which gives up when told that fewer bytes were taken."""
        self.body += chunk
        return 0 if self.is_too_much else None


def _ready(reading: Sequence[int], writing: Sequence[int], milliseconds: int) -> bool:
    """Whether one of the descriptors can be read or written, within that time."""
    waiting = select.poll()
    for descriptor in {*reading, *writing}:
        events = select.POLLIN if descriptor in reading else 0
        waiting.register(descriptor, events | (select.POLLOUT if descriptor in writing else 0))
    return bool(waiting.poll(milliseconds))


def _milliseconds(seconds: float) -> int:
    """At least 1: to curl 0 is for ever."""
    return max(1, min(ceil(seconds * 1000), _LONGEST_MS))
