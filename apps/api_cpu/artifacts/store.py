"""What an artifact store is, which keys it takes, and how they are formed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from lib.errors import Error, Kind

KINDS = ("extracts", "corrections", "batches", "evals", "erasures", "inputs")
"""The folders that keys begin with."""
_FOLDER = rf"({'|'.join(KINDS)})/"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}/"
_KEY = re.compile(rf"{_FOLDER}{_DAY}[A-Za-z0-9][A-Za-z0-9._-]{{0,150}}\Z")
_NO_ROOM = "no_room"
_PREFIX = re.compile(rf"{_FOLDER}({_DAY})?\Z")


Source = Path | BinaryIO
"""Where `put_file` reads from: a path, or a seekable file, read from its start and left open."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store knows of an object without reading it."""

    key: str
    size: int
    written_at: float
    """Unix seconds, by the store's clock."""
    sha256: str | None = None
    """Hexadecimal; None where the store does not note it, as in listings."""


@dataclass(frozen=True, slots=True)
class PresignedPut:
    """A request that anybody may send once: the upload itself, without a key of ours."""

    url: str
    headers: Mapping[str, str]
    """To be sent exactly so: they are signed."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """What waits on this machine to be written to the store: how many objects, their bytes, and
    since when the oldest does, in Unix seconds.
    """

    count: int = 0
    size_bytes: int = 0
    oldest_at: float | None = None


class ArtifactStore(Protocol):
    """Keeps bytes under keys, each written once. Safe to share between threads and processes.

    Every method raises `not_found` for what is no key, and `storage_unavailable` when the store
    fails or does not answer in time.
    """

    @property
    def name(self) -> str:
        """As `storage.backend` in health: local or s3."""
        ...

    @property
    def spooled(self) -> Spooled:
        """What waits on this machine to be written to the store, at most a second ago.

        Raises `storage_unavailable` when that cannot be known.
        """
        ...

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` so that it survives a crash, whole or not at all.

        Raises `conflict` when the key holds something else (unless overwriting is allowed). The
        same bytes again are no conflict: a writer cannot tell a lost answer from a lost write.
        """
        ...

    def put_file(self, key: str, source: Source, sha256: str, size: int) -> None:
        """As `put`, of something too large for memory; `sha256` in hexadecimal.

        Raises `ValueError` when the source is not what its hash and size say.
        """
        ...

    def get(self, key: str) -> bytes:
        """The bytes under a key. Raises `not_found`."""
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A seekable file of the whole object, for large ones. Raises `not_found` at once."""
        ...

    def exists(self, key: str) -> bool:
        """Whether the key has been written."""
        ...

    def stat(self, key: str) -> Stored:
        """Size and time. Raises `not_found`."""
        ...

    def delete(self, key: str) -> None:
        """Remove what is under the key; nothing there is fine."""
        ...

    def list(self, prefix: str) -> Iterator[Stored]:
        """Everything below `kind/` or `kind/YYYY-MM-DD/`, sorted by key. To rebuild an index.

        It walks the whole store: nothing that answers a request calls it.
        """
        ...

    def presign_put(
        self, key: str, sha256: str, size: int, expires_in_s: int
    ) -> PresignedPut | None:
        """An upload of exactly this content that a client may make; None where stores cannot."""
        ...

    def presign_get(self, key: str, expires_in_s: int) -> str | None:
        """A URL that anybody may read the object from for a while; None where stores cannot."""
        ...

    def require_room(self, size: int = 0) -> None:
        """Raise `no_room` unless something of `size` bytes could be kept, also in an outage.

        Asked before work starts, so that its answer is not lost after it. Raises
        `storage_unavailable` as well when nothing can be written at all.
        """
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


def require_prefix(text: str) -> str:
    """`text`, if keys can begin with it: `kind/` or `kind/YYYY-MM-DD/`; else `not_found`."""
    if _PREFIX.match(text) is None:
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


def erasure_key(moment: datetime, request_id: str) -> str:
    """Where it is noted that an extraction was erased."""
    return f"erasures/{moment:%Y-%m-%d}/{request_id}.json"


def input_key(moment: datetime, sha256: str, extension: str, generation: int = 1) -> str:
    """Where an input goes: named by its content.

    A later `generation` is for content that comes again after its removal of that day has begun.
    """
    again = "" if generation == 1 else f".{generation}"
    return f"inputs/{moment:%Y-%m-%d}/{sha256}{again}.{extension}"


def upload_key(moment: datetime, sha256: str, upload_id: str, extension: str) -> str:
    """Where a client may upload an input: nobody else's, so that knowing a hash gives nothing."""
    return f"inputs/{moment:%Y-%m-%d}/{sha256}.{upload_id}.{extension}"


def no_such_artifact() -> Error:
    """For a key that was never written and for somebody else's alike."""
    return Error("not_found", Kind.NOT_FOUND, "There is no such artifact.")


def already_written() -> Error:
    """For a key that exists."""
    return Error("conflict", Kind.CONFLICT, "An artifact of that name exists already.")


def no_room() -> Error:
    """For work that is refused before it begins, since its artifact might not be kept.

    Neither is one written that says so.
    """
    return Error(
        "storage_unavailable",
        Kind.UNAVAILABLE,
        "There is no room for artifacts at the moment.",
        {"reason": _NO_ROOM},
        retryable=True,
    )


def is_no_room(error: Error) -> bool:
    """Whether this is `no_room`."""
    return error.details.get("reason") == _NO_ROOM


def store_unavailable() -> Error:
    """For a store that cannot be read or written."""
    return Error(
        "storage_unavailable",
        Kind.UNAVAILABLE,
        "The artifact store is not available.",
        retryable=True,
    )
