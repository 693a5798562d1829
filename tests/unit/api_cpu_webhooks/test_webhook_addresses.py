"""Where a webhook may go."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from apps.api_cpu.webhooks.addresses import Address, is_allowed
from apps.api_cpu.webhooks.callback import CallbackPolicy, parse_callback
from lib.errors import Error

PUBLIC = ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001:830::200e"]
OWN = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.1.1",
    "100.64.0.1",
    "0.1.2.3",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "240.0.0.1",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd12::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2001:0:4136:e378::1",
    "2001:db8::1",
    "100::1",
]
NEVER = [
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "0.0.0.0",
    "::",
    "::ffff:0.0.0.0",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_may_be_called(address: str) -> None:
    assert is_allowed(ip_address(address), private=False)
    assert is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", OWN)
def test_the_operators_own_only_if_they_say_so(address: str) -> None:
    assert not is_allowed(ip_address(address), private=False)
    assert is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_many_at_once_never(address: str) -> None:
    assert not is_allowed(ip_address(address), private=False)
    assert not is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "header"),
    [
        ("https://a.example", "a.example", 443, "/", "a.example"),
        ("https://A.example/x?y=1#z", "a.example", 443, "/x?y=1", "a.example"),
        ("https://a.example:8443/x", "a.example", 8443, "/x", "a.example:8443"),
        ("http://a.example:443/", "a.example", 443, "/", "a.example:443"),
        ("https://[2606:4700::1111]:1/", "2606:4700::1111", 1, "/", "[2606:4700::1111]:1"),
        ("https://1.1.1.1/", "1.1.1.1", 443, "/", "1.1.1.1"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, target: str, header: str) -> None:
    callback = parse_callback(url)
    assert (callback.host, callback.port, callback.target) == (host, port, target)
    assert callback.host_header == header


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "//a.example",
        "ftp://a.example",
        "file:///etc/passwd",
        "gopher://a.example",
        "https://",
        "https:///x",
        "https://user@a.example",
        "https://user:secret@a.example",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a.example:x",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://a b.example",
        "https://a.example\\@b.example",
        "https://a.example/\r\nX-Evil: 1",
        "https://ä.example",
        "https://a.example/" + "x" * 2000,
        "https://-a.example",
    ],
)
def test_what_is_no_such_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Error) as caught:
        parse_callback(url)
    assert caught.value.code == "validation_error"
    assert "secret" not in str(caught.value.details)


class Names:
    """A resolver that answers what it is told, in turn, and counts."""

    def __init__(self, *answers: str) -> None:
        self.answers = [tuple(map(ip_address, answer.split())) for answer in answers]
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        self.asked.append(host)
        found = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if not found:
            raise OSError
        return found


def _code(policy: CallbackPolicy, url: str) -> str | None:
    try:
        policy.require(url)
    except Error as error:
        return error.code
    return None


def test_every_address_of_a_name_must_be_allowed() -> None:
    assert _code(CallbackPolicy(allow_private=False, resolve=Names("8.8.8.8")), "https://x") is None
    mixed = CallbackPolicy(allow_private=False, resolve=Names("8.8.8.8 10.0.0.1"))
    assert _code(mixed, "https://x") == "validation_error"


def test_a_name_without_an_address_is_looked_up_again_later() -> None:
    assert _code(CallbackPolicy(allow_private=False, resolve=Names("")), "https://x") is None


def test_numbers_in_disguise_are_resolved_before_they_are_judged() -> None:
    policy = CallbackPolicy(allow_private=False)
    for host in ("2130706433", "0x7f.1", "127.1", "017700000001", "localhost", "127.0.0.1"):
        assert _code(policy, f"https://{host}/") == "validation_error", host


def test_http_is_for_ones_own_networks() -> None:
    names = Names("8.8.8.8")
    refused = CallbackPolicy(allow_private=False, resolve=names)
    assert _code(refused, "http://x") == "validation_error"
    assert _code(CallbackPolicy(allow_private=True, resolve=names), "http://x") is None


def test_a_name_is_judged_again_when_it_is_called() -> None:
    names = Names("8.8.8.8", "10.0.0.1")
    policy = CallbackPolicy(allow_private=False, resolve=names)
    policy.require("https://x")
    with pytest.raises(Error):
        asyncio.run(policy.addresses(parse_callback("https://x")))
    assert names.asked == ["x", "x"]
