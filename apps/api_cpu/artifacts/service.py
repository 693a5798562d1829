"""Reads artifacts for those who may see them."""

from __future__ import annotations

from typing import Any

from apps.api_cpu.artifacts.index import ArtifactIndex, ArtifactKind
from apps.api_cpu.artifacts.store import ArtifactStore, no_such_artifact, store_unavailable
from apps.api_cpu.auth.roles import Caller, Scope
from apps.api_cpu.wire import load_stored
from lib.errors import Error

RAW_MODEL_TEXT = "raw_model_text"


class ArtifactService:
    """Shows an artifact to its owner and to admins; to others it does not exist."""

    def __init__(self, store: ArtifactStore, index: ArtifactIndex) -> None:
        self._store = store
        self._index = index

    def read(self, key: str, caller: Caller) -> dict[str, Any]:
        """The artifact, without raw model text unless the caller may read it.

        Raises `not_found`: no such artifact, a foreign one, or a stored input.
        """
        if not key.endswith(".json") or key.startswith("inputs/"):
            raise no_such_artifact()
        artifact = self._load(key)
        if not isinstance(artifact, dict) or not caller.may_see(artifact.get("owner_key_id", "")):
            raise no_such_artifact()
        if Scope.DEBUG_READ_RAW not in caller.scopes:
            artifact.pop(RAW_MODEL_TEXT, None)
        return artifact

    def response(self, key: str) -> dict[str, Any]:
        """The response in an extraction's artifact, for who has been let see its run.

        Raises `not_found`, `storage_unavailable`.
        """
        response: dict[str, Any] = self._load(key)["response"]
        return response

    def _load(self, key: str) -> Any:
        try:
            return load_stored(self._bytes(key))
        except ValueError:
            raise store_unavailable() from None

    def _bytes(self, key: str) -> bytes:
        try:
            return self._store.get(key)
        except Error as error:
            revised = self._revision(key) if error.code == "not_found" else None
            if revised is None:
                raise
            return self._store.get(revised)

    def _revision(self, key: str) -> str | None:
        """Where a run or an evaluation is that was written again without what was erased."""
        folder, _, name = key.split("/")
        kind = ArtifactKind(folder)
        if kind not in (ArtifactKind.BATCHES, ArtifactKind.EVALS):
            return None
        found = self._index.of_id(kind, name.removesuffix(".json"))
        return None if found is None or found.artifact_rel == key else found.artifact_rel
