"""Receipt, invoice, credit note or other."""

import pytest
from printed_receipts import AMERICAN, GERMAN, MALAYSIAN, printed

from lib.domain.document import Page
from lib.domain.task import DocumentType
from lib.kie import classify as station
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions

A4 = 110  # letters across a full page
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


@pytest.mark.parametrize("title", ["CREDIT NOTE No. 11", "Gutschrift Nr. 11", "Creditnota 11"])
def test_a_short_credit_note_is_none_the_less_one(title: str) -> None:
    """It names no account and no due date, and has few words."""
    text = f"""
Harrow Tools Ltd                                       {title}
                                                       Date 09.02.2026
Router bit 12mm                                                    -42,60
Total                                                              -42,60
"""
    assert classify([printed(text, columns=A4)]).document_type is DocumentType.CREDIT_NOTE


FULL_PAGE = """
Atelier Morvan                                                                        {title} 8841
4 quai de la Fosse                                                                    18/09/2026
44000 Nantes

{second}
7 rue Monge
75011 Paris

Night                                                                                        98.00
Total                                                                                        98.00
Paid by card                                                                                 98.00
Thank you for shopping
"""


def test_a_paid_bill_with_two_addresses_is_an_invoice_whatever_it_thanks_for() -> None:
    text = FULL_PAGE.format(title="INVOICE", second="Odile Ferrand")
    assert classify([printed(text, columns=A4)]).document_type is DocumentType.INVOICE


def test_a_receipt_on_a_full_page_with_two_addresses_is_a_receipt() -> None:
    text = FULL_PAGE.format(title="RECEIPT", second="Head office")
    assert classify([printed(text, columns=A4)]).document_type is DocumentType.RECEIPT


@pytest.mark.parametrize("text", ["", "Dear Anna,\nsee you on Monday.\nYours, Ben"])
def test_other(text: str) -> None:
    assert classify([printed(text)]).document_type is DocumentType.OTHER


def test_no_pages_are_other() -> None:
    assert classify([]).document_type is DocumentType.OTHER
