"""`ocr batch` against a server: sent once, collected once, and gone on with after a stop."""

from __future__ import annotations

import csv
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from api_place import Place
from typer.testing import CliRunner

from apps.api_cpu.batches.folder_readers import ServerFolderReader, document_of
from apps.api_cpu.batches.server_client import BatchServer
from apps.api_cpu.batches.state import BatchState
from apps.api_cpu.cli import app as cli
from apps.api_cpu.evals.server_reader import ServerReader
from lib.errors import Error

PDF = b"%PDF-1.7 "


class _Counted(httpx.BaseTransport):
    """The server of a test; counts what is sent, and is away when told so."""

    def __init__(self, place: Place) -> None:
        self._within = place.client._transport
        self.uploads = 0
        self.away_after: int | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.away_after is not None and self.uploads >= self.away_after:
            raise httpx.ConnectError("away")
        request.read()
        self.uploads += request.method == "POST"
        return self._within.handle_request(request)


@pytest.fixture
def network(place: Place) -> _Counted:
    """The way to the server."""
    return _Counted(place)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two documents, one of them twice, one that is none, and a ZIP with two members."""
    folder = tmp_path / "scans"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.pdf").write_bytes(PDF + b"a")
    (folder / "deep" / "again.pdf").write_bytes(PDF + b"a")
    (folder / "b.pdf").write_bytes(PDF + b"b")
    (folder / "c.txt").write_bytes(b"no document")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.pdf", PDF + b"x")
        archive.writestr("sub/y.pdf", PDF + b"y")
    (folder / "deep" / "more.zip").write_bytes(file.getvalue())
    return folder


def _run(network: _Counted, folder: Path, state: BatchState) -> None:
    documents = [
        document_of(path, path.relative_to(folder).as_posix(), "auto")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    with BatchServer("http://localhost", None, 0.0, transport=network) as server:
        ServerFolderReader(server, {"task_id": "auto"}, sleep=lambda _: None).read(
            documents, state, lambda _: None
        )


def test_each_content_is_sent_once(network: _Counted, folder: Path, tmp_path: Path) -> None:
    state = BatchState(tmp_path / "x.state")
    _run(network, folder, state)
    assert sorted(len(items) for items in state.done.values()) == [1, 1, 1, 2]
    assert [item["ok"] for items in state.done.values() for item in items].count(False) == 1
    assert state.sent == {}
    sent = network.uploads
    _run(network, folder, BatchState.load(tmp_path / "x.state"))
    assert network.uploads == sent


def test_a_run_that_was_sent_before_the_stop_is_collected_and_not_sent_again(
    network: _Counted, folder: Path, tmp_path: Path
) -> None:
    state = BatchState(tmp_path / "x.state")
    network.away_after = 1
    with pytest.raises(Error) as caught:
        _run(network, folder, state)
    assert caught.value.code == "inference_unavailable"
    assert state.sent
    network.away_after = None
    again = BatchState.load(tmp_path / "x.state")
    _run(network, folder, again)
    assert len(again.done) == 4
    assert network.uploads == 2


def test_a_run_that_never_arrived_is_sent_again(
    network: _Counted, folder: Path, tmp_path: Path
) -> None:
    state = BatchState(tmp_path / "x.state")
    network.away_after = 0
    with pytest.raises(Error):
        _run(network, folder, state)
    network.away_after = None
    again = BatchState.load(tmp_path / "x.state")
    _run(network, folder, again)
    assert (len(again.done), again.sent) == (4, {})


def test_a_server_that_refuses_ends_it(network: _Counted, folder: Path, tmp_path: Path) -> None:
    state = BatchState(tmp_path / "x.state")
    documents = [document_of(folder / "a.pdf", "a.pdf", "none")]
    server = BatchServer("http://localhost", None, 0.0, transport=network)
    with server, pytest.raises(Error) as caught:
        ServerFolderReader(server, {"task_id": "none"}).read(documents, state, lambda _: None)
    assert "422 validation_error" in caught.value.message


@pytest.mark.parametrize(
    "arguments",
    [
        ["none"],
        [".", "-o", "x.pdf"],
        [".", "-o", "none/x.csv"],
        [".", "--glob", "*.none"],
        [".", "--glob", "**x"],
        [".", "--glob", "/*"],
        [".", "--glob", ""],
        [".", "--task", "none"],
        [".", "--server", "http://127.0.0.1:9"],
    ],
)
def test_what_cannot_begin_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_KEY", "no key, since a header cannot carry \xe4")
    (tmp_path / "a.pdf").write_bytes(PDF)
    assert CliRunner().invoke(cli, ["batch", *arguments]).exit_code == 2


def test_results_are_under_the_names_of_the_folder(
    network: _Counted, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _run(network, folder, BatchState(tmp_path / "scans.csv.state"))
    # All is done already, so that nobody is asked any more.
    found = CliRunner().invoke(cli, ["batch", "scans", "--server", "http://127.0.0.1:9"])
    assert found.exit_code == 1, found.output
    rows = list(csv.DictReader(_lines(tmp_path / "scans.csv")))
    assert [(row["file"], row["status"]) for row in rows] == [
        ("a.pdf", "ok"),
        ("b.pdf", "ok"),
        ("c.txt", "failed"),
        ("deep/again.pdf", "ok"),
        ("deep/more.zip/x.pdf", "ok"),
        ("deep/more.zip/sub/y.pdf", "ok"),
    ]
    assert rows[0]["total"] == "19.90"


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
@pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx"])
def test_a_name_that_is_no_text_costs_nobody_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scans"
    folder.mkdir()
    path = folder / os.fsdecode(b"bad\xff.pdf")
    path.write_bytes(PDF)
    state = BatchState(tmp_path / f"out.{form}.state")
    item = {"file": "x", "ok": False, "result": None, "error": None, "needs_review": False}
    names = ("request_id", "input_ref", "artifact_rel", "timings_ms")
    state.note_done(document_of(path, "x", "auto").key, [item | dict.fromkeys(names)])
    arguments = ["batch", "scans", "-o", f"out.{form}", "--server", "http://127.0.0.1:9"]
    found = CliRunner().invoke(cli, arguments)
    assert "1 failed; written to" in found.output
    if form != "xlsx":
        assert "bad\ufffd.pdf" in (tmp_path / f"out.{form}").read_text()


def test_an_address_that_is_none_is_a_server_that_is_away() -> None:
    for ask in (lambda: BatchServer("::", None, 0.0), lambda: ServerReader("::", "auto")):
        with pytest.raises(Error, match="inference_unavailable"):
            ask()


def test_results_that_cannot_be_written_are_one_line(
    network: _Counted, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _run(network, folder, BatchState(tmp_path / "scans.csv.state"))
    (tmp_path / "scans.csv.part").mkdir()
    found = CliRunner().invoke(cli, ["batch", "scans", "--server", "http://127.0.0.1:9"])
    assert (found.exit_code, "error: scans.csv cannot be written" in found.output) == (1, True)


def _lines(path: Path) -> Iterator[str]:
    with path.open(newline="") as file:
        yield from file
