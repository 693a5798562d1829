"""A `callback_url` taken apart, and whether it may be called."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from apps.api_cpu.errors import invalid
from apps.api_cpu.webhooks.addresses import Address, is_allowed
from lib.errors import Error

FIELD = "callback_url"
LONGEST_URL = 2000
_PORTS = {"https": 443, "http": 80}
# Printable ASCII without space and what browsers and libraries read in different ways.
_PLAIN = re.compile(r"[!#-;=?-\[\]_a-z~%]+\Z", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]{0,252}[a-z0-9])?\.?\Z", re.IGNORECASE)
_LOOK_UPS_AT_ONCE = 8
_LOOK_UP_S = 3.0

Resolve = Callable[[str, int], Sequence[Address]]
"""The addresses of a host name, blocking. Raises OSError when there are none."""


@dataclass(frozen=True, slots=True)
class Callback:
    """Where a webhook goes. `target` is path and query; `host` has no brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        """The `Host` header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def literal(self) -> Address | None:
        """The address, where the host is one and no name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    def url_at(self, address: Address) -> str:
        """The URL with the address in the place of the name."""
        host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def parse_callback(url: str) -> Callback:
    """A URL taken apart. Raises `validation_error`, without repeating it."""
    if len(url) > LONGEST_URL or not _PLAIN.match(url):
        raise invalid(FIELD, f"must be a URL of at most {LONGEST_URL} plain ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise invalid(FIELD, "is not a URL") from None
    if parts.scheme not in _PORTS:
        raise invalid(FIELD, "must begin with https://")
    if "@" in parts.netloc:
        raise invalid(FIELD, "must not hold a user or a password")
    host = parts.hostname or ""
    if port == 0 or not (_HOST.match(host) or _is_ipv6(host)):
        raise invalid(FIELD, "names no host")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Callback(parts.scheme, host, port or _PORTS[parts.scheme], target)


class CallbackPolicy:
    """Decides where webhooks may go. Safe to share between threads and event loops."""

    def __init__(self, *, allow_private: bool, resolve: Resolve | None = None) -> None:
        """`allow_private` allows the operator's own networks, and http with them."""
        self._allow_private = allow_private
        self._resolve = resolve or look_up
        # Its own threads: a name server that hangs must not hold those that others need.
        self._threads = ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, thread_name_prefix="look-up")

    def require(self, url: str) -> None:
        """Raise `validation_error` for a URL that would be refused when it is called.

        A name that has no address now is let through: it is looked up again then.
        """
        callback = self.parsed(url)
        try:
            found = self._threads.submit(self._addresses, callback).result(_LOOK_UP_S)
        except (OSError, NotInTime):
            return
        if not self.allows(found):
            raise _refused()

    def parsed(self, url: str) -> Callback:
        """A URL of an allowed form. Raises `validation_error`."""
        callback = parse_callback(url)
        if callback.scheme != "https" and not self._allow_private:
            raise invalid(FIELD, "must begin with https://")
        return callback

    async def addresses(self, callback: Callback) -> Sequence[Address]:
        """The addresses to connect to, looked up once and all of them checked.

        Raises `validation_error` when one is refused, OSError when there are none.
        """
        loop = asyncio.get_running_loop()
        look_up: Awaitable[Sequence[Address]] = loop.run_in_executor(
            self._threads, partial(self._addresses, callback)
        )
        found = await look_up
        if not self.allows(found):
            raise _refused()
        return found

    def allows(self, addresses: Sequence[Address]) -> bool:
        """Whether every one of them may be called."""
        return all(is_allowed(each, private=self._allow_private) for each in addresses)

    def close(self) -> None:
        """Let the threads go; look-ups under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _addresses(self, callback: Callback) -> Sequence[Address]:
        if callback.literal is not None:
            return (callback.literal,)
        return self._resolve(callback.host, callback.port)


def look_up(host: str, port: int) -> Sequence[Address]:
    """The addresses that the system's resolver gives, each once."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # An IPv6 address may carry a zone: fe80::1%eth0
        return tuple(dict.fromkeys(ip_address(str(entry[4][0]).split("%")[0]) for entry in found))
    except (ValueError, UnicodeError):
        raise OSError from None


def _is_ipv6(host: str) -> bool:
    try:
        return isinstance(ip_address(host), IPv6Address) and "%" not in host
    except ValueError:
        return False


def _refused() -> Error:
    return invalid(FIELD, "leads to a private, loopback, link-local or other special address")
