"""The mock's answers: what fits the schema that was asked for, and which question is meant."""

from __future__ import annotations

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lib.domain.extraction import FieldValue, Source
from lib.domain.task import Task
from lib.inference.wire import OcrDocument
from lib.pipelines.tasks import load_tasks

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

from mock_inference.answers import answer_to, asked_field, filled  # noqa: E402
from mock_inference.faults import Script  # noqa: E402
from mock_inference.reading import DocumentReader, Values  # noqa: E402


@pytest.fixture(scope="module")
def task() -> Task:
    return load_tasks(ROOT / "configs" / "tasks")["receipt_fields_v1"]


@pytest.fixture(scope="module")
def values(task: Task) -> Values:
    def value(raw: str, meant: Decimal | str, confidence: float = 0.9) -> FieldValue:
        return FieldValue(value=meant, raw=raw, confidence=confidence, source=Source.OCR)

    return Values(
        task,
        {
            "total": value("EUR 1.234,50", Decimal("1234.50")),
            "currency": value("€", "EUR"),
            "vendor_name": value('"Bär" & Co', '"Bär" & Co'),
            "line_items[0].description": value("Apples", "Apples", 0.8),
            "line_items[0].amount": value("2,00", Decimal("2.00")),
            "line_items[1].description": value("Pears", "Pears", 0.6),
            "line_items[10].description": value("Plums", "Plums", 0.7),
        },
    )


TEXT_OR_NULL = {"anyOf": [{"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "number"}, 1234.5),
        ({"type": ["integer", "null"]}, 1234),
        ({"type": "string"}, "EUR 1.234,50"),
        ({"type": "string", "pattern": r"^[0-9][0-9.,]*$"}, "1.234,50"),
        ({"type": "string", "pattern": r"^\d+\.\d\d$"}, "1234.50"),
        ({"anyOf": [{"type": "string", "pattern": "^[A-Z]{9}$"}, {"type": "null"}]}, None),
        ({"type": "string", "enum": ["EUR", "USD"]}, "EUR"),
        ({"type": "boolean"}, False),
    ],
)
def test_a_value_takes_the_shape_that_is_asked_for(
    values: Values, schema: dict[str, Any], expected: object
) -> None:
    whole = {"type": "object", "properties": {"total": schema}, "required": ["total"]}
    answer = json.loads(filled(whole, values))
    assert answer == {"total": expected}
    jsonschema.validate(answer, whole)


def test_rows_and_what_is_missing(values: Values) -> None:
    row = {"type": "object", "properties": {"description": TEXT_OR_NULL, "amount": TEXT_OR_NULL}}
    schema = {
        "type": "object",
        "properties": {
            "vendor_name": TEXT_OR_NULL,
            "tip": TEXT_OR_NULL,
            "line_items": {"type": "array", "items": row, "maxItems": 2},
            "payments": {"type": "array", "items": row},
        },
    }
    assert json.loads(filled(schema, values)) == {
        "vendor_name": '"Bär" & Co',
        "tip": None,
        "line_items": [
            {"description": "Apples", "amount": "2,00"},
            {"description": "Pears", "amount": None},
        ],
        "payments": [],
    }


def test_the_tasks_own_schema_is_met(task: Task, values: Values) -> None:
    jsonschema.validate(json.loads(filled(task.json_schema(), values)), task.json_schema())


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("total", ("EUR 1.234,50", 0.9)),
        ("tip", ("", 1.0)),
        ("line_items.description", ("Apples | Pears | Plums", 0.6)),
        ("0.amount", ("2,00", 0.9)),
        ("1.amount", ("", 1.0)),
        ("9.amount", ("", 1.0)),
    ],
)
def test_a_questions_name_says_what_is_asked(
    values: Values, name: str, answer: tuple[str, float]
) -> None:
    assert answer_to(name, "whatever", values) == answer


def test_a_question_is_known_by_its_text_in_each_language(task: Task) -> None:
    total = next(spec for spec in task.fields if spec.name == "total")
    for text in (total.question, *(text for _, text in total.translations)):
        assert asked_field(text, task) == "total"
    assert asked_field("Who won the cup in 1954?", task) is None


def test_the_mock_answers_with_what_is_printed_and_not_with_what_can_be_computed() -> None:
    lines = [
        "Miller Hardware Ltd",
        "Invoice No. 4711",
        "Subtotal 150.00",
        "VAT 19 % on 100.00 19.00",
        "VAT 7 % on 50.00 3.50",
        "Total 172.50",
    ]
    places = [
        (word, row, 40 * at)
        for row, line in enumerate(lines)
        for at, word in enumerate(line.split())
    ]
    page = {
        "width": 400,
        "height": 400,
        "words": [word for word, _, _ in places],
        "bboxes": [(x, 20 * row, x + 36, 20 * row + 12) for _, row, x in places],
        "image": {"url": ""},
    }
    document = OcrDocument.model_validate({"pages": [page]})
    reader = DocumentReader(ROOT / "configs" / "tasks")
    read = reader.words(document, frozenset({"subtotal", "tax_total", "total"}))
    assert read.fields["total"].value == Decimal("172.50")
    assert "tax_total" not in read.fields


def test_a_script_of_faults() -> None:
    script = Script("503:2*2, hang,ok*1,reset*")
    steps = [script.next() for _ in range(7)]
    assert [step.name for step in steps] == ["503", "503", "hang", "ok", "reset", "reset", "reset"]
    assert steps[0].seconds == "2"
    assert Script("").next().name == "ok"
    for wrong in ("nonsense", "503*x", "503::2"):
        with pytest.raises(ValueError):
            Script(wrong)


@pytest.mark.slow
def test_a_picture_is_read_once_whatever_is_asked_and_by_however_many() -> None:
    drawn = (ROOT / "tests" / "e2e" / "small_receipt.png").read_bytes()
    uri = f"data:image/png;base64,{base64.b64encode(drawn).decode()}"
    with closing(DocumentReader(ROOT / "configs" / "tasks")) as reader:
        with ThreadPoolExecutor(2) as both:
            asked = [both.submit(reader.images, [uri], frozenset({n})) for n in ("total", "tax")]
            assert asked[0].result().fields == asked[1].result().fields
        # Whoever reads is gone: what is asked for now is of the page that was read.
        reader.close()
        found = reader.images([uri, uri], frozenset({"total", "vendor_name"})).fields
    assert found["total"].value == Decimal("12.50")
    assert {value.page for value in found.values()} <= {1, 2}
