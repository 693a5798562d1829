"""Which decoder process a document gets: a new one, or one that has read others of its owner."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from lib.domain.deadline import Deadline
from lib.loading import wire
from lib.loading.limits import LoadingLimits
from lib.loading.processes import DecoderProcess, ProcessStarter

# An idle decoder reads at once; one that does not is not worth a wait.
_FAREWELL_S = 0.1


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder process and whose documents it reads; None: it reads one.

    `documents`: how many it has been given, the one that it has now included.
    """

    process: DecoderProcess
    channel: wire.Channel
    owner: str | None
    documents: int = 1

    @property
    def is_fresh(self) -> bool:
        """Whether it has had no document before: what it fails at is its document's fault."""
        return self.documents == 1


class Decoders:
    """Starts decoders and keeps some that have done their work. Safe to share between threads.

    One that is kept reads documents of the same owner only, at most `documents_per_process`, and is
    kept only while nothing went wrong with it; at most `kept_processes` wait for work.
    """

    def __init__(self, starter: ProcessStarter, limits: LoadingLimits) -> None:
        self._starter = starter
        self._limits = limits
        self._lock = threading.Lock()
        self._idle: deque[Decoder] = deque()
        self._closed = False

    def take(self, owner: str | None) -> Decoder:
        """The one that the owner used last, or a fresh one. Raises `inference_unavailable`."""
        while owner is not None and (kept := self._taken(owner)) is not None:
            if not kept.channel.has_news:
                return Decoder(kept.process, kept.channel, owner, kept.documents + 1)
            # It has ended, as those do that have grown too large, or speaks without being asked.
            kept.process.drop()
        return self.fresh(owner)

    def fresh(self, owner: str | None) -> Decoder:
        """One that has read nothing. Raises `inference_unavailable`."""
        process = self._starter.start()
        return Decoder(process, wire.Channel(process.connection), owner)

    def give_back(self, decoder: Decoder) -> None:
        """It has done its work, and nothing went wrong."""
        if decoder.owner is None or decoder.documents >= self._limits.documents_per_process:
            decoder.process.drop()
            return
        try:
            decoder.channel.send({"request": "close"}, until=Deadline.after(_FAREWELL_S))
        except (wire.Closed, TimeoutError):
            decoder.process.drop()
            return
        with self._lock:
            self._idle.append(decoder)
            is_one_too_many = self._closed or len(self._idle) > self._limits.kept_processes
            surplus = self._idle.popleft() if is_one_too_many else None
        if surplus is not None:
            surplus.process.drop()

    def close(self) -> None:
        """End every decoder."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, deque()
        for decoder in idle:
            decoder.process.drop()
        self._starter.close()

    def _taken(self, owner: str) -> Decoder | None:
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index].owner == owner:
                    found = self._idle[index]
                    del self._idle[index]
                    return found
        return None
