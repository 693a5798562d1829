"""A task of few fields: what is not asked for is not looked for, and what is asked for is found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from printed_receipts import MALAYSIAN, printed

from lib.domain.document import Page
from lib.domain.extraction import Hints
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.invoices.fields import INVOICE_FIELDS
from lib.kie.mentions import Mentions
from lib.kie.receipts.fields import RECEIPT_FIELDS
from lib.kie.receipts.pieces import Piece
from lib.kie.receipts.runs import NOTHING, HeadReading

HINTS = Hints(received_on=date(2026, 11, 22))
INVOICE = """
Nordlicht Werkstatt GmbH            Tel. 040 355 1234
Hafenstr. 12                        info@nordlicht-werkstatt.de
20459 Hamburg                       www.nordlicht-werkstatt.de

Bergmann KG
Lindenweg 4                         Invoice no.      2026-0117
80331 München                       Invoice date     14.03.2026
                                    Delivery date    12.03.2026
                                    Order no.        PO-4471
                                    Customer no.     C-20991
                                    Currency         EUR
Description          Quantity   Price     Amount
Repair of a pump     2          100.00    200.00
Seal                 4          12.50     50.00
                                Subtotal  250.00
                                VAT 19%   47.50
                                Total     297.50
Payable within 14 days, by 28.03.2026
VAT ID DE136695976   IBAN DE89 3704 0044 0532 0130 00   BIC COBADEFFXXX   HRB 12345
"""


def task_of(kind: DocumentType, names: Sequence[str]) -> Task:
    return Task("t", "", kind, tuple(FieldSpec(name, FieldType.STRING, "") for name in names))


@pytest.mark.parametrize(
    ("kind", "page", "known", "least"),
    [
        (DocumentType.RECEIPT, printed(MALAYSIAN), RECEIPT_FIELDS, 10),
        (DocumentType.INVOICE, printed(INVOICE, columns=90), INVOICE_FIELDS, 18),
    ],
)
def test_a_field_alone_is_what_it_is_among_all(
    kind: DocumentType, page: Page, known: frozenset[str], least: int
) -> None:
    extractor = build_cpu_extractor()
    everything = extractor.extract([page], task_of(kind, sorted(known)), HINTS)
    assert len(everything.fields) >= least
    for name in sorted(known):
        alone = extractor.extract([page], task_of(kind, [name]), HINTS)
        assert alone.fields.get(name) == everything.fields.get(name), name
        assert alone.tables.get(name) == everything.tables.get(name), name


class CountingHead:
    """A `HeadReader` that reads nothing and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self, mentions: Mentions, pieces: Sequence[Piece]) -> HeadReading:
        """See `HeadReader`."""
        self.asked += 1
        return HeadReading(NOTHING, NOTHING)


@pytest.mark.parametrize(("name", "asked"), [("total", 0), ("vendor_name", 1)])
def test_the_network_reads_a_head_only_for_who_wants_the_vendor(name: str, asked: int) -> None:
    head = CountingHead()
    extractor = build_cpu_extractor(head=head)
    extractor.extract([printed(MALAYSIAN)], task_of(DocumentType.RECEIPT, [name]), HINTS)
    assert head.asked == asked
