"""Which receivers are being sent to, and which did not answer last: those get few of the places."""

from __future__ import annotations

from collections import Counter, OrderedDict

from apps.api_cpu.webhooks.sender import Problem

_AT_ONCE_A_HOST = 4
_AT_ONCE_DOWN = 8
_MOST_DOWN = 1000
# What a place is held for until a time-out; an answer, whatever it says, gives it back at once.
_SILENT = frozenset({Problem.TIMEOUT, Problem.CONNECTION, Problem.NAME, Problem.TLS})


class Hosts:
    """A place for each attempt under way. Belongs to one event loop.

    One host has four places. Hosts that did not answer their last attempt have eight together, to
    see whether they are back: however many of them hang, the others are told meanwhile.
    """

    def __init__(self) -> None:
        self._sending: Counter[str] = Counter()
        self._down: OrderedDict[str, None] = OrderedDict()

    def begun(self, host: str) -> None:
        """An attempt begins."""
        self._sending[host] += 1

    def ended(self, host: str) -> None:
        """It has ended."""
        self._sending[host] -= 1
        if not self._sending[host]:
            del self._sending[host]

    def told(self, host: str, problem: Problem | None) -> None:
        """What came of it."""
        self._down.pop(host, None)
        if problem in _SILENT:
            self._down[host] = None
            if len(self._down) > _MOST_DOWN:
                self._down.popitem(last=False)

    @property
    def busy(self) -> list[str]:
        """Those that nothing more is sent to now."""
        full = {host for host, count in self._sending.items() if count >= _AT_ONCE_A_HOST}
        if sum(self._sending[host] for host in self._down) >= _AT_ONCE_DOWN:
            full |= self._down.keys()
        return sorted(full)
