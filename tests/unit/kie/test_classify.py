"""Receipt, invoice, credit note or other."""

import pytest
from printed_receipts import AMERICAN, GERMAN, MALAYSIAN, printed

from lib.domain.document import Page
from lib.domain.task import DocumentType
from lib.kie import classify as station
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions

INVOICE = """
Muster GmbH
Hauptstr. 5, 10115 Berlin
{title}
Kundennummer: 10023          Datum: 05.03.2024
Rechnung an: Beispiel AG
Fällig am: 19.03.2024
Beschreibung            Menge   Betrag
Beratung                  2     200,00
Gesamtbetrag                    200,00
IBAN: DE02120300000000202051
"""


def classify(pages: list[Page]) -> station.Classification:
    return station.classify(Mentions(lay_out(pages), load_lexicon()))


@pytest.mark.parametrize("text", [MALAYSIAN, AMERICAN, GERMAN])
def test_receipts(text: str) -> None:
    assert classify([printed(text)]).document_type is DocumentType.RECEIPT


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Rechnung Nr. 2024-17", DocumentType.INVOICE),
        ("Gutschrift Nr. 2024-18", DocumentType.CREDIT_NOTE),
    ],
)
def test_invoices_and_credit_notes(title: str, kind: DocumentType) -> None:
    found = classify([printed(INVOICE.format(title=title))])
    assert found.document_type is kind
    assert found.score > 0.9


@pytest.mark.parametrize("text", ["", "Dear Anna,\nsee you on Monday.\nYours, Ben"])
def test_other(text: str) -> None:
    assert classify([printed(text)]).document_type is DocumentType.OTHER


def test_no_pages_are_other() -> None:
    assert classify([]).document_type is DocumentType.OTHER
