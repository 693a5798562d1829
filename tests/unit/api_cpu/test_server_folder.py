"""Which files of a folder a batch may read: patterns, bounds, what the server keeps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from apps.api_cpu.batches.sources import ServerFolder
from lib.domain.deadline import Deadline
from lib.errors import Error

TREE = ("a/1.jpg", "a/2.pdf", "a/b/3.jpg", "a/b/c/4.jpg", "kept/5.jpg", "keys.db", "keys.db-wal")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    return tmp_path


def _folder(root: Path, max_bytes: int = 100) -> ServerFolder:
    return ServerFolder(root, (root / "kept", root / "keys.db"), max_bytes)


def _found(root: Path, pattern: str, name: str = "") -> list[str]:
    deadline = Deadline.after(60)
    return [s.file for s in _folder(root).documents(name, pattern, 100, deadline)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*", ["a/1.jpg", "a/2.pdf", "a/b/3.jpg", "a/b/c/4.jpg"]),
        ("a/*.jpg", ["a/1.jpg"]),
        ("**/b/*", ["a/b/3.jpg"]),
        ("**/b/**/*.jpg", ["a/b/3.jpg", "a/b/c/4.jpg"]),
        ("a/?/[0-9].jpg", ["a/b/3.jpg"]),
        ("/".join(["**"] * 90) + "/4.jpg", ["a/b/c/4.jpg"]),
    ],
)
def test_patterns(root: Path, pattern: str, expected: list[str]) -> None:
    assert _found(root, pattern) == expected


@pytest.mark.parametrize("pattern", ["", ".", "../*", "a/../../*", "/etc/*", "a**/*"])
def test_what_is_no_pattern_is_refused(root: Path, pattern: str) -> None:
    with pytest.raises(Error, match="not valid") as caught:
        _found(root, pattern)
    assert caught.value.code == "validation_error"


def test_a_pipe_is_no_file(root: Path) -> None:
    os.mkfifo(root / "a" / "pipe.jpg")
    assert _found(root, "a/*.jpg") == ["a/1.jpg"]


def test_a_file_that_became_a_link_out_is_not_read(root: Path) -> None:
    folder = _folder(root / "a")
    (source, *_) = folder.documents("", "1.jpg", 1, Deadline.after(60))
    assert source.path is not None
    source.path.unlink()
    source.path.symlink_to(root / "kept" / "5.jpg")
    with pytest.raises(Error) as caught:
        folder.read(source.path)
    assert caught.value.code == "not_found"


def test_text_is_bounded_as_documents_are(root: Path) -> None:
    assert _folder(root, 5).text("a/1.jpg") == "12345"
    with pytest.raises(Error) as caught:
        _folder(root, 4).text("a/1.jpg")
    assert caught.value.code == "payload_too_large"


def test_a_walk_has_an_end(root: Path) -> None:
    with pytest.raises(Error) as late:
        _folder(root).documents("", "**/*", 1, Deadline.after(0))
    assert late.value.code == "inference_timeout"
    with pytest.raises(Error) as many:
        ServerFolder(root, (), 100, most_files=3).documents("", "**/*", 1, Deadline.after(60))
    assert many.value.code == "validation_error"
