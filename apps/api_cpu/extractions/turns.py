"""Who may come and wait, who waits no longer, and whose turn is next: counts and times, no threads.

Room is kept by a dynamic threshold (Choudhury and Hahne, "Dynamic Queue Length Thresholds for
Shared-Memory Packet Switches", 1998): who has as many waiting as there are places free gets no
more. Time is kept by a target, in the manner of CoDel (Nichols and Jacobson, "Controlling Queue
Delay", ACM Queue 10(5), 2012) and of Facebook's queues (Maurer, "Fail at Scale", ACM Queue 13(8),
2015): a burst may wait for longer than the target, but what stands and grows may not.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from math import ceil
from typing import Generic, Protocol, TypeVar

from lib.errors import Error, Kind

# Weight of the newest duration in the mean that waits are foreseen from.
_NEWEST = 0.2
_LONGEST_ADVICE_S = 60
# So long after nobody waited, all that come belong to one burst, or are clients that begin.
_BURST_S = 1.0
# What stands may still grow by this part of itself, since not all that comes is a script's.
_SLACK = 4
# So many who were told to come later are remembered with their moments.
_MOST_TOLD = 1000
# What was too much may not come as a burst again until so long after the last refusal.
_CALM_S = 5.0


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """`running` at once and `waiting` before them; `per_owner` of one owner, both together.

    `shares` keeps room in the queue for other owners; without it one may have all of it.
    `target_wait_s`: how long who comes may expect to wait while more come than can be read.
    """

    running: int
    waiting: int
    per_owner: int | None = None
    shares: bool = True
    target_wait_s: float = 1.0


class Refused(Error):
    """Somebody was sent away before anything was done for him, and may come again."""

    def naming(self, artifact_rel: str) -> Refused:
        """The same with the artifact that says so."""
        details = {**self.details, "artifact_rel": artifact_rel}
        return Refused(self.code, self.kind, self.message, details, retryable=self.retryable)


class HasOwner(Protocol):
    """What waits for its turn."""

    owner: str


P = TypeVar("P", bound=HasOwner)


@dataclass(slots=True)
class _Standing:
    """Whether something that is counted stands, and whether it grows while it does.

    Clients that send again once they were answered make a queue that stands and does not grow:
    there are never more in hand than there are clients. Only what grows shows that more come than
    can be read, whoever is answered.
    """

    since: float | None = None
    most: int = 0
    refused_at: float | None = None

    def note(self, now: float, *, stands: bool) -> None:
        """Say whether it stands now."""
        if not stands:
            self.since, self.most = None, 0
            if self.refused_at is not None and now - self.refused_at > _CALM_S:
                self.refused_at = None
        elif self.since is None:
            self.since = now

    def allows(self, count: int, now: float, least_slack: int) -> bool:
        """Whether it may be so many. Once it was too much, that is so until it has ceased to stand
        and nobody has been refused for a while.
        """
        is_young = self.since is None or now - self.since <= _BURST_S
        slack = 0 if is_young else max(least_slack, self.most // _SLACK)
        if self.refused_at is not None or (not is_young and count > self.most + slack):
            self.refused_at = now
            return False
        if is_young:
            self.most = max(self.most, count)
        return True


@dataclass(slots=True)
class _Owner(Generic[P]):
    """What one owner has in hand. `arriving`: let in, and their bodies have not come yet."""

    waiting: deque[P] = field(default_factory=deque)
    arriving: int = 0
    running: int = 0
    last_turn: int = 0
    standing: _Standing = field(default_factory=_Standing)
    told_until: float = 0.0

    @property
    def in_hand(self) -> int:
        return self.arriving + len(self.waiting) + self.running


@dataclass(slots=True)
class _Line:
    """Owners with nothing in hand who were told to come later, each at a moment of its own.

    Who comes before it is told the same moment again: nobody's impatience puts off anybody, himself
    included. Seconds of the clock of `Turns`.
    """

    moments: dict[str, float] = field(default_factory=dict)
    last: float = 0.0

    def moment(self, owner: str, now: float, room_s: float, a_turn_s: float) -> float:
        """When `owner` is to come: after the last one who was told to, where that is not too long
        from now; else beside the first ones.
        """
        told = self.moments.get(owner, 0.0)
        if told > now:
            return told
        self.moments.pop(owner, None)
        self.last = max(self.last, now + room_s) + a_turn_s
        if self.last > now + _LONGEST_ADVICE_S:
            self.last = now + room_s + a_turn_s
        if len(self.moments) >= _MOST_TOLD:
            del self.moments[next(iter(self.moments))]
        self.moments[owner] = self.last
        return self.last


class Turns(Generic[P]):
    """Counts who comes, waits and runs. `now` is in seconds of one clock that never goes back.

    A turn goes to the owner with the fewest running, of those to the one whose turn was longest
    ago; each owner's are begun in their order. `refused` counts who was sent away: since all is
    full (`overloaded`), one key has its share (`per_key`), or what waits does not get less
    (`standing`).
    """

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._owners: dict[str, _Owner[P]] = {}
        self._crowd = _Standing()
        self._line = _Line()
        self._turn = 0
        self._mean_s = 0.0
        self.refused = Counter({"overloaded": 0, "per_key": 0, "standing": 0})

    @property
    def running(self) -> int:
        """How many run."""
        return sum(each.running for each in self._owners.values())

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(len(each.waiting) for each in self._owners.values())

    def come(self, owner: str, now: float) -> None:
        """Count one that arrives, until `came`. Raises what `require_room` raises, and
        `inference_unavailable` where it would wait too long in what stands already.
        """
        self.require_room(owner, now)
        if not self._may_come(owner, now):
            self.refused["standing"] += 1
            raise self._unavailable(owner, now)
        self._owner(owner).arriving += 1

    def came(self, owner: str) -> None:
        """It has arrived, or never will."""
        self._owners[owner].arriving -= 1
        self._forget_idle(owner)

    def require_room(self, owner: str, now: float) -> None:
        """Raise `rate_limited` or `inference_unavailable` where there is no place to wait in."""
        mine = self._owners.get(owner, _Owner[P]())
        most = self._limits.per_owner
        if most is not None and len(mine.waiting) + mine.running >= most:
            raise self._too_many_of_owner(owner, most, now)
        if self.running < self._limits.running:
            return
        free = self._limits.waiting - self.waiting
        if free <= 0:
            raise self.overloaded(owner, now)
        if self._limits.shares and len(mine.waiting) >= free:
            mine.standing.refused_at = now
            raise self._too_many_of_owner(owner, len(mine.waiting) + mine.running, now)

    def wait(self, place: P, now: float) -> None:
        """Give it a place in its owner's queue."""
        self._owner(place.owner).waiting.append(place)
        self._note_standing(place.owner, now)

    def next(self, now: float) -> P | None:
        """Whose turn it is, which runs from now on; None where none waits or all threads work."""
        waiting = [(name, each) for name, each in self._owners.items() if each.waiting]
        if not waiting or self.running >= self._limits.running:
            return None
        name, mine = min(waiting, key=lambda one: (one[1].running, one[1].last_turn))
        self._turn += 1
        mine.last_turn = self._turn
        mine.running += 1
        place = mine.waiting.popleft()
        self._note_standing(name, now)
        return place

    def ended(self, owner: str, took_s: float | None) -> None:
        """One that ran has ended; `took_s` is None where it had not begun."""
        self._owners[owner].running -= 1
        self._forget_idle(owner)
        if took_s is not None:
            mean = self._mean_s
            self._mean_s = mean + _NEWEST * (took_s - mean) if mean else took_s

    def leave(self, place: P, now: float) -> bool:
        """It waits no longer; False where it does not wait."""
        mine = self._owners.get(place.owner)
        if mine is None or place not in mine.waiting:
            return False
        mine.waiting.remove(place)
        self._note_standing(place.owner, now)
        self._forget_idle(place.owner)
        return True

    def answered_s(self, owner: str) -> float:
        """Seconds in which one that `owner` brings now can be expected to have ended.

        Foreseen from the mean duration of the last ones and from whose turn it is before.
        """
        wait_s = self._wait_s(owner, arriving=0)
        return wait_s + self._mean_s if wait_s else 0.0

    def overloaded(self, owner: str, now: float) -> Refused:
        """503: there is no place, or who comes now would wait past its deadline."""
        self.refused["overloaded"] += 1
        if owner in self._owners:
            self._owners[owner].standing.refused_at = now
        if self._crowd.since is not None:
            self._crowd.refused_at = now
        return self._unavailable(owner, now)

    def _may_come(self, owner: str, now: float) -> bool:
        mine = self._owners.get(owner, _Owner[P]())
        count = mine.in_hand + 1
        least_slack = self._limits.running
        if self._wait_s(owner, mine.arriving) <= self._limits.target_wait_s:
            mine.standing.most = max(mine.standing.most, count)
            return True
        if mine.arriving or mine.waiting:
            return mine.standing.allows(count, now, least_slack)
        # One of an owner may wait always, unless it is so many owners that are too much.
        return self._crowd.allows(len(self._owners.keys() | {owner}), now, least_slack)

    def _wait_s(self, owner: str, arriving: int) -> float:
        """Seconds until the turn of one that `owner` brings after so many that arrive."""
        slots = self._limits.running
        if self.running + arriving < slots:
            return 0.0
        mine = self._owners.get(owner, _Owner[P]())
        before = len(mine.waiting) + arriving
        ahead = before + sum(
            min(len(each.waiting), before + 1) for each in self._owners.values() if each is not mine
        )
        return self._mean_s * (ahead + 1) / slots

    def _note_standing(self, owner: str, now: float) -> None:
        mine = self._owners[owner]
        mine.standing.note(now, stands=bool(mine.waiting))
        owners = sum(1 for each in self._owners.values() if each.waiting)
        self._crowd.note(now, stands=owners > self._limits.running)

    def _owner(self, name: str) -> _Owner[P]:
        return self._owners.setdefault(name, _Owner())

    def _forget_idle(self, owner: str) -> None:
        if not self._owners[owner].in_hand:
            del self._owners[owner]

    def _advice_s(self, owner: str, now: float) -> int:
        """Seconds after which it can come in: when what is before it will have been read, and those
        who were told to come before: of the same owner, or of all who have nothing in hand. So they
        do not all come at once, and find each other there.
        """
        slots = self._limits.running
        mine = self._owners.get(owner)
        arriving = mine.arriving if mine is not None else 0
        room_s = max(0.0, self._wait_s(owner, arriving) - self._limits.target_wait_s)
        if mine is None:
            moment = self._line.moment(owner, now, room_s, self._mean_s / slots)
        else:
            others = sum(1 for each in self._owners.values() if each.waiting and each is not mine)
            a_turn_s = self._mean_s * (1 + others) / slots
            moment = mine.told_until = max(mine.told_until, now + room_s) + a_turn_s
        return max(1, min(_LONGEST_ADVICE_S, ceil(moment - now)))

    def _unavailable(self, owner: str, now: float) -> Refused:
        return Refused(
            "inference_unavailable",
            Kind.UNAVAILABLE,
            "Too many extractions are waiting.",
            {"reason": "overloaded", "retry_after_s": self._advice_s(owner, now)},
            retryable=True,
        )

    def _too_many_of_owner(self, owner: str, limit: int, now: float) -> Refused:
        self.refused["per_key"] += 1
        return Refused(
            "rate_limited",
            Kind.RATE_LIMITED,
            "Too many extractions of this API key are running and waiting.",
            {"limit": limit, "retry_after_s": self._advice_s(owner, now)},
            retryable=True,
        )
