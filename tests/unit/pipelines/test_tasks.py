"""Task files: the shipped ones keep the public contract, and each mistake is one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from lib.domain.task import DocumentType, FieldType
from lib.errors import Error
from lib.pipelines.tasks import load_tasks

SHIPPED = Path(__file__).parents[3] / "configs" / "tasks"

RECEIPT = """
    vendor_name vendor_address vendor_phone vendor_tax_id document_number issue_date issue_time
    currency subtotal discount_total tax_total service_charge tip rounding total payments change
    tax_lines line_items
"""
INVOICE = """
    document_number issue_date due_date delivery_date purchase_order vendor_name vendor_address
    vendor_tax_id vendor_registration_id vendor_phone vendor_email vendor_website customer_name
    customer_address customer_tax_id customer_id shipping_address currency subtotal discount_total
    shipping tax_total total amount_paid amount_due payment_terms payment_reference iban bic
    tax_lines line_items
"""
LINE = "position product_code description quantity unit unit_price discount tax_rate amount"
VALID = """
id: parking
description: Parking tickets
fields:
  - {name: plate, type: identifier, description: Number plate}
  - name: stays
    type: table
    description: Stays
    columns:
      - {name: fee, type: money, description: Fee}
"""


def test_the_shipped_tasks_have_the_fields_of_the_public_contract() -> None:
    tasks = load_tasks(SHIPPED)
    assert [spec.name for spec in tasks["receipt_fields_v1"].fields] == RECEIPT.split()
    assert [spec.name for spec in tasks["invoice_fields_v1"].fields] == INVOICE.split()
    choices = {choice.id for choice in tasks["auto"].choices}
    assert choices == {"receipt_fields_v1", "invoice_fields_v1"}
    columns = tasks["invoice_fields_v1"].fields[-1].columns
    assert [column.name for column in columns] == LINE.split()


def test_every_shipped_field_can_be_asked_for_and_its_schema_is_valid() -> None:
    for task in load_tasks(SHIPPED).values():
        Draft202012Validator.check_schema(task.json_schema())
        for spec in task.fields:
            for field in (spec, *spec.columns):
                assert field.description
                assert field.question or field.type is FieldType.TABLE


def test_a_task_of_ones_own_needs_no_code(tmp_path: Path) -> None:
    (tmp_path / "parking.yaml").write_text(VALID)
    task = load_tasks(tmp_path)["parking"]
    assert task.document_type is None
    assert [spec.name for spec in task.fields] == ["plate", "stays"]
    assert task.fields[1].columns[0].type is FieldType.MONEY


def test_a_document_type_is_one_of_the_known(tmp_path: Path) -> None:
    (tmp_path / "parking.yaml").write_text(VALID + "document_type: receipt\n")
    assert load_tasks(tmp_path)["parking"].document_type is DocumentType.RECEIPT


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("type: identifier", "type: licence", "must be one of"),
        ("type: identifier, ", "", "must be one of"),
        ("name: plate", "name: Plate", r"must match \[a-z\]"),
        ("name: plate", "name: plate-no", r"must match \[a-z\]"),
        ("name: plate", "name: 7", r"must match \[a-z\]"),
        ("name: plate", "name: stays", "two fields named `stays`"),
        ("description: Number plate", "hint: plate", "unknown key `hint`"),
        ("description: Number plate", "question: plate", "`description` of field `plate`"),
        ("description: Number plate", "description: 12", "must be a non-empty text"),
        ("description: Number plate", "description: a, business_term: BT12", "BT-112"),
        ("description: Number plate", "description: a, columns: []", "`columns` belong to"),
        ("type: money", "type: table", "table inside a table"),
        ("id: parking", "id: parking\nversion: 2", "unknown key `version`"),
        ("id: parking", "id: other", "must be named other.yaml"),
        ("id: parking", "id: parking\nid: parking", "not valid YAML"),
        ("id: parking", "id: parking\ndocument_type: ticket", "must be one of"),
        ("id: parking", "id: parking\nchoices: [auto]", "either `fields` or `choices`"),
        ("fields:", "columns: [", "not valid YAML"),
    ],
)
def test_each_mistake_is_one_clear_error(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    assert VALID.count(old) == 1
    (tmp_path / "parking.yaml").write_text(VALID.replace(old, new))
    with pytest.raises(Error, match=complaint) as caught:
        load_tasks(tmp_path)
    assert caught.value.code == "invalid_task"
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "id: parking\ndescription: x\n"])
def test_a_file_that_is_no_task_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "parking.yaml").write_text(text)
    with pytest.raises(Error):
        load_tasks(tmp_path)


def test_unreadable_files_empty_folders_and_unknown_choices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Error, match="no task files"):
        load_tasks(tmp_path)
    (tmp_path / "pick.yaml").write_text("id: pick\ndescription: d\nchoices: [nothing]\n")
    with pytest.raises(Error, match="`nothing` is not a task with fields"):
        load_tasks(tmp_path)
    (tmp_path / "pick.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Error, match="UTF-8"):
        load_tasks(tmp_path)
