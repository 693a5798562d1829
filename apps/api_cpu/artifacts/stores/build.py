"""Which artifact store the settings ask for."""

from __future__ import annotations

from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.settings import Settings


def build_artifact_store(settings: Settings) -> ArtifactStore:
    """The artifact store that the settings ask for."""
    return LocalArtifactStore(
        settings.artifacts_folder, allow_overwrite=settings.s3_allow_overwrite
    )
