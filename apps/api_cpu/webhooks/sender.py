"""Sends one webhook: to a checked address, in bounded time, with nothing taken from the answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib.metadata import version
from typing import Protocol

import httpx

from apps.api_cpu.webhooks.addresses import Address
from apps.api_cpu.webhooks.callback import Callback, CallbackPolicy
from lib.errors import Error
from lib.inference.retry import retry_after_s

TOTAL_S = 15.0
"""Longest time that one attempt takes, from the look-up of the name to the answer's status."""

_CONNECT_S = 5.0
_ADDRESSES_TRIED = 3


class Problem(StrEnum):
    """Why an attempt failed, as the list of deliveries shows it."""

    STATUS = "status"
    REDIRECT = "redirect"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    NAME = "name_not_found"
    ADDRESS = "address_refused"
    JOB_GONE = "job_gone"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of an attempt; `problem` is None when it was heard."""

    problem: Problem | None
    status: int | None = None
    retry_after_s: float | None = None


class Sender(Protocol):
    """Sends webhooks."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """One attempt; never raises for what the receiver does."""
        ...


class HttpSender:
    """`Sender` over HTTP/1.1. Made once; used on one event loop at a time."""

    def __init__(
        self,
        policy: CallbackPolicy,
        tls: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
    ) -> None:
        """`tls`: how certificates are checked; by default as the system and certifi do."""
        self._policy = policy
        self._total_s = total_s
        self._given_tls = tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Made for the first message: to read the certificates is a tenth of the server's start.
        return self._given_tls or _system_tls()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """Resolve, check, connect to what was checked, and read no more than the status."""
        try:
            async with asyncio.timeout(self._total_s):
                callback = self._policy.parsed(url)
                addresses = await self._policy.addresses(callback)
                return await self._first_that_listens(callback, addresses, headers, body)
        except TimeoutError:
            return Sent(Problem.TIMEOUT)
        except Error:
            return Sent(Problem.ADDRESS)
        except OSError:
            return Sent(Problem.NAME)

    async def _first_that_listens(
        self,
        callback: Callback,
        addresses: Sequence[Address],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Sent:
        sent = Sent(Problem.NAME)
        for address in addresses[:_ADDRESSES_TRIED]:
            try:
                return await self._post(callback, address, headers, body)
            except httpx.ConnectTimeout:
                sent = Sent(Problem.TIMEOUT)
            except httpx.ConnectError as failure:
                if _is_of_tls(failure):
                    return Sent(Problem.TLS)
                sent = Sent(Problem.CONNECTION)
            except httpx.TimeoutException:
                return Sent(Problem.TIMEOUT)
            except httpx.HTTPError:
                return Sent(Problem.CONNECTION)
        return sent

    async def _post(
        self, callback: Callback, address: Address, headers: Mapping[str, str], body: bytes
    ) -> Sent:
        sent_headers = {
            "Host": callback.host_header,
            "User-Agent": f"ocr-service/{version('ocr-service')}",
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        }
        # The certificate is checked against the name, though the connection goes to the address.
        extensions = {} if callback.literal else {"sni_hostname": callback.host}
        async with httpx.AsyncClient(
            verify=self._tls,
            trust_env=False,  # a proxy would resolve the name once more
            follow_redirects=False,
            timeout=httpx.Timeout(self._total_s, connect=_CONNECT_S),
        ) as client:
            request = client.build_request(
                "POST",
                callback.url_at(address),
                headers=sent_headers,
                content=body,
                extensions=extensions,
            )
            response = await client.send(request, stream=True)
            try:
                return _judged(response)
            finally:
                # Its body is never read.
                await response.aclose()


def _judged(response: httpx.Response) -> Sent:
    if response.is_success:
        return Sent(None, response.status_code)
    problem = Problem.REDIRECT if response.is_redirect else Problem.STATUS
    return Sent(problem, response.status_code, retry_after_s(response.headers))


def _is_of_tls(failure: httpx.ConnectError) -> bool:
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _system_tls() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context
