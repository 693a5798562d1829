"""Looks at reader and store every few seconds, so that a health request only reads memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

from apps.api_cpu.artifacts.store import ArtifactStore
from lib.errors import Error

_INTERVAL_S = 3.0


class Readiness:
    """A background thread that keeps `inference` and `storage` up to date."""

    def __init__(
        self,
        store: ArtifactStore,
        reader_is_ready: Callable[[], bool],
        interval_s: float = _INTERVAL_S,
    ) -> None:
        self._store = store
        self._reader_is_ready = reader_is_ready
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="readiness", daemon=True)
        self.storage = False
        self.spooled = 0

    @property
    def inference(self) -> bool:
        """Whether documents can be read; known in memory, so never old."""
        return self._reader_is_ready()

    def start(self) -> None:
        """Look once, then again and again in the background."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """End the background thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._look()

    def _look(self) -> None:
        try:
            self.spooled = self._store.spooled.count
            self._store.probe()
        except Error:
            self.storage = False
        else:
            self.storage = True
