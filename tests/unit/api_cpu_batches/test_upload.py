"""The body of an upload: parts, archives, limits, and that nothing is left behind."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.api_cpu.batches.multipart import MultipartReader
from apps.api_cpu.batches.upload import Upload, UploadLimits
from apps.api_cpu.inputs.content import Content
from lib.errors import Error, Kind

PDF = b"%PDF-1.7\n a document"
JPEG = b"\xff\xd8\xff\xe0 a picture"
LIMITS = UploadLimits(
    files=10, bytes=1 << 20, document_bytes=1000, archive_members=10, archive_ratio=100
)
BOUNDARY = "edge"


class _Kept:
    """Remembers what it was given."""

    def __init__(self, fails: bool = False) -> None:
        self.contents: list[bytes] = []
        self._fails = fails

    def hold(self, content: Content) -> str:
        if self._fails:
            raise Error("storage_unavailable", Kind.UNAVAILABLE, "Full.")
        assert isinstance(content.source, Path)
        data = content.source.read_bytes()
        assert len(data) == content.size
        self.contents.append(data)
        return f"{content.sha256[:4]}.{content.extension}"


Parts = Sequence[tuple[str, str | None, bytes]]


def _body(parts: Parts) -> bytes:
    lines = []
    for name, filename, data in parts:
        shown = "" if filename is None else f'; filename="{filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n\r\n'
        lines.append(head.encode() + data + b"\r\n")
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def _received(
    folder: Path,
    parts: Parts,
    kept: _Kept | None = None,
    limits: UploadLimits = LIMITS,
    piece: int = 1 << 16,
) -> Iterator[Upload]:
    body = _body(parts)
    with Upload(folder, limits, kept or _Kept(), lambda: None) as upload:
        reader = MultipartReader(f"multipart/form-data; boundary={BOUNDARY}", upload)
        for start in range(0, len(body), piece):
            reader.feed(body[start : start + piece])
        reader.finish()
        yield upload
    assert list(folder.iterdir()) == []


def _zip(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def _shown(upload: Upload) -> list[tuple[str, str | None]]:
    return [(d.file, d.error.code if d.error else None) for d in upload.documents]


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_options_stand_anywhere_and_bytes_arrive_in_any_pieces(tmp_path: Path, piece: int) -> None:
    kept = _Kept()
    parts = [
        ("task_id", None, b"auto"),
        ("files", "a.pdf", PDF),
        ("run_id", None, "märz".encode()),
        ("files", "b.zip", _zip({"c.jpg": JPEG, "deep/d.pdf": PDF})),
        ("concurrency", None, b"2"),
    ]
    with _received(tmp_path, parts, kept, piece=piece) as upload:
        assert upload.fields == {"task_id": "auto", "run_id": "märz", "concurrency": "2"}
        assert _shown(upload) == [
            ("a.pdf", None),
            ("b.zip/c.jpg", None),
            ("b.zip/deep/d.pdf", None),
        ]
        assert kept.contents == [PDF, JPEG, PDF]
        assert [d.input_ref[-3:] for d in upload.documents if d.input_ref] == ["pdf", "jpg", "pdf"]


def test_one_bad_file_is_one_failed_item(tmp_path: Path) -> None:
    archive = _zip({"inner.zip": _zip({"x.pdf": PDF}), "../up.pdf": PDF, "long.pdf": PDF * 100,
                    "ok.pdf": PDF})  # fmt: skip
    parts = [
        ("files", "empty.pdf", b""),
        ("files", "text.txt", b"no document"),
        ("files", "long.pdf", PDF * 100),
        ("files", "broken.zip", b"PK\x03\x04 cut"),
        ("files", "some.zip", archive),
        ("files", "good.pdf", PDF),
    ]
    with _received(tmp_path, parts) as upload:
        assert _shown(upload) == [
            ("empty.pdf", "empty_document"),
            ("text.txt", "unsupported_media_type"),
            ("long.pdf", "payload_too_large"),
            ("broken.zip", "unreadable_document"),
            ("some.zip/inner.zip", "unsupported_media_type"),
            ("some.zip/up.pdf", "unreadable_document"),
            ("some.zip/long.pdf", "payload_too_large"),
            ("some.zip/ok.pdf", None),
            ("good.pdf", None),
        ]


def test_same_names_are_told_apart(tmp_path: Path) -> None:
    parts = [("files", "scan.pdf", PDF)] * 3 + [("files", "scan (2).pdf", PDF)]
    with _received(tmp_path, parts) as upload:
        assert [d.file for d in upload.documents] == [
            "scan.pdf", "scan (2).pdf", "scan (3).pdf", "scan (2) (2).pdf",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("C:\\\\scans\\\\a.pdf", "a.pdf"),
        ("../../etc/a.pdf", "etc/a.pdf"),
        ("/a.pdf", "a.pdf"),
        ("a\u202eb.pdf", "a b.pdf"),
        ("x" * 300, "x" * 240),
        ("..", "file"),
    ],
)
def test_names_are_shown_and_never_paths(tmp_path: Path, sent: str, shown: str) -> None:
    with _received(tmp_path, [("files", sent, PDF)]) as upload:
        assert [d.file for d in upload.documents] == [shown]


def test_a_file_input_left_empty_is_no_document(tmp_path: Path) -> None:
    with _received(tmp_path, [("files", "", b""), ("files", "a.pdf", PDF)]) as upload:
        assert [d.file for d in upload.documents] == ["a.pdf"]


def test_what_is_over_the_whole_limit_fails_item_by_item(tmp_path: Path) -> None:
    limits = UploadLimits(files=10, bytes=2 * len(PDF), document_bytes=1000, archive_members=10,
                          archive_ratio=100)  # fmt: skip
    parts = [("files", f"{number}.pdf", PDF) for number in range(4)]
    with _received(tmp_path, parts, limits=limits) as upload:
        codes = [d.error.code if d.error else None for d in upload.documents]
        assert codes == [None, None, "payload_too_large", "payload_too_large"]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([("files", f"{number}.pdf", PDF) for number in range(11)], "too_many_files"),
        ([("files", "a.zip", _zip({f"{n}.pdf": PDF for n in range(11)}))], "too_many_files"),
        ([("files", "a.zip", _zip({f"{n}.pdf": PDF for n in range(6)}))] * 2, "too_many_files"),
        ([("file", "a.pdf", PDF)], "validation_error"),
        ([("files", None, PDF)], "validation_error"),
        ([("task_id", None, b"a"), ("task_id", None, b"b")], "validation_error"),
        ([(f"f{number}", None, b"") for number in range(41)], "validation_error"),
        ([("task_id", None, bytes(70_000))], "payload_too_large"),
    ],
)
def test_what_is_no_upload_is_refused_whole(tmp_path: Path, parts: Parts, code: str) -> None:
    with pytest.raises(Error) as caught, _received(tmp_path, parts):
        pass
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [1, 30, 90, 150, 200, 300])
def test_a_body_that_is_cut_is_refused(tmp_path: Path, end: int) -> None:
    body = _body([("files", "a.pdf", PDF), ("files", "b.zip", _zip({"c.pdf": PDF}))])
    upload = Upload(tmp_path, LIMITS, _Kept(), lambda: None)
    reader = MultipartReader(f"multipart/form-data; boundary={BOUNDARY}", upload)
    with pytest.raises(Error) as caught, upload:
        reader.feed(body[:end])
        reader.finish()
    assert caught.value.code == "bad_request"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"no multipart at all",
        b"--edge\r\nno header\r\n\r\nx\r\n--edge--\r\n",
        b"--edge\r\nContent-Type: a/b\r\n\r\nx\r\n--edge--\r\n",
        b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--\r\n",
        b"--edge\r\nA: " + b"a" * 100_000,
    ],
)
def test_what_is_no_multipart_is_refused(tmp_path: Path, body: bytes) -> None:
    upload = Upload(tmp_path, LIMITS, _Kept(), lambda: None)
    reader = MultipartReader(f"multipart/form-data; boundary={BOUNDARY}", upload)
    with pytest.raises(Error) as caught, upload:
        reader.feed(body)
        reader.finish()
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("application/json", "unsupported_media_type"),
        ("", "unsupported_media_type"),
        ("multipart/form-data", "bad_request"),
        ("multipart/form-data; boundary=" + "x" * 500, "bad_request"),
    ],
)
def test_the_type_of_the_body_is_looked_at_first(
    tmp_path: Path, content_type: str, code: str
) -> None:
    with pytest.raises(Error) as caught:
        MultipartReader(content_type, Upload(tmp_path, LIMITS, _Kept(), lambda: None))
    assert caught.value.code == code


def test_a_store_that_is_full_ends_the_upload(tmp_path: Path) -> None:
    parts = [("files", "b.zip", _zip({"c.pdf": PDF}))]
    with pytest.raises(Error) as caught, _received(tmp_path, parts, _Kept(fails=True)):
        pass
    assert caught.value.code == "storage_unavailable"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    upload = Upload(gone, LIMITS, _Kept(), lambda: None)
    reader = MultipartReader(f"multipart/form-data; boundary={BOUNDARY}", upload)
    with pytest.raises(Error) as caught, upload:
        reader.feed(_body([("files", "a.pdf", PDF)]))
    assert caught.value.code == "storage_unavailable"


def test_a_slow_archive_ends_with_its_time(tmp_path: Path) -> None:
    def over() -> None:
        raise Error("bad_request", Kind.BAD_REQUEST, "The body did not arrive in time.")

    upload = Upload(tmp_path, LIMITS, _Kept(), over)
    reader = MultipartReader(f"multipart/form-data; boundary={BOUNDARY}", upload)
    with pytest.raises(Error) as caught, upload:
        reader.feed(_body([("files", "b.zip", _zip({"c.pdf": PDF}))]))
    assert caught.value.code == "bad_request"
    assert list(tmp_path.iterdir()) == []
