"""Who may work under an idempotency key, for how long, and what is remembered of the answer."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace

from apps.api_cpu import logs
from apps.api_cpu.idempotency.store import Answer, Entry, IdempotencyStore, Name
from lib.errors import Error, Kind

KEPT_S = 24 * 3600.0
"""How long an answer is remembered."""

LEASE_S = 20.0
"""How long a key stays taken by a server that has died."""

LARGEST_BODY = 256 * 1024
"""Of an answer that is kept in the database; a larger one is found by what the work has made."""

_MOST_KEYS = 200_000
_PURGE_EVERY_S = 60.0
_RENEWALS_A_LEASE = 4


class Idempotency:
    """Hands out keys. Safe to share between threads and processes.

    `replays` counts the answers that were given again.
    """

    def __init__(
        self,
        store: IdempotencyStore,
        clock: Callable[[], float] = time.time,
        *,
        lease_s: float = LEASE_S,
        most_keys: int = _MOST_KEYS,
    ) -> None:
        """`most_keys`: of one API key within the time that answers are kept."""
        self._store = store
        self._clock = clock
        self._lease_s = lease_s
        self._most_keys = most_keys
        self._held: dict[Name, Entry] = {}
        self._lock = threading.Condition()
        self._closing = False
        self.replays = 0
        self._full: frozenset[str] = frozenset()
        self._purged_at = float("-inf")
        self._heartbeat = threading.Thread(target=self._beat, name="idempotency", daemon=True)
        self._heartbeat.start()

    def claim(self, owner_key_id: str, key: str, route: str, resource_id: str) -> Entry:
        """A row that is the caller's to work under, or one with an answer.

        A row with a `fingerprint` and no answer was taken over from a holder that has died: its
        `resource_id` is that of the one before. Raises `idempotency_in_progress`,
        `idempotency_mismatch` for another route, `rate_limited`, `storage_unavailable`.
        """
        now = self._clock()
        self._tidy(now)
        if owner_key_id in self._full:
            raise _too_many_keys(self._most_keys)
        name = Name(owner_key_id, key)
        new = Entry(name, route, resource_id, 1, now, now + self._lease_s)
        held = self._store.add(new, now - KEPT_S)
        if held is None:
            return self._begun(new)
        if held.route != route:
            raise mismatch()
        if held.answer is not None:
            return held
        if held.lease_until > now or self._works_under(held):
            raise _in_progress()
        if not self._store.take_over(held, new.lease_until):
            raise _in_progress()
        taken = replace(held, attempt=held.attempt + 1, lease_until=new.lease_until)
        return self._begun(taken)

    def note(self, entry: Entry, fingerprint: str | None, resource_id: str) -> Entry:
        """The row with what the body says and what the work will make, before work begins.

        Raises `idempotency_in_progress` when somebody else has taken the key over meanwhile.
        """
        if not self._store.note(entry, fingerprint, resource_id):
            raise _in_progress()
        return replace(entry, fingerprint=fingerprint, resource_id=resource_id)

    def finish(self, entry: Entry, answer: Answer) -> None:
        """Remember the answer; the key is not worked under any more."""
        try:
            if not self._store.finish(entry, packed(answer)):
                logs.warning("an idempotency key was lost while its request ran")
        finally:
            self._end(entry)

    def free(self, entry: Entry) -> None:
        """Forget the key: the next request with it is the first."""
        try:
            self._store.free(entry)
        finally:
            self._end(entry)

    def replayed(self) -> None:
        """An answer was given again."""
        with self._lock:
            self.replays += 1

    def let_go(self, entry: Entry) -> None:
        """Stop working under a key without a word: when the lease is over another may."""
        self._end(entry)

    def forget(self, request_id: str) -> None:
        """Keep no answer about this extraction: it is being erased."""
        self._store.drop_bodies(request_id)

    def close(self) -> None:
        """Stop renewing leases."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()

    def _tidy(self, now: float) -> None:
        with self._lock:
            if now - self._purged_at < _PURGE_EVERY_S:
                return
            self._purged_at = now
        self._store.purge(now - KEPT_S)
        self._full = frozenset(self._store.owners_above(self._most_keys))

    def _works_under(self, entry: Entry) -> bool:
        """Whether this process does: then its holder lives, though the lease is over, as after a
        pause of the whole machine.
        """
        with self._lock:
            mine = self._held.get(entry.name)
        return mine is not None and mine.attempt == entry.attempt

    def _begun(self, entry: Entry) -> Entry:
        with self._lock:
            self._held[entry.name] = entry
            self._lock.notify_all()
        return entry

    def _end(self, entry: Entry) -> None:
        with self._lock:
            held = self._held.get(entry.name)
            if held is not None and held.attempt == entry.attempt:
                del self._held[entry.name]

    def _beat(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: bool(self._held) or self._closing)
                self._lock.wait_for(lambda: self._closing, self._lease_s / _RENEWALS_A_LEASE)
                if self._closing:
                    return
                held = tuple(self._held.values())
            try:
                self._store.renew(held, self._clock() + self._lease_s)
            except Error as error:
                logs.warning("leases of idempotency keys were not renewed", code=error.code)
            except Exception as exc:  # noqa: BLE001 a loop: what fails now must not end it
                logs.unexpected(exc)


def packed(answer: Answer) -> Answer:
    """As it is stored: a small body compressed, a large one left out."""
    if answer.body is None or len(answer.body) > LARGEST_BODY:
        return replace(answer, body=None)
    return replace(answer, body=zlib.compress(answer.body))


def unpacked(body: bytes) -> bytes:
    """The body of a stored answer."""
    return zlib.decompress(body)


def mismatch() -> Error:
    """409: the key stands for something else."""
    return Error(
        "idempotency_mismatch",
        Kind.CONFLICT,
        "This `Idempotency-Key` has been used for another request.",
    )


def _in_progress() -> Error:
    return Error(
        "idempotency_in_progress",
        Kind.CONFLICT,
        "The first request with this `Idempotency-Key` is still running.",
        {"retry_after_s": 2},
        retryable=True,
    )


def _too_many_keys(limit: int) -> Error:
    return Error(
        "rate_limited",
        Kind.RATE_LIMITED,
        "This API key has used too many idempotency keys within a day.",
        {"limit": limit, "retry_after_s": 60},
        retryable=True,
    )
