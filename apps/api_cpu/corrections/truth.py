"""What persons corrected, as ground truth: for `ocr eval`, and for training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.api_cpu.artifacts.index import ArtifactFilter, ArtifactIndex, ArtifactKind
from apps.api_cpu.artifacts.reading import load_artifact_if_any
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.corrections.store import CorrectionIndex
from apps.api_cpu.extractions.store import ExtractIndex

_BATCH = 200
_ROWS = "line_items"


@dataclass(frozen=True, slots=True)
class CorrectedDocument:
    """One extraction with its corrections, the latest of each field; `input_ref` if it was kept."""

    request_id: str
    owner_key_id: str
    document_type: str | None
    input_ref: str | None
    fields: Mapping[str, Any]

    def line(self, file: str) -> dict[str, Any]:
        """A line of a truth file (docs/evaluation.md): only what was corrected is judged."""
        plain = {name: value for name, value in self.fields.items() if not isinstance(value, list)}
        return {
            "id": self.request_id,
            "file": file,
            "document_type": self.document_type,
            "fields": plain,
            "line_items": self.fields.get(_ROWS),
        }


class CorrectedDocuments:
    """Walks all corrections by the index. Safe to share between threads."""

    def __init__(
        self,
        store: ArtifactStore,
        artifacts: ArtifactIndex,
        extracts: ExtractIndex,
        corrections: CorrectionIndex,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._extracts = extracts
        self._corrections = corrections

    def all(self, owner_key_id: str | None) -> Iterator[CorrectedDocument]:
        """Those of an owner, or of every one: each once, in the order of their last corrections.

        What is erased or purged meanwhile is left out. Raises `storage_unavailable`.
        """
        wanted = ArtifactFilter(ArtifactKind.CORRECTIONS, owner_key_id)
        after = ("", "")
        while entries := self._artifacts.in_order(wanted, after, _BATCH):
            for entry in entries:
                noted = self._corrections.of(entry.request_id or "")
                written = self._artifacts.known(noted)
                keys = [key for key in noted if key in written]
                if keys and keys[-1] == entry.artifact_rel:
                    found = self._document(entry.request_id or "", keys)
                    if found is not None:
                        yield found
            after = (entries[-1].day, entries[-1].artifact_rel)

    def _document(self, request_id: str, keys: Any) -> CorrectedDocument | None:
        entry = self._extracts.find(request_id)
        artifact = None if entry is None else self._read(entry.artifact_rel)
        if entry is None or entry.erased_at is not None or artifact is None:
            return None
        fields: dict[str, Any] = {}
        for key in keys:
            correction = self._read(key)
            fields |= {} if correction is None else correction["fields"]
        noted = artifact["input"] or {}
        return CorrectedDocument(
            request_id,
            entry.owner_key_id,
            artifact["response"]["document_type"],
            noted.get("input_ref") or noted.get("image_ref"),
            fields,
        )

    def _read(self, key: str) -> dict[str, Any] | None:
        artifact: dict[str, Any] | None = load_artifact_if_any(self._store, key)
        return artifact
