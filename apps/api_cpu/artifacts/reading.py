"""Artifacts as what their JSON says."""

from __future__ import annotations

from typing import Any

from apps.api_cpu.artifacts.store import ArtifactStore, store_unavailable
from apps.api_cpu.wire import load_stored
from lib.errors import Error


def load_artifact(store: ArtifactStore, key: str) -> Any:
    """What is under a key. Raises `not_found`; `storage_unavailable`, also for what is damaged."""
    try:
        return load_stored(store.get(key))
    except ValueError:
        raise store_unavailable() from None


def load_artifact_if_any(store: ArtifactStore, key: str) -> Any:
    """The same; None where nothing is (any more)."""
    try:
        return load_artifact(store, key)
    except Error as error:
        if error.code != "not_found":
            raise
        return None
