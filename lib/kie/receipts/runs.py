"""Runs of a head's pieces, and how much each is believed to be the vendor's name or address."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_NAME, LONGEST_ADDRESS = 4, 8
"""Pieces that a name and an address have at most."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive pieces `first` to `last`, both included."""

    first: int
    last: int

    def overlaps(self, other: Run) -> bool:
        """Whether both hold a piece."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class RunShares:
    """The best runs, best first, with their shares of belief and that of "none is printed"."""

    runs: tuple[Run, ...]
    shares: tuple[float, ...]
    none: float = 1.0


NOTHING = RunShares((), ())


@dataclass(frozen=True, slots=True)
class HeadReading:
    """Runs for the vendor's name and its address; the best of both hold no piece in common."""

    names: RunShares
    addresses: RunShares
