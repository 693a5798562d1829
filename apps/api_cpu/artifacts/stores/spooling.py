"""The store in front of a remote one: an outage is no error of a request."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from heapq import merge
from typing import BinaryIO, TypeVar

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import (
    ArtifactStore,
    PresignedPut,
    Source,
    Spooled,
    Stored,
    require_key,
    store_unavailable,
)
from apps.api_cpu.artifacts.stores.content import in_memory
from apps.api_cpu.artifacts.stores.spool import Spool
from lib.errors import Error

T = TypeVar("T")

_LOOK_EVERY_S = 2.0
_LONGEST_PAUSE_S = 30.0


class SpoolingStore:
    """Writes to the remote store, or to the spool while that is away; reads from both.

    What is in the spool is uploaded in the background by `start`ed stores. A writer that the remote
    store failed once does not let the next ones wait for it: until it answers a probe they spool,
    and who reads what is not here is told at once that it is away.
    """

    def __init__(
        self, remote: ArtifactStore, spool: Spool, patient: ArtifactStore | None = None
    ) -> None:
        """`patient` is the same remote store for the background, where nobody waits."""
        self._remote = remote
        self._patient = patient or remote
        self._spool = spool
        self._is_away = threading.Event()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, name="spool", daemon=True)

    @property
    def name(self) -> str:
        """The remote store's."""
        return self._remote.name

    @property
    def spooled(self) -> Spooled:
        """See `ArtifactStore.spooled`."""
        return self._spool.usage()

    def start(self) -> None:
        """Upload in the background from now on."""
        self._sweeper.start()

    def stop(self) -> None:
        """End the uploads; what still waits does so on disk."""
        self._stopping.set()
        self._wake.set()
        if self._sweeper.is_alive():
            self._sweeper.join(timeout=5)

    def put(self, key: str, data: bytes) -> None:
        """See `ArtifactStore.put`. The spool's limits do not count here: the work is done."""
        content, sha256, size = in_memory(data)
        self._put(key, content, sha256, size, lambda: self._remote.put(key, data))

    def put_file(self, key: str, source: Source, sha256: str, size: int) -> None:
        """See `ArtifactStore.put_file`."""
        remote = self._remote
        self._put(key, source, sha256, size, lambda: remote.put_file(key, source, sha256, size))

    def get(self, key: str) -> bytes:
        """See `ArtifactStore.get`."""
        return self._first(lambda: self._spool.waiting.get(key), lambda: self._remote.get(key))

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """See `ArtifactStore.open`."""
        return self._first(lambda: self._spool.waiting.open(key), lambda: self._remote.open(key))

    def exists(self, key: str) -> bool:
        """See `ArtifactStore.exists`."""
        return self._spool.waiting.exists(key) or self._asked(lambda: self._remote.exists(key))

    def stat(self, key: str) -> Stored:
        """See `ArtifactStore.stat`."""
        return self._first(lambda: self._spool.waiting.stat(key), lambda: self._remote.stat(key))

    def delete(self, key: str) -> None:
        """See `ArtifactStore.delete`. Not while it is being uploaded: it would come back."""
        require_key(key)
        with self._spool.removing(key):
            self._spool.waiting.delete(key)
            self._remote.delete(key)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ArtifactStore.list`."""
        listings = self._spool.waiting.list(prefix), self._remote.list(prefix)
        last = ""
        for entry in merge(*listings, key=lambda entry: entry.key):
            if entry.key != last:
                yield entry
            last = entry.key

    def presign_put(
        self, key: str, sha256: str, size: int, expires_in_s: int
    ) -> PresignedPut | None:
        """See `ArtifactStore.presign_put`."""
        return self._remote.presign_put(key, sha256, size, expires_in_s)

    def presign_get(self, key: str, expires_in_s: int) -> str | None:
        """See `ArtifactStore.presign_get`; None as well while the object waits here."""
        if self._spool.waiting.exists(key):
            return None
        return self._remote.presign_get(key, expires_in_s)

    def require_room(self, size: int = 0) -> None:
        """See `ArtifactStore.require_room`: the remote store may be away when the work is done."""
        self._spool.require_room(size)

    def probe(self) -> None:
        """See `ArtifactStore.probe`: whether the remote store answers."""
        try:
            self._remote.probe()
        except Error:
            self._is_gone()
            raise
        self._is_back()

    def _put(
        self, key: str, source: Source, sha256: str, size: int, put: Callable[[], None]
    ) -> None:
        waiting = self._spool.waiting
        if not self._is_away.is_set() and not waiting.exists(require_key(key)):
            try:
                put()
            except Error as error:
                if error.code != "storage_unavailable":
                    raise
                self._is_gone()
            else:
                return
        self._spool.add(key, source, sha256, size)

    def _first(self, spooled: Callable[[], T], remote: Callable[[], T]) -> T:
        try:
            return spooled()
        except Error as error:
            if error.code != "not_found":
                raise
            return self._asked(remote)

    def _asked(self, remote: Callable[[], T]) -> T:
        """What the remote store says. Nobody waits for one that is known to be away."""
        if self._is_away.is_set():
            raise store_unavailable()
        return remote()

    def _is_gone(self) -> None:
        if not self._is_away.is_set():
            logs.warning("the object store is away: artifacts wait in the spool")
        self._is_away.set()

    def _is_back(self) -> None:
        if self._is_away.is_set():
            logs.info("the object store is back")
            self._wake.set()
        self._is_away.clear()

    def _sweep(self) -> None:
        pause = _LOOK_EVERY_S
        while not self._stopping.is_set():
            self._wake.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  # not for a secret
            self._wake.clear()
            try:
                if self._is_away.is_set():
                    # From here on writers need not wait until all is uploaded.
                    self.probe()
                uploaded = self._spool.upload(self._patient)
            except Error:
                self._is_gone()
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            except Exception as exc:  # noqa: BLE001  # artifacts would wait until the next start
                logs.unexpected(exc)
                pause = _LONGEST_PAUSE_S
            else:
                pause = _LOOK_EVERY_S
                if uploaded:
                    logs.info("spooled artifacts are stored", count=uploaded)
