"""Where the documents of a batch come from: stored inputs, or files of a folder below DATA_ROOT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.api_cpu.batches.schemas import BatchItem
from apps.api_cpu.errors import invalid, not_found
from lib.errors import Error, Kind


@dataclass(frozen=True, slots=True)
class Source:
    """One document, not opened yet: a stored input, or a file. `file` is what the caller sees."""

    file: str
    image_ref: str | None = None
    path: Path | None = None
    error: Error | None = None


class ServerFolder:
    """What callers may name below DATA_ROOT: not what the server itself keeps there."""

    def __init__(self, data_root: Path, private: Sequence[Path], max_bytes: int) -> None:
        """`private`: what holds things of keys; `max_bytes`: of a document."""
        self._max_bytes = max_bytes
        self._root = data_root.resolve()
        self._private = tuple(path.resolve() for path in private)

    def documents(self, folder: str, pattern: str, limit: int) -> list[Source]:
        """The files of a folder that match, in the order of their names, the first `limit`.

        Hidden files, links out of DATA_ROOT and what the server keeps for itself are left out.
        Raises `not_found` for no such folder; `validation_error` for a pattern that is none, and
        when nothing matches.
        """
        base = self._inside(folder)
        if base is None or not base.is_dir():
            raise not_found()
        try:
            found = sorted(path for path in base.glob(pattern) if self._may_read(path))
        except (ValueError, NotImplementedError, OSError):
            raise invalid("glob", "is not a pattern of files below the folder") from None
        if not found:
            raise invalid("images_dir", "no file matches")
        return [Source(str(path.relative_to(base)), path=path) for path in found[:limit]]

    def read(self, path: Path) -> bytes:
        """A document that `documents` found. Raises `payload_too_large`, `not_found`."""
        try:
            if path.stat().st_size > self._max_bytes:
                raise Error(
                    "payload_too_large",
                    Kind.TOO_LARGE,
                    "The document is too large.",
                    {"limit": self._max_bytes},
                )
            return path.read_bytes()
        except OSError:
            raise Error("not_found", Kind.NOT_FOUND, "The file cannot be read.") from None

    def text(self, name: str) -> str:
        """A text file below DATA_ROOT. Raises `not_found`, `validation_error`."""
        path = self._inside(name)
        if path is None or not self._may_read(path):
            raise not_found()
        try:
            return path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise invalid("gt_ref", "cannot be read as UTF-8") from None

    def _inside(self, name: str) -> Path | None:
        try:
            path = (self._root / name).resolve()
        except (OSError, ValueError):
            return None
        return path if path.is_relative_to(self._root) and not self._is_private(path) else None

    def _is_private(self, path: Path) -> bool:
        return any(path.is_relative_to(private) for private in self._private)

    def _may_read(self, path: Path) -> bool:
        real = path.resolve()
        if not real.is_file() or not real.is_relative_to(self._root):
            return False
        hidden = any(part.startswith(".") for part in real.relative_to(self._root).parts)
        return not hidden and ".sqlite3" not in real.name and not self._is_private(real)


def stored_inputs(items: Sequence[BatchItem]) -> list[Source]:
    """The named inputs; whether they are there, and whose, shows when they are read."""
    return [Source(item.filename or item.image_ref, image_ref=item.image_ref) for item in items]


def not_persisted() -> Error:
    """The document of a run's item was not kept."""
    return Error(
        "input_not_persisted",
        Kind.CONFLICT,
        "The document was not kept; send `persist_inputs` to be able to read it again.",
    )
