"""The inference servers that are known: which one is asked next, what each has done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count

from lib.inference.addresses import AddressBook
from lib.inference.breaker import Breaker, BreakerPolicy
from lib.inference.client import UpstreamState
from lib.inference.connection import Watch
from lib.inference.exchange import Exchange
from lib.inference.failures import Again, Cause, Failure
from lib.inference.parsing import model_names
from lib.inference.wire import HEALTH_ROUTE, MODELS_ROUTE

_LOOK_AGAIN_S = 1.0
"""How often the address book is looked into."""
_PROBES_AT_ONCE = 16


class NobodyToAsk(Failure):
    """No server may be asked."""


class Upstream:
    """One inference server. Safe between threads: what is counted and judged is under `lock`."""

    def __init__(
        self, address: str, exchange: Exchange, breaker: Breaker, lock: threading.RLock
    ) -> None:
        self._lock = lock
        self.address = address
        self.exchange = exchange
        self.breaker = breaker
        self.outstanding = 0
        self.busy_until = 0.0
        self.last_asked = 0
        self._ready: bool | None = None
        self.last_failure: Cause | None = None
        """How the last request or probe failed; None after a good request."""
        self._models: tuple[str, ...] = ()
        self._requests = 0
        self._failures = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count the block as a request and judge the server by how it ends."""
        with self._lock:
            trial = self.breaker.begin()
            self.outstanding += 1
            self._requests += 1
        good: bool | None = True
        failed: Cause | None = None
        try:
            yield
        except Failure as failure:
            failed = failure.cause
            if failure.blames_server:
                good = False
            elif failure.again is not Again.NEVER:  # or it judged the request, so it works
                good = None
            raise
        except BaseException:
            good = None
            raise
        finally:
            with self._lock:
                self.outstanding -= 1
                self._failures += failed is not None
                if failed or good:
                    self.last_failure = failed
                self.breaker.end(trial=trial, good=good)

    def probe(self, within_s: float, watch: Watch) -> None:
        """Ask whether it is ready and for its models. A server without `/health` is no worse.

        Raises `Ended`.
        """
        failed: Cause | None = None
        models: tuple[str, ...] = self._models
        try:
            try:
                self.exchange.get(HEALTH_ROUTE, within_s, watch)
            except Failure as failure:
                if failure.cause is not Cause.ROUTE_UNKNOWN:
                    raise
            models = model_names(self.exchange.get(MODELS_ROUTE, within_s, watch))
        except Failure as failure:
            failed = failure.cause
        with self._lock:
            self._ready, self._models = failed is None, models
            self.last_failure = failed or self.last_failure
            self.breaker.probed(good=self._ready)

    @property
    def ready(self) -> bool | None:
        """Whether the last probe was good; None before the first."""
        return self._ready

    def state(self) -> UpstreamState:
        """As others see it."""
        return UpstreamState(
            address=self.address,
            circuit=self.breaker.circuit,
            ready=self._ready,
            models=self._models,
            outstanding=self.outstanding,
            requests=self._requests,
            failures=self._failures,
            is_back=self.breaker.is_back,
        )


class Upstreams:
    """The servers in the address book, with their connections. Safe between threads."""

    def __init__(
        self,
        book: AddressBook,
        connect: Callable[[str], Exchange],
        policy: BreakerPolicy,
        clock: Callable[[], float],
    ) -> None:
        """`connect` makes the connections to an address; none is opened by that."""
        self._book = book
        self._connect = connect
        self._policy = policy
        self._clock = clock
        self._by_address: dict[str, Upstream] = {}
        self._leaving: list[Upstream] = []
        self._turn = count(1)
        self._looked_at: float | None = None
        self._lock = threading.RLock()

    @contextmanager
    def request(self, tried: Sequence[Upstream]) -> Iterator[Upstream]:
        """Count the block as a request to the one that `choose` gives. Raises `NobodyToAsk`."""
        with ExitStack() as counted:
            with self._lock:  # of those who would try a server that was away only one may
                upstream = self.choose(tried)
                counted.enter_context(upstream.request())
            yield upstream

    def choose(self, tried: Sequence[Upstream]) -> Upstream:
        """The one to ask: rather one that this call has not tried, that is well and not busy, then
        with the fewest requests under way, then the one asked longest ago. Raises `NobodyToAsk`.
        """
        with self._lock:
            self._look()
            now = self._clock()
            admitting = [up for up in self._by_address.values() if up.breaker.admits]
            if not admitting:
                waits = [up.breaker.opens_in_s() for up in self._by_address.values()]
                raise NobodyToAsk(self._why_none(), retry_after_s=min(waits, default=None))
            chosen = min(
                admitting,
                key=lambda up: (
                    up in tried,
                    up.ready is False,
                    up.busy_until > now,
                    up.outstanding,
                    up.last_asked,
                ),
            )
            chosen.last_asked = next(self._turn)
            return chosen

    def _why_none(self) -> Cause:
        """Why nobody may be asked: a fault of the setup that all share is named, since waiting does
        not mend it.
        """
        causes = {up.last_failure for up in self._by_address.values()}
        only = causes.pop() if len(causes) == 1 else None
        return only if only is not None and only.needs_mending else Cause.ALL_DOWN

    def has_other(self, tried: Sequence[Upstream]) -> bool:
        """Whether a server may be asked that this call has not tried."""
        with self._lock:
            return any(up.breaker.admits and up not in tried for up in self._by_address.values())

    def probe(self, within_s: float, watch: Watch, *, only_down: bool = False) -> None:
        """Probe all at once, or only those not known to be well; let go of those that left.

        Raises `Ended`.
        """
        with self._lock:
            self._look()
            due = [up for up in self._by_address.values() if not (only_down and up.ready)]
            gone = [up for up in self._leaving if up.outstanding == 0]
            self._leaving = [up for up in self._leaving if up not in gone]
        for upstream in gone:
            upstream.exchange.close()
        if len(due) == 1:
            due[0].probe(within_s, watch)
        elif due:
            with ThreadPoolExecutor(min(len(due), _PROBES_AT_ONCE)) as threads:
                for _ in threads.map(lambda up: up.probe(within_s, watch), due):
                    pass

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            known = (*self._by_address.values(), *self._leaving)
        for upstream in known:
            upstream.exchange.close()

    def states(self) -> tuple[UpstreamState, ...]:
        """Each server, in the address book's order."""
        with self._lock:
            return tuple(upstream.state() for upstream in self._by_address.values())

    @property
    def stale(self) -> bool:
        """Whether the address book could not be read again."""
        return self._book.stale

    def _look(self) -> None:
        """Follow the address book; requests to a server that left it are finished."""
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < _LOOK_AGAIN_S:
            return
        self._looked_at = now
        addresses = self._book.current()
        if addresses == tuple(self._by_address):
            return
        before = self._by_address
        self._by_address = {
            address: before.get(address)
            or Upstream(
                address,
                self._connect(address),
                Breaker(self._policy, self._clock),
                self._lock,
            )
            for address in addresses
        }
        self._leaving.extend(up for up in before.values() if up.address not in self._by_address)
