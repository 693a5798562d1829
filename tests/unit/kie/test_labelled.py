"""Fields of tasks that nobody wrote a finder for."""

from datetime import date

import pytest
from printed_receipts import printed

from lib.domain.extraction import Hints
from lib.domain.task import FieldSpec, FieldType, Task
from lib.kie.cpu_extractor import build_cpu_extractor

SLIP = """
Batch No.: LX-2041
Best before       31.12.2025
Net weight        2.50 kg
Moisture          12.5 %
Inspector: Maria Lopez
Contact lab@example.org
Approved by
J. Smith
"""


def answer(spec: FieldSpec) -> str | None:
    task = Task("lab", "a lab slip", None, (spec,))
    hints = Hints(received_on=date(2026, 1, 31))
    raw = build_cpu_extractor().extract([printed(SLIP)], task, hints)
    found = raw.fields.get(spec.name)
    return found[0].raw if found else None


@pytest.mark.parametrize(
    ("name", "kind", "description", "value"),
    [
        ("batch_number", FieldType.IDENTIFIER, "number behind 'Batch No.'", "LX-2041"),
        ("best_before", FieldType.DATE, "when it expires", "31.12.2025"),
        ("net_weight", FieldType.NUMBER, "weight in kg", "2.50"),
        ("moisture", FieldType.PERCENT, "water", "12.5 %"),
        ("inspector", FieldType.NAME, "who looked at it", "Maria Lopez"),
        ("email", FieldType.EMAIL, "where to ask", "lab@example.org"),
        ("approved_by", FieldType.NAME, "who signed", "J. Smith"),
        ("iban", FieldType.IBAN, "account", None),
        ("serial_number", FieldType.IDENTIFIER, "serial", None),
    ],
)
def test_value_beside_its_label(
    name: str, kind: FieldType, description: str, value: str | None
) -> None:
    assert answer(FieldSpec(name, kind, description)) == value
