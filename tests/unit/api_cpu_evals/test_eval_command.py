"""`ocr eval` from the command line, against a server and with stations of our own."""

import json
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import typer
from typer.testing import CliRunner

from apps.api_cpu.evals import command
from apps.api_cpu.evals.command import eval_command
from apps.api_cpu.evals.pipeline_reader import PipelineReader
from apps.api_cpu.stations import Reader
from lib.domain.extraction import Candidate, RawExtraction, Source
from lib.domain.source import EInvoice
from lib.domain.task import DocumentType
from lib.errors import Error, Kind
from lib.pipelines.extract import Stations
from lib.pipelines.tasks import load_tasks

ANSWER = {
    "document_type": "invoice",
    "result": {"total": 19.90, "currency": "EUR"},
    "fields": {"total": {"value": 19.90, "confidence": 0.9}},
    "pages": [{"number": 1, "width": 4, "height": 3, "rotation": 0, "source": "ocr"}],
}


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Runs `ocr eval` on two documents; returns its result and the artifact, if there is one."""
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    truth = tmp_path / "truth.jsonl"
    line = {"document_type": "invoice", "fields": {"total": "19.90"}}
    truth.write_text("\n".join(json.dumps({"id": n, "file": n, **line}) for n in "ab"))
    app = typer.Typer()
    app.command()(eval_command)

    def run(*arguments):
        found = CliRunner().invoke(app, ["--truth", str(truth), *arguments])
        written = list(tmp_path.rglob("evals/*/*.json"))
        return found, json.loads(written[0].read_text()) if written else None

    return run


@pytest.fixture
def server():
    """A server that answers `/v1/extract`, but refuses a wrong key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            allowed = self.headers["Authorization"] == "Bearer right"
            body = json.dumps(ANSWER if allowed else {"error": {"code": "unauthorized"}}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_server_is_measured(ask, server, monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", "right")
    out = str(tmp_path / "measured")
    result, kept = ask("--server", server, "--api-key-env", "MY_KEY", "--out", out, "--limit", "1")
    assert result.exit_code == 0, result.output
    assert "micro" in result.output
    assert (kept["reader"], kept["task_id"], kept["documents"]) == ("server", "auto", 1)
    assert kept["micro"]["exact"]["f1"] == 1
    assert list((tmp_path / "measured" / "evals").iterdir())


def test_a_refused_key_stops_with_one_line(ask, server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "wrong")
    result, kept = ask("--server", server, "--api-key-env", "MY_KEY")
    assert result.exit_code == 1
    assert "401" in result.output
    assert kept is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "bills"), "no task bills"),
        (("--server", "http://x", "--api-key-env", "NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
    ],
)
def test_wrong_options_stop_with_one_line(ask, arguments, message):
    result, kept = ask(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert kept is None


class ScriptedLoader:
    """Every document is an e-invoice whose total is 19.90, except the one that cannot be opened."""

    def open(self, data, deadline, cancellation=None, owner=None):
        if data == b"b":
            raise Error("unreadable_document", Kind.UNPROCESSABLE, "")
        return ScriptedDocument()


class ScriptedDocument:
    mime_type, page_count = "application/xml", 0
    total = Candidate("19.90", 1.0, Source.XML, value=Decimal("19.90"))
    raw = RawExtraction(DocumentType.INVOICE, 1.0, {"total": (total,)}, {})
    einvoice = EInvoice("ubl", "test", raw)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass


@pytest.fixture
def stations():
    return Stations(ScriptedLoader(), None, None, load_tasks(command.CONFIGS / "tasks"))


def test_the_pipeline_is_measured_into_the_artifacts_folder(ask, stations, monkeypatch, tmp_path):
    closed = []
    reader = Reader(stations, lambda: True, lambda: closed.append(True))
    monkeypatch.setattr(command, "build_reader", lambda settings: reader)
    result, kept = ask("-j", "2")
    assert result.exit_code == 0, result.output
    assert closed == [True]
    assert (kept["reader"], kept["failed"]) == ("pipeline", 1)
    assert kept["micro"]["exact"]["recall"] == 0.5
    assert kept["items"][1]["error"] == "unreadable_document"
    assert list((tmp_path / "data" / "artifacts" / "evals").iterdir())


def test_the_pipeline_reader_gives_values_confidences_and_time(stations):
    reader = PipelineReader(stations, stations.tasks["auto"], deadline_s=10)
    prediction = reader.read("a", "a.xml", b"a")
    assert prediction.result["total"] == Decimal("19.90")
    assert prediction.document_type is DocumentType.INVOICE
    assert prediction.confidences["total"] > 0.9
    assert prediction.milliseconds >= 0
    assert reader.read("b", "b.xml", b"b").error == "unreadable_document"
