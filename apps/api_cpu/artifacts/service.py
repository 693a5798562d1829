"""Reads artifacts for those who may see them."""

from __future__ import annotations

from typing import Any

from apps.api_cpu.artifacts.reading import load_artifact
from apps.api_cpu.artifacts.store import ArtifactStore, no_such_artifact
from apps.api_cpu.auth.roles import Caller, Scope

RAW_MODEL_TEXT = "raw_model_text"


class ArtifactService:
    """Shows an artifact to its owner and to admins; to others it does not exist."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def read(self, key: str, caller: Caller) -> dict[str, Any]:
        """The artifact, without raw model text unless the caller may read it.

        Raises `not_found`: no such artifact, a foreign one, or a stored input.
        """
        if not key.endswith(".json") or key.startswith("inputs/"):
            raise no_such_artifact()
        artifact = load_artifact(self._store, key)
        if not isinstance(artifact, dict) or not caller.may_see(artifact.get("owner_key_id", "")):
            raise no_such_artifact()
        if Scope.DEBUG_READ_RAW not in caller.scopes:
            artifact.pop(RAW_MODEL_TEXT, None)
        return artifact

    def response(self, key: str) -> dict[str, Any]:
        """The response in an extraction's artifact, for who has been let see its run.

        Raises `not_found`, `storage_unavailable`.
        """
        response: dict[str, Any] = load_artifact(self._store, key)["response"]
        return response
