"""Truth files, runs with a scripted reader, and the report."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from apps.api_cpu.evals.report import artifact, tables
from apps.api_cpu.evals.service import load_truth, run_evaluation
from apps.api_cpu.wire import dump
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.errors import Error, Kind
from lib.evaluation.evaluate import Prediction

TASK = Task(
    id="receipt_fields_v1",
    description="",
    document_type=DocumentType.RECEIPT,
    fields=(
        FieldSpec("vendor_name", FieldType.NAME, ""),
        FieldSpec("total", FieldType.MONEY, ""),
        FieldSpec(
            "line_items",
            FieldType.TABLE,
            "",
            columns=(FieldSpec("amount", FieldType.MONEY, ""),),
        ),
    ),
)


class ScriptedReader:
    name = "pipeline"

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def read(self, document_id, file_name, data):
        self.asked.append((document_id, file_name, data))
        answer = self.answers[document_id]
        if isinstance(answer, str):
            return Prediction(document_id, error=answer)
        return Prediction(
            document_id,
            document_type=DocumentType.RECEIPT,
            result=answer,
            confidences={"total": 0.97},
            page_count=2,
            milliseconds=300,
        )


def write_truth(folder, *documents):
    (folder / "images").mkdir(exist_ok=True)
    lines = []
    for document in documents:
        file = f"images/{document['id']}.jpg"
        (folder / file).write_bytes(document["id"].encode())
        lines.append(json.dumps({"file": file, "document_type": "receipt", **document}))
    path = folder / "truth.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return path


@pytest.fixture
def truth_file(tmp_path):
    return write_truth(
        tmp_path,
        {"id": "a", "fields": {"total": "9.00"}, "line_items": [{"amount": "9.00"}]},
        {"id": "b", "fields": {"total": "5.00", "vendor_name": "ACME"}},
    )


ANSWERS = {
    "a": {"total": Decimal("9.00"), "line_items": ({"amount": Decimal("9.00")},)},
    "b": {"total": Decimal("5.01"), "vendor_name": "A.C.M.E."},
}


def run(truth_file, answers=ANSWERS, **options):
    reader = ScriptedReader(answers)
    return run_evaluation(load_truth(truth_file, [TASK]), reader, [TASK], **options), reader


def test_files_are_read_relative_to_the_truth_file(truth_file):
    _, reader = run(truth_file)
    assert reader.asked == [("a", "a.jpg", b"a"), ("b", "b.jpg", b"b")]


def test_the_comparison_is_that_of_the_library(truth_file):
    done, _ = run(truth_file)
    micro = done.evaluation.micro
    assert (micro.exact.judged, micro.exact.correct, micro.relaxed.correct) == (3, 1, 2)


def test_several_jobs_keep_the_order(truth_file):
    done, _ = run(truth_file, jobs=4)
    assert [prediction.document_id for prediction in done.predictions] == ["a", "b"]


def test_progress_is_told_per_document(truth_file):
    seen = []
    run(truth_file, on_document=lambda prediction: seen.append(prediction.document_id))
    assert seen == ["a", "b"]


def test_a_reader_that_gives_up_is_not_asked_again(tmp_path):
    path = write_truth(tmp_path, *({"id": str(n), "fields": {}} for n in range(50)))

    class Refusing(ScriptedReader):
        def read(self, document_id, file_name, data):
            self.asked.append(document_id)
            raise Error("bad_request", Kind.BAD_REQUEST, "refused")

    reader = Refusing({})
    with pytest.raises(Error, match="refused"):
        run_evaluation(load_truth(path, [TASK]), reader, [TASK])
    assert reader.asked == ["0"]


def test_a_limit_takes_the_first_documents(truth_file):
    assert [d.id for d in load_truth(truth_file, [TASK], limit=1).documents] == ["a"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe"])
def test_a_bad_truth_file_is_refused(tmp_path, content):
    path = tmp_path / "truth.jsonl"
    path.write_bytes(content)
    with pytest.raises(Error) as caught:
        load_truth(path, [TASK])
    assert caught.value.code == "validation_error"
    with pytest.raises(Error, match="cannot be read"):
        load_truth(tmp_path / "no.jsonl", [TASK])


def test_a_missing_document_stops_the_evaluation(truth_file):
    (truth_file.parent / "images/b.jpg").unlink()
    with pytest.raises(Error, match="'b'"):
        load_truth(truth_file, [TASK])


def test_a_money_truth_must_be_money(tmp_path):
    path = write_truth(tmp_path, {"id": "a", "fields": {"total": "9,00"}})
    with pytest.raises(Error, match="total"):
        load_truth(path, [TASK])


def report(done):
    moment = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
    return json.loads(dump(artifact(done, "e1", moment, "0.1.0", "auto")))


def test_the_artifact_holds_figures_predictions_and_mistakes(truth_file):
    kept = report(run(truth_file)[0])
    assert kept["created_at"] == "2026-11-21T06:00:00.000Z"
    assert kept["fields"]["total"]["exact"]["f1"] == 0.5
    assert kept["micro"]["relaxed"]["correct"] == 2
    assert kept["line_items"]["rows"]["exact"]["f1"] == 1
    assert kept["document_type"]["correct"] == 2
    assert kept["median_ms_per_page"] == 150
    assert kept["confidence"]["exact"]["coverage"][0] == {
        "threshold": 0.9,
        "answered": 2,
        "confident": 2,
        "coverage": 1.0,
        "precision": 0.5,
    }
    assert kept["items"][0]["mistakes"] == []
    assert kept["items"][0]["result"]["line_items"] == [{"amount": 9.0}]
    assert kept["items"][1]["mistakes"] == [
        {"field": "total", "truth": "5.00", "answer": 5.01, "relaxed": False},
        {"field": "vendor_name", "truth": "ACME", "answer": "A.C.M.E.", "relaxed": True},
    ]


def test_a_failed_document_shows_its_code(truth_file):
    done, _ = run(truth_file, {**ANSWERS, "b": "unreadable_document"})
    kept = report(done)
    assert kept["failed"] == 1
    assert (kept["items"][1]["error"], kept["items"][1]["result"]) == ("unreadable_document", None)
    assert "unreadable_document: 1" in shown(done)


def shown(done):
    out = io.StringIO()
    Console(file=out, width=140).print(tables(done))
    return out.getvalue()


def test_the_tables_show_every_field_micro_rows_and_time(truth_file):
    text = shown(run(truth_file)[0])
    total = next(line for line in text.splitlines() if "total" in line)
    assert total.count("0.500") == 4
    for expected in ("vendor_name", "micro", "whole rows", "amount", "150 ms a page"):
        assert expected in text
    assert "in no task" not in text


def test_a_misspelt_field_is_pointed_out(tmp_path):
    path = write_truth(tmp_path, {"id": "a", "fields": {"totl": "9.00"}})
    done, _ = run(path)
    assert done.unknown_fields == ("totl",)
    assert "in no task: totl" in shown(done)
