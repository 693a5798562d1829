"""Takes a request's id, before its document is read or while others work on that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.store import ExtractIndex
from lib.errors import Error, Kind


class RequestIds:
    """Takes ids in the index. Safe to share between threads."""

    def __init__(self, index: ExtractIndex, store: ArtifactStore) -> None:
        self._index = index
        self._store = store

    @contextmanager
    def taken(self, draft: Draft) -> Iterator[Callable[[], None]]:
        """Have the request's id from before the block, or at its end if it was made for it.

        A made id is nobody else's: its disk sync may take place while the block waits for others.
        The block gets what takes the id then, and does not raise; where it makes no use of that,
        the id is taken at its end. So it always is before an artifact is written under it,
        whatever the block raises. Raises `conflict`.
        """

        def take_soon() -> None:
            with suppress(Error):  # tried again at the end
                self.take(draft)

        if draft.request_id != draft.context.made_id:
            self.take(draft)
        try:
            yield take_soon
        finally:
            self.take(draft)

    def take(self, draft: Draft) -> None:
        """Take the id, for good once its artifact is written. Raises `conflict`.

        One that is just being taken for the same request is waited for: whoever writes down that
        its time is over does not find it taken by itself.
        """
        with draft.taking_id:
            if not draft.reserved:
                self._take(draft)

    def _take(self, draft: Draft) -> None:
        held = self._index.reserve(
            draft.request_id, draft.caller.key_id, draft.artifact_rel, self._store.exists
        )
        # Its own: a job's from when it was accepted, a made one from a try of which nobody knew
        # whether it had worked.
        is_mine = draft.accepted or draft.request_id == draft.context.made_id
        if held is not None and is_mine and held.artifact_rel == draft.artifact_rel:
            held = None
        if held is not None:
            draft.id_is_taken = True
            details = {}
            if draft.caller.may_see(held.owner_key_id) and self._store.exists(held.artifact_rel):
                details["artifact_rel"] = held.artifact_rel
            raise Error(
                "conflict", Kind.CONFLICT, "This `request_id` has been used before.", details
            )
        draft.reserved = True
