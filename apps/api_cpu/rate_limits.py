"""How often somebody may do something: token buckets in bounded memory, on a monotonic clock."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from lib.errors import Error, Kind

_WINDOW_S = 60.0
_MOST_BUCKETS = 20_000
# What one customer of an IPv6 provider has at least.
_IPV6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody was told: whether they may, what is left, seconds until there is more."""

    allowed: bool
    limit: int
    left: int
    wait_s: int

    def headers(self, name: str) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers says it; `t` is when all of it is there again."""
        return {
            "RateLimit-Policy": f'"{name}";q={self.limit};w={_WINDOW_S:.0f}',
            "RateLimit": f'"{name}";r={self.left};t={self.wait_s}',
        }


class RateLimit:
    """`per_minute` turns a minute for everybody, that many at once. Safe to share between threads.

    A bucket that is full again says nothing and is forgotten. Of those in use the most recent
    `most` are kept, so that many names cannot fill the memory. `refused` counts turns not given.
    """

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        most: int = _MOST_BUCKETS,
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()
        self.refused = 0

    def take(self, who: str) -> Turn:
        """One turn, if there is one left."""
        rate = self._per_minute / _WINDOW_S
        now = self._clock()
        with self._lock:
            self._forget(now)
            tokens, since = self._buckets.pop(who, (float(self._per_minute), now))
            tokens = min(self._per_minute, tokens + (now - since) * rate)
            allowed = tokens >= 1.0
            tokens -= allowed
            self._buckets[who] = (tokens, now)
            self.refused += not allowed
        missing = self._per_minute - tokens if allowed else 1.0 - tokens
        return Turn(allowed, self._per_minute, int(tokens), max(1, ceil(missing / rate)))

    def __len__(self) -> int:
        """How many buckets are in use."""
        return len(self._buckets)

    def _forget(self, now: float) -> None:
        # In the order of their last use.
        while self._buckets:
            who, (_, since) = next(iter(self._buckets.items()))
            if now - since < _WINDOW_S and len(self._buckets) < self._most:
                return
            del self._buckets[who]


def network_of(address: str) -> str:
    """Who an address stands for: itself, or the IPv6 network that its owner may choose from."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, _IPV6_PREFIX), strict=False))


def rate_limited(message: str, turn: Turn) -> Error:
    """429 with the seconds after which there is a turn again."""
    details = {"limit": turn.limit, "retry_after_s": turn.wait_s}
    return Error("rate_limited", Kind.RATE_LIMITED, message, details, retryable=True)
