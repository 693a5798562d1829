"""The samples' expected results are those of their descriptions, and fit the tasks."""

import json
import sys
from decimal import Decimal
from pathlib import Path

import facturx
import jsonschema
import pytest
from lxml import etree
from PIL import Image
from stdnum import iban
from stdnum.eu import vat as eu_vat
from stdnum.gb import vat as gb_vat

from lib.evaluation.evaluate import field_types
from lib.evaluation.truth import read_truth
from lib.pipelines.tasks import load_tasks

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
FILES = sorted(path for path in SAMPLES.iterdir() if path.suffix in {".jpg", ".pdf", ".xml"})
sys.path.insert(0, str(ROOT / "scripts"))

import einvoice_rules  # noqa: E402 - the path comes first
from sample_documents import content, expected, ubl  # noqa: E402

RESULTS = {
    "receipt_photo": expected.receipt_result(content.RECEIPT_PHOTO),
    "receipt_de": expected.receipt_result(content.RECEIPT_DE),
    "invoice_scan": expected.invoice_result(content.INVOICE_SCAN),
    "invoice_digital": expected.invoice_result(content.INVOICE_DIGITAL),
    "invoice_facturx": expected.xml_result(content.FACTURX),
    "invoice_xrechnung": expected.xml_result(content.XRECHNUNG),
}


@pytest.fixture(scope="module")
def tasks():
    return load_tasks(ROOT / "configs/tasks")


def kept(path):
    text = (SAMPLES / "expected" / f"{path.stem}.json").read_text("utf-8")
    return json.loads(text, parse_float=Decimal)


def test_there_is_a_result_for_every_file():
    assert {path.stem for path in FILES} == set(RESULTS)
    assert {path.stem for path in (SAMPLES / "expected").iterdir()} == set(RESULTS)
    assert sum(path.stat().st_size for path in FILES) < 1_500_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_kept_result_is_that_of_the_description(path):
    kind = path.stem.split("_")[0]
    text = (SAMPLES / "expected" / f"{path.stem}.json").read_text("utf-8")
    assert text == expected.expected_json(kind, RESULTS[path.stem])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_result_fits_the_schema_of_its_task(path, tasks):
    body = json.loads((SAMPLES / "expected" / f"{path.stem}.json").read_text("utf-8"))
    jsonschema.validate(body["result"], tasks[body["task_id"]].json_schema())
    assert list(body["result"]) == [spec.name for spec in tasks[body["task_id"]].fields]


def test_the_truth_file_says_the_same(tasks):
    lines = (SAMPLES / "truth.jsonl").read_text("utf-8").splitlines()
    documents = read_truth(lines, field_types(tasks.values()))
    assert [document.id for document in documents] == list(RESULTS)
    for document, line in zip(documents, lines, strict=True):
        kind = document.document_type
        assert line + "\n" == expected.truth_line(
            document.id, document.file, kind, RESULTS[document.id]
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_sums_add_up(path):
    result = kept(path)["result"]
    lines = sum(row["amount"] for row in result["line_items"])
    taxes = sum(row["amount"] for row in result["tax_lines"])
    bases = sum(row["base"] for row in result["tax_lines"])
    assert taxes == result["tax_total"]
    assert bases + taxes == result["total"]
    net_or_gross = bases if path.stem.startswith("invoice") else result["total"]
    assert lines - (result["discount_total"] or 0) == net_or_gross


def test_identifiers_have_valid_check_digits():
    for result in RESULTS.values():
        for name in ("vendor_tax_id", "customer_tax_id"):
            if number := result.get(name):
                checker = gb_vat if number.startswith("GB") else eu_vat
                assert checker.is_valid(number), number
        if account := result.get("iban"):
            assert iban.is_valid(account)


def test_the_xrechnung_is_that_of_the_description():
    made = ubl.xrechnung_xml(content.XRECHNUNG, "99000000-00571-96")
    assert made == (SAMPLES / "invoice_xrechnung.xml").read_bytes()


def test_the_facturx_xml_obeys_its_schema():
    data = (SAMPLES / "invoice_facturx.pdf").read_bytes()
    name, xml = facturx.get_xml_from_pdf(data, check_xsd=True)
    assert name == "factur-x.xml"
    assert facturx.get_level(etree.fromstring(xml)) == "en16931"
    assert einvoice_rules.broken_rules(xml) == []


def test_the_photo_lies_on_its_side_with_an_exif_orientation():
    with Image.open(SAMPLES / "receipt_photo.jpg") as image:
        assert image.width > image.height
        assert image.getexif()[0x0112] == 6
