"""The inference servers that are known: which one is asked next, what each has done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import anyio

from lib.inference.addresses import AddressBook
from lib.inference.breaker import Breaker, BreakerPolicy
from lib.inference.client import UpstreamState
from lib.inference.exchange import Exchange
from lib.inference.failures import Again, Cause, Failure
from lib.inference.parsing import model_names
from lib.inference.wire import HEALTH_ROUTE, MODELS_ROUTE

_LOOK_AGAIN_S = 1.0
"""How often the address book is looked into."""


class Upstream:
    """One inference server. Belongs to one event loop."""

    def __init__(self, address: str, exchange: Exchange, breaker: Breaker) -> None:
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
        trial = self.breaker.begin()
        good: bool | None = None
        self.outstanding += 1
        self._requests += 1
        try:
            yield
            good = True
            self.last_failure = None
        except Failure as failure:
            self._failures += 1
            self.last_failure = failure.cause
            if failure.blames_server:
                good = False
            elif failure.again is Again.NEVER:
                good = True  # it judged the request, so it works
            raise
        finally:
            self.outstanding -= 1
            self.breaker.end(trial=trial, good=good)

    async def probe(self, within_s: float) -> None:
        """Ask whether it is ready and for its models. A server without `/health` is no worse."""
        try:
            try:
                await self.exchange.get(HEALTH_ROUTE, within_s)
            except Failure as failure:
                if failure.cause is not Cause.ROUTE_UNKNOWN:
                    raise
            self._models = model_names(await self.exchange.get(MODELS_ROUTE, within_s))
            self._ready = True
        except Failure as failure:
            self._ready = False
            self.last_failure = failure.cause
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
    """The servers in the address book, with their connections. Belongs to one event loop."""

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

    def choose(self, tried: Sequence[Upstream]) -> Upstream:
        """The one to ask: rather one that this call has not tried, that is well and not busy, then
        with the fewest requests under way, then the one asked longest ago. Raises `Failure` when
        none may be asked.
        """
        self._look()
        now = self._clock()
        admitting = [up for up in self._by_address.values() if up.breaker.admits]
        if not admitting:
            waits = [up.breaker.opens_in_s() for up in self._by_address.values()]
            raise Failure(self._why_none(), retry_after_s=min(waits, default=None))
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
        return any(up.breaker.admits and up not in tried for up in self._by_address.values())

    async def probe(self, within_s: float, *, only_down: bool = False) -> None:
        """Probe all at once, or only those not known to be well; let go of those that left."""
        self._look()
        async with anyio.create_task_group() as probes:
            for upstream in self._by_address.values():
                if not only_down or not upstream.ready:
                    probes.start_soon(upstream.probe, within_s)
        for upstream in [up for up in self._leaving if up.outstanding == 0]:
            self._leaving.remove(upstream)
            await upstream.exchange.close()

    async def close(self) -> None:
        """Close every connection."""
        for upstream in (*self._by_address.values(), *self._leaving):
            await upstream.exchange.close()

    def states(self) -> tuple[UpstreamState, ...]:
        """Each server, in the address book's order."""
        return tuple(upstream.state() for upstream in tuple(self._by_address.values()))

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
        # One assignment: other threads read the states.
        self._by_address = {
            address: before.get(address)
            or Upstream(address, self._connect(address), Breaker(self._policy, self._clock))
            for address in addresses
        }
        self._leaving.extend(up for up in before.values() if up.address not in self._by_address)
