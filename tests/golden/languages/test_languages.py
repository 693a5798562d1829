"""Receipts and invoices drawn in twelve languages are read right, but for listed misses."""

from datetime import date
from pathlib import Path

import pytest
from drawn_documents import load_documents
from language_scores import Marks, mark

from lib.domain.extraction import Hints
from lib.evaluation.compare import agree
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

TASKS = load_tasks(Path(__file__).resolve().parents[3] / "configs" / "tasks")
DOCUMENTS = {document.id: document for document in load_documents()}

# Reached over all documents, less what one document is worth: a change that breaks the reading of
# a language falls below.
FIELDS_F1_FLOOR = 0.985
LINE_AMOUNTS_F1_FLOOR = 0.975


@pytest.fixture(scope="module")
def readings():
    """Task and reading of each document, read as `auto` and received long after it was issued."""
    extractor = build_cpu_extractor()
    hints = Hints(received_on=date(2026, 12, 1))
    found = {}
    for name, document in DOCUMENTS.items():
        raw = extractor.extract([document.page], TASKS["auto"], hints)
        found[name] = raw.task, finish(raw, raw.task, [document.page], hints)
    return found


@pytest.fixture(scope="module")
def marks(readings):
    return {name: mark(DOCUMENTS[name], *reading) for name, reading in readings.items()}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_matters_most_is_right(name, readings):
    document, (_, reading) = DOCUMENTS[name], readings[name]
    assert reading.document_type == document.document_type
    for key in ("issue_date", "total"):
        kind = TASKS["invoice_fields_v1"].field(key).type
        assert agree(document.fields[key], reading.result[key], kind).exact, key
    assert reading.result["currency"] == document.fields.get("currency")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_only_listed_misses(name, marks):
    document, misses = DOCUMENTS[name], marks[name].misses
    new = {key: miss for key, miss in misses.items() if key not in document.known_misses}
    assert new == {}, "name: (on the document, answered)"
    assert document.known_misses <= misses.keys(), "right now: remove it from known_misses"


def test_accuracy_over_all_languages(marks):
    everything = sum(marks.values(), Marks())
    print(table(marks))  # noqa: T201 (pytest -s shows it)
    assert everything.fields.f1 >= FIELDS_F1_FLOOR
    assert everything.line_amounts.f1 >= LINE_AMOUNTS_F1_FLOOR


def table(marks):
    rows = [f"{'document':18}{'fields':>8}{'amounts':>9}{'cells':>8}  misses"]
    languages = dict.fromkeys(document.language for document in DOCUMENTS.values())
    groups = [(name, [name]) for name in marks]
    groups += [(code, [n for n in marks if DOCUMENTS[n].language == code]) for code in languages]
    groups.append(("all", list(marks)))
    for title, names in groups:
        found = sum((marks[name] for name in names), Marks())
        figures = (found.fields.f1, found.line_amounts.f1, found.cells.f1)
        listed = " ".join(marks[names[0]].misses) if len(names) == 1 else ""
        rows.append(f"{title:18}" + "".join(f"{f:8.3f}" for f in figures) + f"   {listed}")
    return "\n".join(rows)
