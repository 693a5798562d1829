"""Receivers that hang, drip, lie and redirect: every attempt ends in time, with its reason."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, ip_address

import pytest
import trustme

from apps.api_cpu.webhooks.addresses import Address
from apps.api_cpu.webhooks.callback import CallbackPolicy
from apps.api_cpu.webhooks.sender import HttpSender, Problem, Sent

HERE = ip_address("127.0.0.1")
BODY = b'{"event": "job.succeeded"}'
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """A resolver whose answer changes after the first time."""

    def __init__(self, first: Address, later: Address) -> None:
        self._answers = [first, later]
        self.asked = 0

    def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        self.asked += 1
        return (self._answers[min(self.asked, 2) - 1],)


def _always(address: Address = HERE) -> Names:
    return Names(address, address)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(len(BODY))


def _answering(response: bytes, seen: list[bytes] | None = None) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _request(reader)
        if seen is not None:
            seen.append(request)
        writer.write(response)
        await writer.drain()

    return behave


async def _hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


def _dripping(text: bytes) -> Behaviour:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(text)
            await writer.drain()
            await asyncio.sleep(0.01)

    return drip


async def _close(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    pass


def send(
    behave: Behaviour,
    url: str = "http://hooks.example:{port}/in?a=1",
    *,
    names: Names | None = None,
    server_tls: ssl.SSLContext | None = None,
    client_tls: ssl.SSLContext | None = None,
    total_s: float = 20.0,
) -> Sent:
    """One webhook to a receiver that behaves so."""

    async def run() -> Sent:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await behave(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, str(HERE), 0, ssl=server_tls)
        port = server.sockets[0].getsockname()[1]
        policy = CallbackPolicy(allow_private=True, resolve=names or _always())
        sender = HttpSender(policy, client_tls, total_s)
        try:
            return await sender.send(url.format(port=port), {"webhook-id": "m"}, BODY)
        finally:
            server.close()
            policy.close()

    return asyncio.run(run())


def test_a_sound_receiver_gets_the_request_as_it_was_meant() -> None:
    seen: list[bytes] = []
    assert send(_answering(b"HTTP/1.1 204 No Content\r\n\r\n", seen)) == Sent(None, 204)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?a=1 HTTP/1.1\r\n")
    assert b"hooks.example:" in head
    assert b"webhook-id: m" in head
    assert body == BODY


def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    names = Names(HERE, IPv4Address("127.255.255.254"))
    sent = send(_answering(b"HTTP/1.1 200 OK\r\n\r\n"), names=names)
    assert sent == Sent(None, 200)
    assert names.asked == 1, "a name that is resolved twice may be two hosts"


def test_a_name_that_leads_to_metadata_is_not_called() -> None:
    seen: list[bytes] = []
    metadata = _always(ip_address("169.254.169.254"))
    sent = send(_answering(b"HTTP/1.1 200 OK\r\n\r\n", seen), names=metadata)
    assert sent == Sent(Problem.ADDRESS)
    assert not seen


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 %d Moved\r\nLocation: http://169.254.169.254/latest\r\n\r\n" % status
    assert send(_answering(answer, seen)) == Sent(Problem.REDIRECT, status)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "behave",
    [_hang, _dripping(b"H"), _dripping(b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["hangs", "drips its head", "promises for ever"],
)
def test_who_never_answers_is_left_in_time(behave: Behaviour) -> None:
    assert send(behave, total_s=0.3).problem in {Problem.TIMEOUT, Problem.CONNECTION}


def test_the_body_of_an_answer_is_not_waited_for() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        await _dripping(b"x" * 65536)(reader, writer)

    assert send(endless) == Sent(None, 200)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 999999 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ],
    ids=["nothing", "another protocol", "no status", "a header of 300 kB", "TLS"],
)
def test_nonsense_is_a_failure(answer: bytes) -> None:
    assert send(_answering(answer)) == Sent(Problem.CONNECTION)


def test_closed_without_an_answer_is_a_failure() -> None:
    assert send(_close).problem is Problem.CONNECTION


def test_what_it_asks_for_is_heard() -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n\r\n"
    assert send(_answering(busy)) == Sent(Problem.STATUS, 503, 120.0)


def test_nobody_listens() -> None:
    assert send(_close, "http://hooks.example:1/") == Sent(Problem.CONNECTION)


def test_a_name_that_is_none() -> None:
    class Nowhere(Names):
        def __call__(self, host: str, port: int) -> tuple[Address, ...]:
            raise OSError

    assert send(_close, names=Nowhere(HERE, HERE)) == Sent(Problem.NAME)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _tls(authority: trustme.CA, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    authority.issue_cert(name).configure_cert(server)
    authority.configure_trust(client)
    return server, client


def test_tls_is_checked_against_the_name_though_the_address_is_called(
    authority: trustme.CA,
) -> None:
    server, client = _tls(authority, "hooks.example")
    named: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: named.append(name)  # type: ignore[assignment]
    answer = _answering(b"HTTP/1.1 200 OK\r\n\r\n")
    url = "https://hooks.example:{port}/"
    assert send(answer, url, server_tls=server, client_tls=client) == Sent(None, 200)
    assert named == ["hooks.example"]


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
def test_anothers_certificate_is_refused(authority: trustme.CA, name: str) -> None:
    server, client = _tls(authority, name)
    sent = send(_close, "https://hooks.example:{port}/", server_tls=server, client_tls=client)
    assert sent == Sent(Problem.TLS)


def test_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    server, _ = _tls(authority, "hooks.example")
    sent = send(_close, "https://hooks.example:{port}/", server_tls=server)
    assert sent == Sent(Problem.TLS)
