"""Every sample through the real pipeline gives its expected result, or a listed difference."""

import json
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import build_reader
from lib.domain.deadline import Deadline
from lib.domain.extraction import Hints
from lib.domain.task import FieldType
from lib.evaluation.compare import agree
from lib.pipelines.extract import extract

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

# What comes out today where it is not what the document says: place -> answer. A difference that
# appears is a regression; one that disappears is an improvement, and its line goes.
KNOWN_DIFFERENCES = {
    "receipt_photo.jpg": {},
    "receipt_de.jpg": {},
    "invoice_scan.pdf": {},
    "invoice_digital.pdf": {},
    "invoice_facturx.pdf": {},
    "invoice_xrechnung.xml": {},
}


@pytest.fixture(scope="session")
def stations():
    with closing(build_reader(load_settings(auth_enabled=False))) as reader:
        yield reader.stations


@pytest.fixture(scope="session")
def extractions(stations):
    """Each sample is read once, as `auto`."""
    hints = Hints(received_on=date(2026, 7, 1))
    return {
        name: extract(
            (SAMPLES / name).read_bytes(),
            stations.tasks["auto"],
            stations,
            hints,
            Deadline.after(300),
        )
        for name in KNOWN_DIFFERENCES
    }


def expected(name):
    path = SAMPLES / "expected" / f"{Path(name).stem}.json"
    return json.loads(path.read_text("utf-8"), parse_float=Decimal)


def differences(task, wanted, got):
    """Place -> answer wherever the two do not agree exactly by the rules of the evaluation."""
    found = {}
    for spec in task.fields:
        if spec.type is FieldType.TABLE:
            found |= row_differences(spec, wanted[spec.name], got[spec.name])
        elif not same(wanted[spec.name], got[spec.name], spec.type):
            found[spec.name] = got[spec.name]
    return found


def row_differences(table, wanted, got):
    if len(wanted) != len(got):
        return {table.name: f"{len(got)} rows, not {len(wanted)}"}
    return {
        f"{table.name}[{index}].{column.name}": row[column.name]
        for index, row in enumerate(got)
        for column in table.columns
        if not same(wanted[index][column.name], row[column.name], column.type)
    }


def same(wanted, got, field_type):
    if wanted is None or got is None:
        return wanted is got
    return agree(wanted, got, field_type).exact


@pytest.mark.parametrize("name", KNOWN_DIFFERENCES)
def test_the_result_is_the_expected_one(name, extractions, stations):
    extraction, wanted = extractions[name], expected(name)
    assert extraction.task_id == wanted["task_id"]
    assert extraction.reading.document_type == wanted["document_type"]
    task = stations.tasks[extraction.task_id]
    found = differences(task, wanted["result"], extraction.reading.result)
    assert found == KNOWN_DIFFERENCES[name]


@pytest.mark.parametrize("name", KNOWN_DIFFERENCES)
def test_the_result_fits_its_schema(name, extractions):
    assert extractions[name].reading.schema_errors == ()


@pytest.mark.parametrize("name", KNOWN_DIFFERENCES)
def test_every_value_that_was_read_on_a_page_has_its_place(name, extractions):
    for field, value in extractions[name].reading.fields.items():
        if value.source in {"ocr", "text_layer"}:
            assert value.page, field
            assert value.polygon, field


@pytest.mark.parametrize("name", ["invoice_facturx.pdf", "invoice_xrechnung.xml"])
def test_an_einvoice_is_read_from_its_xml(name, extractions):
    extraction = extractions[name]
    assert extraction.backend == "einvoice"
    assert {value.source for value in extraction.reading.fields.values()} <= {"xml", "derived"}


def test_a_photo_on_its_side_is_turned_by_its_exif(extractions):
    (page,) = extractions["receipt_photo.jpg"].pages
    assert page.height > page.width
    assert page.source == "ocr"


def test_a_text_layer_is_used_where_there_is_one(extractions):
    assert [page.source for page in extractions["invoice_digital.pdf"].pages] == ["text_layer"]
    assert [page.source for page in extractions["invoice_scan.pdf"].pages] == ["ocr", "ocr"]
