"""Refusals that cost next to nothing: their artifacts are written behind their answers."""

from __future__ import annotations

import queue
import threading
from typing import Any

from starlette.concurrency import run_in_threadpool

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import ArtifactStore, extract_key
from apps.api_cpu.extractions.draft import Draft, artifact_of_failure
from apps.api_cpu.extractions.observer import Observer
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.extractions.turns import Refused
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.wire import dump
from lib.errors import Error

# Artifacts that may wait for the disk, each of some hundred bytes; more are waited for.
_MOST_WAITING = 256

_Artifact = tuple[str, dict[str, Any]]


class Refusals:
    """Keeps what was refused before anything was done, on a thread of its own.

    Who sends too much is not made to wait for the disk, nor the disk's other writers for him.
    """

    def __init__(self, store: ArtifactStore, index: ExtractIndex, observer: Observer) -> None:
        self._store = store
        self._index = index
        self._observer = observer
        self._waiting: queue.Queue[_Artifact | None] = queue.Queue(_MOST_WAITING)
        self._writer = threading.Thread(target=self._write_all, name="refusals", daemon=True)
        self._writer.start()

    async def kept(self, draft: Draft, refused: Refused, *, comes_again: bool) -> Error:
        """The error to answer with; it names the artifact, which is there a moment later.

        Where the same request may come again with the id that it has (`comes_again`, or the caller
        chose it) the artifact has an id of its own, so that this one is still free.
        """
        is_made = not comes_again and draft.request_id == draft.context.made_id
        free = draft.request_id if is_made else new_request_id()
        rel = extract_key(draft.created_at, free)
        named = refused.naming(rel)
        self._observer.failed(named.code)
        artifact = rel, artifact_of_failure(draft, named)
        try:
            self._waiting.put_nowait(artifact)
        except queue.Full:
            await run_in_threadpool(self._write, *artifact)
        return named

    def stop(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._writer.join()

    def _write_all(self) -> None:
        while (artifact := self._waiting.get()) is not None:
            try:
                self._write(*artifact)
            except Exception as exc:  # noqa: BLE001 - `stop` would wait for this thread in vain
                logs.unexpected(exc, request_id=artifact[1]["request_id"])
                self._observer.not_kept()

    def _write(self, rel: str, artifact: dict[str, Any]) -> None:
        try:
            self._store.put(rel, dump(artifact))
            if rel.endswith(f"/{artifact['request_id']}.json"):
                self._index.restore(artifact["request_id"], artifact["owner_key_id"], rel)
        except Error as unwritten:
            logs.warning(
                "no artifact for a refused request",
                request_id=artifact["request_id"],
                reason=unwritten.code,
            )
            self._observer.not_kept()
