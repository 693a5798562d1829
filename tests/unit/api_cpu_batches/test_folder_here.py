"""`ocr batch` without a server: files, and members of ZIPs, each by itself."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from apps.api_cpu.batches.folder_readers import EmbeddedFolderReader, document_of
from apps.api_cpu.batches.state import BatchState
from lib.domain.task import Task
from lib.errors import Error, Kind
from lib.loading.archives import ArchiveLimits
from lib.pipelines.extract import Stations


class Refusing:
    """A loader that opens nothing, and says of each document what was in it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen: list[bytes] = []

    def open(self, data: bytes, *_: Any, **__: Any) -> Any:
        with self.lock:
            self.seen.append(data)
        raise Error("unreadable_document", Kind.UNPROCESSABLE, "Refused.", {"said": data.decode()})


def _zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.pdf").write_bytes(b"a")
    (folder / "deep" / "more.zip").write_bytes(_zip(x=b"x", sub__y=b"y", big=b"z" * 100))
    (folder / "empty.zip").write_bytes(_zip())
    (folder / "broken.zip").write_bytes(_zip(x=b"x")[:40])
    return folder


def test_members_of_archives_are_documents(folder: Path, tmp_path: Path) -> None:
    documents = [
        document_of(path, path.relative_to(folder).as_posix(), "auto")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    loader, state = Refusing(), BatchState(tmp_path / "x.state")
    stations = Stations(loader, None, None, {})  # type: ignore[arg-type]
    reader = EmbeddedFolderReader(
        stations, Task("t", "t", None, ()), 2, 60.0, ArchiveLimits(9, 99, 9)
    )
    told: list[int] = []
    reader.read(documents, state, told.append)
    of = {each.name: state.done[each.key] for each in documents}
    found = {
        name: [
            (item["file"], item["error"]["code"], item["error"]["details"].get("said"))
            for item in items
        ]
        for name, items in of.items()
    }
    assert found == {
        "a.pdf": [("a.pdf", "unreadable_document", "a")],
        "deep/more.zip": [
            ("deep/more.zip/x", "unreadable_document", "x"),
            ("deep/more.zip/sub/y", "unreadable_document", "y"),
            ("deep/more.zip/big", "payload_too_large", None),
        ],
        "empty.zip": [("empty.zip", "empty_document", None)],
        "broken.zip": [("broken.zip", "unreadable_document", None)],
    }
    assert sum(told) == len(documents)
    assert sorted(loader.seen) == [b"a", b"x", b"y"]
    reader.read(documents, state, told.append)
    assert len(loader.seen) == 3, "what is done is not read again"
