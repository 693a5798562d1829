"""Stored inputs: the one owner of `inputs/...` keys. The reference comes first, then the object.

Content is stored once a day, whoever sends it. Every reason to keep it is a hold: a job that will
read it, or its owner's wish (`KEPT`). What nobody holds any more is removed after a while.

The race that this is built around: content comes again at the moment when it is being removed.
A delete cannot be taken back, and one that has been sent may arrive at any later time, also from
a process that was stopped meanwhile. So a removal is announced first, in the input's row
(`removing_at`), and from then on that key is never written again: a writer that finds the mark
takes the next generation's key, `<sha256>.2.<ext>`. A writer that was faster than the mark has a
hold, and what has a hold is not marked. And a writer whose row was marked between its hold and
its object, since it took longer than the grace, learns of it when it notes the object, and begins
again. So a reference that was given out has its object for as long as it is held.

If the process dies between reference and object, a row is left without `stored_at`: it is removed
like what nobody holds, holds and all. Nobody was told that reference.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from apps.api_cpu.artifacts.store import ArtifactStore, input_key, is_key, no_such_artifact
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import invalid
from apps.api_cpu.inputs.content import Content
from apps.api_cpu.inputs.store import InputIndex
from lib.errors import Error, Kind

KEPT = "kept"
"""The holder of what its owner asked to keep (`persist_inputs`)."""

_UPLOAD = "upload-"
_ADDRESS_S = 60
_RETRY_AFTER_S = 60
_CHUNK = 1024 * 1024
_GRACE_S = 3600.0
_TOMBSTONE_S = 2 * 86400.0
_BATCH = 500


class InputStore:
    """Keeps documents for as long as somebody holds them. Safe to share between processes."""

    def __init__(
        self,
        store: ArtifactStore,
        index: InputIndex,
        *,
        grace_s: float = _GRACE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`grace_s`: how long something unheld stays, longer than a write takes."""
        self._store = store
        self._index = index
        self._grace_s = grace_s
        self._clock = clock

    def hold(self, content: Content, owner_key_id: str, created_at: datetime, holder: str) -> str:
        """Store the content and hold it; its reference, whose object is there.

        `holder` is a job's id or `KEPT`. The same call again changes nothing. Raises
        `storage_unavailable`; what was begun is then swept, and a job's id is to be released.
        """

        def key_of(generation: int) -> str:
            return input_key(created_at, content.sha256, content.extension, generation)

        self._store.require_room(content.size)
        while True:
            claimed = self._index.claim(
                key_of, content.sha256, content.size, (holder, owner_key_id), self._clock()
            )
            ref = claimed.input_ref
            if not (claimed.is_stored and self._is_there(ref)):
                self._put(ref, content)
            if self._index.stored(ref, self._clock()):
                return ref

    def hold_stored(self, input_ref: str, caller: Caller, holder: str) -> None:
        """Hold what the caller may name already, for a job of theirs. Raises as `read` does."""
        self._require_visible(input_ref, caller)
        self.confirm(input_ref)
        if not self._index.hold(input_ref, (holder, caller.key_id), self._clock()):
            raise no_such_artifact()

    def keep(self, input_ref: str, caller: Caller) -> None:
        """Keep it when the job that holds it has ended. Raises `not_found`."""
        self.hold_stored(input_ref, caller, KEPT)

    def expect(
        self, input_ref: str, sha256: str, size: int, owner: str, until: float, most: int
    ) -> None:
        """Let a client upload a document under this reference, until a moment in Unix seconds.

        It is its owner's until then, or longer where that is asked for once it is there. Raises
        `rate_limited` where `most` of the owner's are waited for already.
        """
        hold = f"{_UPLOAD}{input_ref.split('.')[1]}", owner
        span = self._clock(), until
        if not self._index.expect(input_ref, sha256, size, hold, span, most):
            message = "Too many uploads of this API key are announced and were not sent or used."
            details = {"limit": most, "retry_after_s": _RETRY_AFTER_S}
            raise Error("rate_limited", Kind.RATE_LIMITED, message, details, retryable=True)

    def confirm(self, input_ref: str) -> None:
        """See to it that what a client uploaded is there and is what was announced.

        Looked at once: what is stored is never written again. Raises `not_found`,
        `validation_error`, `storage_unavailable`.
        """
        announced = self._index.expected(input_ref)
        if announced is None:
            return
        sha256, size = announced
        if self._store.stat(input_ref).size != size or self._hash(input_ref) != sha256:
            raise invalid("image_ref", "what was uploaded is not what was announced")
        self._index.stored(input_ref, self._clock())

    def release(self, holder: str) -> None:
        """A job has ended, or was never submitted: what only it held is removed after a while."""
        self._index.release(holder, self._clock())

    def read(self, input_ref: str, caller: Caller) -> bytes:
        """The document.

        Raises `not_found`, also for somebody else's and for what was not uploaded yet;
        `validation_error` for an upload of something else; `storage_unavailable`.
        """
        self._require_visible(input_ref, caller)
        self.confirm(input_ref)
        return self._store.get(input_ref)

    @contextmanager
    def opened(self, input_ref: str, caller: Caller) -> Iterator[BinaryIO]:
        """The document as a file. Raises as `read` does."""
        self._require_visible(input_ref, caller)
        self.confirm(input_ref)
        with self._store.open(input_ref) as file:
            yield file

    def address(self, input_ref: str, caller: Caller) -> str | None:
        """Where anybody may read it for a minute; None where the store has no addresses.

        Raises as `read` does.
        """
        self._require_visible(input_ref, caller)
        self.confirm(input_ref)
        return self._store.presign_get(input_ref, _ADDRESS_S)

    def may_read(self, input_ref: str, caller: Caller) -> bool:
        """Whether the caller may name this input: they, or for an admin anybody, holds it."""
        if not (is_key(input_ref) and input_ref.startswith("inputs/")):
            return False
        return any(caller.may_see(owner) for owner in self._index.owners(input_ref))

    def erase(self, input_ref: str, owner_key_id: str) -> bool:
        """Drop an owner's wish to keep it; whether the object went, since nobody else holds it."""
        now = self._clock()
        self._index.release(KEPT, now, input_ref=input_ref, owner_key_id=owner_key_id)
        if not self._index.condemn_unheld(input_ref, now):
            return False
        self._remove(input_ref)
        return True

    def expire(self, first_day: str) -> int:
        """Keep nothing from before a day (YYYY-MM-DD) for its owners any more; one batch of it.

        What a job still reads stays until it has ended.
        """
        refs = self._index.expired(KEPT, f"inputs/{first_day}", _BATCH)
        for ref in refs:
            self._index.release(KEPT, self._clock(), input_ref=ref)
        return len(refs)

    def restore(self, input_ref: str, owner_key_id: str, sha256: str) -> None:
        """Note again what an artifact says is kept, if its object is there."""
        if is_key(input_ref) and self._store.exists(input_ref):
            self._index.restore(input_ref, sha256, (KEPT, owner_key_id), self._clock())

    def erase_unheld(self, sha256: str) -> None:
        """Remove content at once that nobody holds any more, and that would go a while later."""
        now = self._clock()
        for ref in self._index.of_content(sha256):
            if self._index.condemn_unheld(ref, now):
                self._remove(ref)

    def holders(self) -> Sequence[str]:
        """Jobs with holds older than the grace: whoever knows jobs releases what has ended."""
        return self._index.holders(KEPT, _UPLOAD, self._clock() - self._grace_s, _BATCH)

    def sweep(self) -> int:
        """Remove what nobody holds and what was never finished; how many objects went.

        One batch: call again while it is full. Raises `storage_unavailable`.
        """
        now = self._clock()
        for upload in self._index.over(_UPLOAD, now):
            self._index.release(upload, now)
        condemned = self._index.condemn(now - self._grace_s, now, _BATCH)
        for ref in condemned:
            self._remove(ref)
        self._index.forget_removed(now - _TOMBSTONE_S)
        return len(condemned)

    def _remove(self, input_ref: str) -> None:
        self._store.delete(input_ref)
        self._index.removed(input_ref, self._clock())

    def _is_there(self, input_ref: str) -> bool:
        """False also when the store cannot say so now: the same again changes nothing there."""
        try:
            return self._store.exists(input_ref)
        except Error:
            return False

    def _hash(self, input_ref: str) -> str:
        """Of the bytes themselves: what a store notes beside them was said by who sent them."""
        digest = hashlib.sha256()
        with self._store.open(input_ref) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def _put(self, input_ref: str, content: Content) -> None:
        if isinstance(content.source, Path):
            self._store.put_file(input_ref, content.source, content.sha256, content.size)
        else:
            self._store.put(input_ref, content.source)

    def _require_visible(self, input_ref: str, caller: Caller) -> None:
        if not self.may_read(input_ref, caller):
            raise no_such_artifact()
