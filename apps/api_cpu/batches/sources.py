"""Where the documents of a batch come from: stored inputs, or files of a folder below DATA_ROOT."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from apps.api_cpu.artifacts.store import is_key, no_such_artifact
from apps.api_cpu.batches.schemas import BatchItem
from apps.api_cpu.errors import invalid, not_found
from apps.api_cpu.extractions.admission import timed_out
from apps.api_cpu.wire import file_name
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind

MOST_FILES = 100_000
"""Of a folder with all below it: what has more is not looked through for one request."""

_ANY_FOLDERS = "**"


@dataclass(frozen=True, slots=True)
class Source:
    """One document, not opened yet: a stored input, or a file. `file` is what the caller sees."""

    file: str
    image_ref: str | None = None
    path: Path | None = None
    error: Error | None = None


class ServerFolder:
    """What callers may name below DATA_ROOT: not what the server itself keeps there."""

    def __init__(
        self,
        data_root: Path,
        private: Sequence[Path],
        max_bytes: int,
        most_files: int = MOST_FILES,
    ) -> None:
        """`private`: what holds things of keys; `max_bytes`: of a document."""
        self._most_files = most_files
        self._max_bytes = max_bytes
        self._root = data_root.resolve()
        self._private = tuple(path.resolve() for path in private)

    def documents(self, folder: str, pattern: str, limit: int, deadline: Deadline) -> list[Source]:
        """The files of a folder that match, in the order of their names, the first `limit`.

        Hidden files, links to folders or out of DATA_ROOT, and what the server keeps for itself
        are left out. Raises `not_found` for no such folder; `validation_error` for a pattern that
        is none, when nothing matches, and for too many files; `inference_timeout`.
        """
        base = self._inside(folder)
        if base is None or not _is_folder(base):
            raise not_found()
        wanted = _pattern(pattern)
        found: list[Path] = []
        for number, path in enumerate(self._files(base, deadline)):
            if number >= self._most_files:
                raise invalid("images_dir", "has too many files; name a folder below it")
            if _matches(path.relative_to(base).parts, wanted) and self._may_read(path):
                found.append(path)
        if not found:
            raise invalid("images_dir", "no file matches")
        return [
            Source(file_name(path.relative_to(base).as_posix()), path=path)
            for path in sorted(found)[:limit]
        ]

    def read(self, path: Path) -> bytes:
        """A document that `documents` found. Raises `payload_too_large`, `not_found`."""
        try:
            if not self._may_read(path):
                raise not_found()
            with path.open("rb") as file:
                data = file.read(self._max_bytes + 1)
        except OSError:
            raise Error("not_found", Kind.NOT_FOUND, "The file cannot be read.") from None
        if len(data) > self._max_bytes:
            raise Error(
                "payload_too_large",
                Kind.TOO_LARGE,
                "The document is too large.",
                {"limit": self._max_bytes},
            )
        return data

    def text(self, name: str) -> str:
        """A text file below DATA_ROOT.

        Raises `not_found`, `validation_error`, `payload_too_large`.
        """
        path = self._inside(name)
        if path is None:
            raise not_found()
        try:
            return self.read(path).decode("utf-8")
        except UnicodeDecodeError:
            raise invalid("gt_ref", "cannot be read as UTF-8") from None

    def _files(self, base: Path, deadline: Deadline) -> Iterator[Path]:
        """The files below a folder, but for hidden folders and what the server keeps."""
        for here, folders, files in os.walk(base):
            if deadline.passed:
                raise timed_out()
            place = Path(here)
            folders[:] = [f for f in folders if f[0] != "." and not self._is_private(place / f)]
            for name in files:
                yield place / name

    def _inside(self, name: str) -> Path | None:
        try:
            path = (self._root / name).resolve()
        except (OSError, ValueError):
            return None
        return path if path.is_relative_to(self._root) and not self._is_private(path) else None

    def _is_private(self, path: Path) -> bool:
        # A database has files of the same beginning beside it: its log and its index.
        return any(
            path.is_relative_to(private)
            or (path.parent == private.parent and path.name.startswith(f"{private.name}-"))
            for private in self._private
        )

    def _may_read(self, path: Path) -> bool:
        real = path.resolve()
        if not real.is_file() or not real.is_relative_to(self._root):
            return False
        hidden = any(part.startswith(".") for part in real.relative_to(self._root).parts)
        return not hidden and ".sqlite3" not in real.name and not self._is_private(real)


def _is_folder(path: Path) -> bool:
    """`Path.is_dir` raises for a name that is too long, or below a folder that cannot be read."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _pattern(text: str) -> tuple[str, ...]:
    """The parts of a pattern. Raises `validation_error` for what leads out of the folder."""
    pattern = PurePosixPath(text)
    odd = any(part == ".." or (_ANY_FOLDERS in part != _ANY_FOLDERS) for part in pattern.parts)
    if odd or not pattern.parts or pattern.is_absolute():
        raise invalid("glob", "is not a pattern of files below the folder")
    return pattern.parts


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path fits: `**` is any number of folders. In time linear in both."""
    reached = _after_any({0}, pattern)
    for part in parts:
        stayed = {i for i in reached if i < len(pattern) and pattern[i] == _ANY_FOLDERS}
        moved = {i + 1 for i in reached if i < len(pattern) and fnmatchcase(part, pattern[i])}
        reached = stayed | _after_any(moved, pattern)
    return len(pattern) in reached


def _after_any(reached: set[int], pattern: Sequence[str]) -> set[int]:
    """The positions too that are reached when `**` is no folder at all."""
    found = set(reached)
    for i, part in enumerate(pattern):
        if part == _ANY_FOLDERS and i in found:
            found.add(i + 1)
    return found


def stored_inputs(items: Sequence[BatchItem]) -> list[Source]:
    """The named inputs; whether they are there, and whose, shows when they are read."""
    return [_named(item.filename or item.image_ref, item.image_ref) for item in items]


def _named(file: str, image_ref: str) -> Source:
    if is_key(image_ref):
        return Source(file, image_ref=image_ref)
    return Source(file, error=no_such_artifact())


def not_persisted() -> Error:
    """The document of a run's item was not kept."""
    return Error(
        "input_not_persisted",
        Kind.CONFLICT,
        "The document was not kept; send `persist_inputs` to be able to read it again.",
    )
