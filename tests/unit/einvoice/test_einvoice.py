from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from facturx import xml_check_xsd

from lib.domain.extraction import RawExtraction, Source, Value
from lib.domain.source import EInvoice
from lib.domain.task import DocumentType
from lib.einvoice.reader import read_einvoice
from lib.einvoice.sheet import MAX_ROWS
from lib.errors import Error

SAMPLES = Path(__file__).parent / "xml"
CII, XRECHNUNG, PEPPOL, CREDIT_NOTE = (
    (SAMPLES / f"{name}.xml").read_bytes() for name in ("cii", "xrechnung", "peppol", "credit_note")
)


def read(xml: bytes) -> EInvoice:
    found = read_einvoice(xml)
    assert found is not None
    return found


def values(raw: RawExtraction) -> dict[str, Value | None]:
    assert all(len(found) == 1 for found in raw.fields.values())
    return {name: found[0].value for name, found in raw.fields.items()}


def rows(raw: RawExtraction, table: str) -> list[dict[str, Value | None]]:
    return [{name: cell.value for name, cell in row.items()} for row in raw.tables[table]]


def cii(old: str, new: str) -> EInvoice:
    """The CII sample with one text replaced."""
    assert CII.count(old.encode()) == 1
    return read(CII.replace(old.encode(), new.encode()))


def test_the_cii_sample_is_valid_by_its_schema() -> None:
    assert xml_check_xsd(CII, flavor="factur-x", level="en16931")


def test_cii_every_field() -> None:
    found = read(CII)

    assert (found.syntax, found.profile) == ("cii", "urn:cen.eu:en16931:2017")
    assert found.raw.document_type is DocumentType.INVOICE
    assert values(found.raw) == {
        "document_number": "RE-2024-17",
        "issue_date": "2024-02-29",
        "due_date": "2024-03-30",
        "delivery_date": "2024-02-15",
        "purchase_order": "PO-9001",
        "vendor_name": "Nordlicht Metallbau GmbH",
        "vendor_address": "Hafenstraße 7, Halle 3, 24937 Flensburg, DE",
        "vendor_tax_id": "DE136695976",
        "vendor_registration_id": "HRB 1234",
        "vendor_phone": "+49 461 123456",
        "vendor_email": "rechnung@nordlicht.example",
        "customer_name": "Werft Lindholm ApS",
        "customer_address": "Havnegade 2, 5000 Odense, DK",
        "customer_tax_id": "DK13585628",
        "customer_id": "K-77",
        "shipping_address": "Kaj 9, 5230 Odense M, DK",
        "currency": "EUR",
        "subtotal": Decimal("205.00"),
        "discount_total": Decimal("10.00"),
        "shipping": Decimal("15.00"),
        "tax_total": Decimal("38.95"),
        "total": Decimal("243.95"),
        "amount_paid": Decimal("43.95"),
        "amount_due": Decimal("200.00"),
        "payment_terms": "30 days net",
        "payment_reference": "RF18539007547034",
        "iban": "DE88200800000970375700",
        "bic": "COBADEFFXXX",
    }
    assert rows(found.raw, "tax_lines") == [
        {"rate": Decimal("19.00"), "base": Decimal("205.00"), "amount": Decimal("38.95")}
    ]
    assert rows(found.raw, "line_items") == [
        {
            "position": "1",
            "product_code": "SCR-8",
            "description": "Screws, steel",
            "quantity": Decimal("2000.000"),
            "unit": "C62",
            "unit_price": Decimal("0.125"),
            "discount": Decimal("50.00"),
            "tax_rate": Decimal("19.00"),
            "amount": Decimal("200.00"),
        }
    ]


def test_candidates_are_exact_and_keep_the_text_of_the_xml() -> None:
    candidate = read(CII).raw.fields["iban"][0]

    assert candidate.raw == "DE88 2008 0000 0970 3757 00"
    assert (candidate.score, candidate.source, candidate.page) == (1.0, Source.XML, 0)
    assert str(read(CII).raw.tables["line_items"][0]["quantity"].value) == "2000.000"


def test_zugferd_1_has_other_names_for_the_same() -> None:
    old = (
        CII.replace(b"rsm:ExchangedDocumentContext", b"rsm:SpecifiedExchangedDocumentContext")
        .replace(b"rsm:ExchangedDocument>", b"rsm:HeaderExchangedDocument>")
        .replace(b"rsm:SupplyChainTrade", b"rsm:SpecifiedSupplyChainTrade")
        .replace(b"ApplicableHeaderTrade", b"ApplicableSupplyChainTrade")
        .replace(b"SpecifiedLineTrade", b"SpecifiedSupplyChainTrade")
        .replace(b"RateApplicablePercent", b"ApplicablePercent")
        .replace(b"SettlementHeaderMonetary", b"SettlementMonetary")
        .replace(b"SettlementLineMonetary", b"SettlementMonetary")
        .replace(b"CrossIndustryInvoice:100", b"CrossIndustryDocument:invoice:1p0")
        .replace(b"CrossIndustryInvoice", b"CrossIndustryDocument")
    )

    assert values(read(old).raw) == values(read(CII).raw)
    assert read(old).raw.tables == read(CII).raw.tables


def test_tax_number_stands_in_for_a_missing_vat_number() -> None:
    found = cii('<ram:ID schemeID="VA">DE136695976</ram:ID>', '<ram:ID schemeID="VA"/>')

    assert values(found.raw)["vendor_tax_id"] == "15/815/08156"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('format="102">20240330', "2024-03-30"),
        ('format="203">202403301530', "2024-03-30"),
        ('format="610">202403', None),
        ('format="616">202413', None),
        ('format="102">20240230', None),
    ],
)
def test_due_dates_that_name_a_day_and_others(text: str, expected: str | None) -> None:
    found = cii('format="102">20240330', text)

    assert values(found.raw).get("due_date") == expected


@pytest.mark.parametrize("text", ["1E5", "NaN", "1,50", "", "9" * 31])
def test_what_is_no_decimal_is_no_amount(text: str) -> None:
    found = cii("<ram:GrandTotalAmount>243.95", f"<ram:GrandTotalAmount>{text}")

    assert "total" not in found.raw.fields


@pytest.mark.parametrize("code", ["381", "261", "396", "83"])
def test_cii_credit_note_by_type_code(code: str) -> None:
    found = cii("<ram:TypeCode>380", f"<ram:TypeCode>{code}")

    assert found.raw.document_type is DocumentType.CREDIT_NOTE


def test_a_charge_that_is_no_transport_is_not_shipping() -> None:
    found = cii("<ram:ReasonCode>FC", "<ram:ReasonCode>PC")

    assert "shipping" not in found.raw.fields


def test_group_lines_add_nothing() -> None:
    found = cii(
        "<ram:LineID>1</ram:LineID>",
        "<ram:LineID>1</ram:LineID><ram:LineStatusReasonCode>GROUP</ram:LineStatusReasonCode>",
    )

    assert found.raw.tables["line_items"] == ()


def test_xrechnung_in_ubl() -> None:
    found = read(XRECHNUNG)

    assert found.syntax == "ubl"
    assert found.profile.endswith("xrechnung_3.0")
    assert values(found.raw) == {
        "document_number": "2024-0815",
        "issue_date": "2024-11-04",
        "due_date": "2024-12-04",
        "delivery_date": "2024-10-31",
        "purchase_order": "B-552",
        "vendor_name": "Sommer Gartenbau e. K.",
        "vendor_address": "Am Anger 3, 99423 Weimar, DE",
        "vendor_tax_id": "DE136695976",
        "vendor_registration_id": "HRA 77",
        "vendor_phone": "+49 3643 1234",
        "vendor_email": "post@gartenbau.example",
        "customer_name": "Stadt Erfurt",
        "customer_address": "Markt 1, Zimmer 12, 99084 Erfurt, DE",
        "customer_id": "10023",
        "currency": "EUR",
        "subtotal": Decimal("111.26"),
        "shipping": Decimal("4.90"),
        "tax_total": Decimal("8.42"),
        "total": Decimal("119.68"),
        "amount_due": Decimal("119.68"),
        "payment_terms": "#SKONTO#TAGE=7#PROZENT=2.00#",
        "payment_reference": "0815/2024",
        "iban": "DE02120300000000202051",
        "bic": "BYLADEM1001",
    }
    assert [row["rate"] for row in rows(found.raw, "tax_lines")] == [Decimal(7), Decimal(19)]
    first, second = rows(found.raw, "line_items")
    assert first == {
        "position": "1",
        "product_code": "R-20",
        "description": "Rosen",
        "quantity": Decimal(20),
        "unit": "H87",
        "unit_price": Decimal("5.00"),
        "tax_rate": Decimal(7),
        "amount": Decimal("100.00"),
    }
    assert second["unit_price"] == Decimal("1.7533333333")


def test_peppol_with_two_currencies_and_a_domestic_account() -> None:
    found = values(read(PEPPOL).raw)

    assert found["issue_date"] == "2023-03-01"
    assert found["tax_total"] == Decimal("25.00")
    assert found["shipping_address"] == "Kajen 4, 22100 Lund, SE"
    assert found["vendor_address"] == "Malmö, SE"
    assert found["amount_paid"] == Decimal("25.00")
    assert "iban" not in found
    assert "vendor_email" not in found
    (line,) = rows(read(PEPPOL).raw, "line_items")
    assert (line["product_code"], line["discount"]) == ("7300010000001", Decimal("20.00"))


def test_ubl_credit_note() -> None:
    found = read(CREDIT_NOTE)

    assert found.raw.document_type is DocumentType.CREDIT_NOTE
    assert values(found.raw)["due_date"] == "2024-06-06"
    assert rows(found.raw, "line_items") == [
        {
            "position": "1",
            "description": "Returned book",
            "quantity": Decimal(1),
            "unit": "C62",
            "amount": Decimal("10.00"),
        }
    ]


def test_the_envelope_of_the_peppol_network() -> None:
    invoice = PEPPOL.partition(b"?>")[2]
    header = b"<StandardBusinessDocumentHeader><HeaderVersion>1.0</HeaderVersion>"
    envelope = b"<StandardBusinessDocument xmlns='urn:sbdh'>%s</StandardBusinessDocumentHeader>"
    enclosed = read(envelope % header + invoice + b"</StandardBusinessDocument>")

    assert enclosed == read(PEPPOL)


@pytest.mark.parametrize(
    "xml",
    [
        b"<StandardBusinessDocument/>",
        b"<Invoice/>",
        b"<Invoice xmlns='urn:another'/>",
        b"<SCRDMCCBDACIOMessageStructure/>",
        b"<CrossIndustryOrder/>",
    ],
)
def test_other_vocabularies_are_no_invoice(xml: bytes) -> None:
    assert read_einvoice(xml) is None


@pytest.mark.parametrize(("count", "is_read"), [(MAX_ROWS, True), (MAX_ROWS + 1, False)])
def test_the_number_of_lines_is_bounded(count: int, is_read: bool) -> None:
    head = CREDIT_NOTE.partition(b"<cac:CreditNoteLine>")[0]
    line = b"<cac:CreditNoteLine><cbc:ID>1</cbc:ID></cac:CreditNoteLine>"
    xml = head + line * count + b"</CreditNote>"

    if is_read:
        assert len(read(xml).raw.tables["line_items"]) == count
    else:
        with pytest.raises(Error, match="unreadable_document"):
            read_einvoice(xml)


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"<a><b></a>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"<!DOCTYPE a SYSTEM 'http://192.0.2.1/a.dtd'><a/>",
    ],
)
def test_xml_that_is_broken_or_declares_a_type_is_refused(xml: bytes) -> None:
    with pytest.raises(Error) as raised:
        read_einvoice(xml)

    assert raised.value.code == "unreadable_document"
