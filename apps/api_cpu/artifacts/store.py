"""What an artifact store is, which keys it takes, and how they are formed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

from lib.errors import Error, Kind

_KEY = re.compile(
    r"(extracts|corrections|batches|evals|inputs)/[0-9]{4}-[0-9]{2}-[0-9]{2}/[A-Za-z0-9][A-Za-z0-9._-]{0,150}\Z"
)


class ArtifactStore(Protocol):
    """Keeps bytes under keys, each written once. Safe to share between threads and processes."""

    @property
    def name(self) -> str:
        """As `storage.backend` in health: local or s3."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` so that it survives a crash, whole or not at all.

        Raises `conflict` when the key exists (unless overwriting is allowed) and
        `storage_unavailable` when the store fails.
        """
        ...

    def get(self, key: str) -> bytes:
        """The bytes under a key. Raises `not_found`, `storage_unavailable`."""
        ...

    def exists(self, key: str) -> bool:
        """Whether the key has been written. Raises `storage_unavailable`."""
        ...

    def probe(self) -> None:
        """Raise `storage_unavailable` unless the store could take a write now."""
        ...


def is_key(text: str) -> bool:
    """Whether `text` is a key that a store takes: no other path can be expressed."""
    return _KEY.match(text) is not None


def require_key(text: str) -> str:
    """`text`, if it is a key; `not_found` otherwise, as nothing can be stored there."""
    if not is_key(text):
        raise no_such_artifact()
    return text


def extract_key(moment: datetime, request_id: str) -> str:
    """Where the artifact of an extraction goes."""
    return f"extracts/{moment:%Y-%m-%d}/{request_id}.json"


def batch_key(moment: datetime, run_id: str) -> str:
    """Where the artifact of a batch run goes."""
    return f"batches/{moment:%Y-%m-%d}/{run_id}.json"


def eval_key(moment: datetime, eval_id: str) -> str:
    """Where the artifact of an evaluation goes."""
    return f"evals/{moment:%Y-%m-%d}/{eval_id}.json"


def correction_key(moment: datetime, correction_id: str) -> str:
    """Where the artifact of a correction goes."""
    return f"corrections/{moment:%Y-%m-%d}/{correction_id}.json"


def input_key(moment: datetime, sha256: str, extension: str) -> str:
    """Where an input goes: named by its content."""
    return f"inputs/{moment:%Y-%m-%d}/{sha256}.{extension}"


def no_such_artifact() -> Error:
    """For a key that was never written and for somebody else's alike."""
    return Error("not_found", Kind.NOT_FOUND, "There is no such artifact.")


def already_written() -> Error:
    """For a key that exists."""
    return Error("conflict", Kind.CONFLICT, "An artifact of that name exists already.")


def store_unavailable() -> Error:
    """For a store that cannot be read or written."""
    return Error(
        "storage_unavailable",
        Kind.UNAVAILABLE,
        "The artifact store is not available.",
        retryable=True,
    )
