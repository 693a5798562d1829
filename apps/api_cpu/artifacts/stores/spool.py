"""Objects that wait on this machine's disk until their store takes them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import (
    KINDS,
    ArtifactStore,
    Source,
    Spooled,
    Stored,
    no_room,
    store_unavailable,
)
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore, make_folder
from lib.errors import Error

_COUNTED_FOR_S = 1.0
_SWEEP = "sweep"
_MOST_REFUSED = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait before new work is refused."""

    size_bytes: int
    files: int


class Spool:
    """A folder of objects, oldest first. The processes of a machine share it.

    Each object is a file under its key, written as the local store writes: aside, synced, and
    linked to its name. Who uploads or removes one holds its lock; who adds one needs none. The
    locks end with their processes.
    """

    def __init__(self, folder: Path, limits: Limits, *, allow_overwrite: bool = False) -> None:
        """Create the folders. Raises `storage_unavailable`."""
        self._waiting_folder = folder / "waiting"
        self.waiting = LocalArtifactStore(self._waiting_folder, allow_overwrite=allow_overwrite)
        self._conflicts = LocalArtifactStore(folder / "conflicts", allow_overwrite=True)
        self._locks = folder / "locks"
        make_folder(self._locks)
        self._limits = limits
        self._allow_overwrite = allow_overwrite
        self._counted: tuple[float, Spooled] | None = None

    def in_order(self) -> list[Stored]:
        """What waits, in the order of its arrival."""
        entries = [entry for kind in KINDS for entry in self.waiting.list(f"{kind}/")]
        return sorted(entries, key=lambda entry: (entry.written_at, entry.key))

    def usage(self) -> Spooled:
        """What waits, at most a second ago. Raises `storage_unavailable`."""
        now = time.monotonic()
        if self._counted is None or now - self._counted[0] >= _COUNTED_FOR_S:
            try:
                self._counted = (now, _contents(self._waiting_folder))
            except OSError:
                raise store_unavailable() from None
        return self._counted[1]

    def conflicts(self) -> int:
        """How many objects were kept aside, because the store had others under their keys."""
        return sum(1 for kind in KINDS for _ in self._conflicts.list(f"{kind}/"))

    def require_room(self, size: int) -> None:
        """Raise `no_room` unless something of that size may wait as well."""
        used = self.usage()
        is_full = used.count >= self._limits.files
        if is_full or used.size_bytes + size > self._limits.size_bytes:
            raise no_room()
        self.waiting.require_room(size)

    def add(self, key: str, source: Source, sha256: str, size: int) -> None:
        """Have something wait. Raises `conflict` when another waits under its key."""
        # One that replaces another must not do so while that is uploaded, and then removed.
        with self.removing(key) if self._allow_overwrite else nullcontext():
            self.waiting.put_file(key, source, sha256, size)
        if self._counted is not None:
            at, used = self._counted
            more = replace(used, count=used.count + 1, size_bytes=used.size_bytes + size)
            self._counted = (at, more)

    def upload(self, store: ArtifactStore) -> int:
        """Give what waits to the store, oldest first, and forget what it took; how many those are.

        Raises `storage_unavailable` when the store is away, or takes reads but no writes. One that
        it refuses does not hold up the others. Of the processes that try, one does, and the others
        return 0.
        """
        uploaded = refused = 0
        with self._locked(_SWEEP, wait=False) as is_ours:
            for entry in self.in_order() if is_ours else ():
                try:
                    uploaded += self._upload_one(entry.key, store)
                except Error:
                    store.probe()
                    refused += 1
                    if refused > _MOST_REFUSED:
                        raise
                    logs.failure("the store refuses a spooled artifact; it waits", key=entry.key)
        return uploaded

    @contextmanager
    def removing(self, key: str) -> Iterator[None]:
        """Remove or replace what waits under a key, while nobody uploads it."""
        with self._locked(key):
            yield

    @contextmanager
    def _locked(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold a lock among all processes; False when it is taken and was not to be waited for."""
        # Keys share 16 locks: a file each would have to be removed, which nobody can do safely.
        slot = name if name == _SWEEP else hashlib.sha256(name.encode()).hexdigest()[0]
        try:
            file = (self._locks / slot).open("ab")
        except OSError:
            raise store_unavailable() from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                is_ours = False
            else:
                is_ours = True
            yield is_ours

    def _upload_one(self, key: str, store: ArtifactStore) -> bool:
        with self._locked(key):
            try:
                data = self.waiting.open(key)
            except Error as error:
                if error.code == "not_found":  # removed meanwhile
                    return False
                raise
            with data as file:
                digest = hashlib.sha256()
                while chunk := file.read(1024 * 1024):
                    digest.update(chunk)
                content, size = digest.hexdigest(), file.tell()
                try:
                    store.put_file(key, file, content, size)
                except Error as error:
                    if error.code != "conflict":
                        raise
                    self._conflicts.put_file(key, file, content, size)
                    logs.failure(
                        "an artifact was NOT stored: the store has another one under its key; "
                        "it is kept in the spool's folder conflicts",
                        key=key,
                        sha256=content,
                    )
            self.waiting.delete(key)
        return True


def _contents(folder: Path) -> Spooled:
    """The objects below a folder; a listing would cost ten times as much."""
    files = size = 0
    oldest: float | None = None
    for kind in KINDS:
        # A day's folder stays when it is empty, but a file may go at any moment.
        with suppress(FileNotFoundError), os.scandir(folder / kind) as days:
            for day in days:
                with os.scandir(day) as entries:
                    for entry in entries:
                        with suppress(FileNotFoundError):
                            found = entry.stat()
                            size += found.st_size
                            files += 1
                            oldest = min(found.st_mtime, oldest or found.st_mtime)
    return Spooled(files, size, oldest)
