"""The schema that a chat model is held to, and the strict reading of what it writes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_inference import CONFIGS

from lib.domain.task import FieldType
from lib.kie.models.answer_schema import answer_schema, pattern_of
from lib.kie.models.json_answer import UnusableAnswer, read_json_answer
from lib.pipelines.tasks import load_tasks

TASKS = load_tasks(Path(CONFIGS) / "tasks")
RECEIPT = TASKS["receipt_fields_v1"]
FIELDS = tuple(
    spec for spec in RECEIPT.fields if spec.name in ("vendor_name", "total", "line_items")
)
ROW = {
    "description": "Tea",
    "product_code": None,
    "quantity": "2",
    "unit_price": None,
    "discount": None,
    "amount": "5.00",
}
GOOD: dict[str, Any] = {"vendor_name": "Corner Shop", "total": "19.90", "line_items": [ROW]}


def _keywords(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, inner in schema.items():
            yield name
            yield from (
                (k for value in inner.values() for k in _keywords(value))
                if name == "properties"
                else _keywords(inner)
            )
    elif isinstance(schema, list):
        for inner in schema:
            yield from _keywords(inner)


@pytest.mark.parametrize("task_id", ["receipt_fields_v1", "invoice_fields_v1"])
def test_the_schema_uses_only_what_guided_decoding_enforces(task_id: str) -> None:
    schema = answer_schema(TASKS[task_id].fields, 40)
    enforced = {
        "type", "properties", "required", "additionalProperties", "items", "maxItems", "anyOf",
        "pattern",
    }  # fmt: skip
    assert set(_keywords(schema)) <= enforced
    assert schema["required"] == [spec.name for spec in TASKS[task_id].fields]
    assert "number" not in json.dumps(schema["properties"]["total"])


@pytest.mark.parametrize("kind", [kind for kind in FieldType if kind is not FieldType.TABLE])
def test_no_pattern_repeats_more_often_than_a_grammar_takes(kind: FieldType) -> None:
    repeats = [int(most) for most in re.findall(r"\{\d+,(\d+)\}", pattern_of(kind))]
    assert all(most <= 128 for most in repeats)


@pytest.mark.parametrize(
    ("kind", "text", "allowed"),
    [
        (FieldType.MONEY, "1.234,50", True),
        (FieldType.MONEY, "-3.20", True),
        (FieldType.MONEY, "9E5750", False),
        (FieldType.MONEY, "EUR 3", False),
        (FieldType.MONEY, "1" * 40, False),
        (FieldType.PERCENT, "7,5", True),
        (FieldType.PERCENT, "1900", False),
        (FieldType.CURRENCY, "EUR", True),
        (FieldType.CURRENCY, "€", False),
        (FieldType.TIME, "7:42 PM", True),
        (FieldType.TIME, "late", False),
        (FieldType.DATE, "17. März 2026", True),
        (FieldType.NAME, 'the "best"', False),
        (FieldType.NAME, "a\nb", False),
        (FieldType.NAME, "x" * 240, True),
        (FieldType.NAME, "x" * 241, False),
        (FieldType.IDENTIFIER, "x" * 81, False),
    ],
)
def test_patterns_allow_what_is_printed_and_nothing_that_traps(
    kind: FieldType, text: str, allowed: bool
) -> None:
    assert (re.search(pattern_of(kind), text) is not None) == allowed


def test_a_good_answer_is_read_with_its_rows() -> None:
    answer = read_json_answer(json.dumps(GOOD), FIELDS, 10, 0.8)
    assert answer.fields["total"][0].text == "19.90"
    assert answer.fields["vendor_name"][0].score == 0.8
    assert [cell.text for cell in answer.tables["line_items"][0].values()] == ["Tea", "2", "5.00"]


def test_numbers_keep_their_decimals_fences_and_control_characters_are_stripped() -> None:
    text = '```json\n{"vendor_name": "Corner\x01 Shop", "total": 19.90, "line_items": []}\n```'
    answer = read_json_answer(text, FIELDS, 10, 0.8)
    assert answer.fields["total"][0].text == "19.90"
    assert answer.fields["vendor_name"][0].text == "Corner Shop"


def test_what_is_null_or_empty_is_not_there() -> None:
    values = {"vendor_name": " n/a ", "total": None, "line_items": [dict.fromkeys(ROW)]}
    answer = read_json_answer(json.dumps(values), FIELDS, 10, 0.8)
    assert answer.fields == {}
    assert answer.tables == {"line_items": ()}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not one JSON object"),
        ("The total is 19.90.", "not one JSON object"),
        (json.dumps(GOOD)[:-9], "not one JSON object"),
        (json.dumps(GOOD) + " Done.", "not one JSON object"),
        ("[" * 200_000, "not one JSON object"),
        ("[]", "not an object"),
        ('{"vendor_name": null, "total": null}', "lacks the key `line_items`"),
        (json.dumps(GOOD | {"iban": "x"}), "not asked for"),
        (json.dumps(GOOD | {"total": {"value": 1}}), "`total` is not a text"),
        (json.dumps(GOOD | {"total": True}), "`total` is not a text"),
        (json.dumps(GOOD | {"vendor_name": 12}), "`vendor_name` is not a text"),
        (json.dumps(GOOD | {"vendor_name": "x" * 241}), "longer than"),
        (json.dumps(GOOD | {"line_items": [ROW] * 11}), "more than 10 rows"),
        (json.dumps(GOOD | {"line_items": {"0": ROW}}), "not a list"),
        (json.dumps(GOOD | {"line_items": [{"amount": "5.00"}]}), "lacks the key"),
        (json.dumps(GOOD).replace('"19.90"', "NaN"), "NaN"),
        (json.dumps(GOOD).replace('"19.90"', "9E5750"), "too large"),
        (json.dumps(GOOD).replace('"19.90"', "1e30"), "out of range"),
        (json.dumps(GOOD).replace('"19.90"', "7" * 5000), "too long"),
        ('{"total": "1", "total": "2", "vendor_name": null, "line_items": []}', "twice"),
    ],
)
def test_a_bad_answer_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(UnusableAnswer) as refused:
        read_json_answer(text, FIELDS, 10, 0.8)
    assert reason in refused.value.reason
