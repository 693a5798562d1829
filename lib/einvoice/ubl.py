"""OASIS UBL 2.1 Invoice and CreditNote: XRechnung, Peppol BIS Billing and their like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lib.domain.extraction import Candidate
from lib.domain.source import EInvoice
from lib.einvoice import values
from lib.einvoice.nodes import Node
from lib.einvoice.sheet import CREDIT_NOTE_CODES, einvoice, is_freight, present

_NAMESPACES = {
    "Invoice": "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2",
    "CreditNote": "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2",
}


def is_ubl(root: Node) -> bool:
    """Whether a root element is that of a UBL Invoice or CreditNote."""
    return bool(root) and _NAMESPACES.get(root.name) == root.namespace


def read_ubl(root: Node) -> EInvoice:
    """The invoice below a UBL root."""
    delivery = root.first("Delivery")
    fields: dict[str, Candidate | None] = {
        "document_number": values.text(root.value("ID")),
        "issue_date": values.day(root.value("IssueDate")),
        "delivery_date": values.day(delivery.value("ActualDeliveryDate")),
        "purchase_order": values.text(root.value("OrderReference", "ID")),
        "shipping_address": _address(delivery.first("DeliveryLocation", "Address")),
        **_vendor(root.first("AccountingSupplierParty", "Party")),
        **_customer(root.first("AccountingCustomerParty", "Party")),
        **_payment(root),
        **_sums(root),
    }
    type_code = root.value("InvoiceTypeCode|CreditNoteTypeCode")
    return einvoice(
        syntax="ubl",
        profile=root.value("CustomizationID"),
        is_credit_note=root.name == "CreditNote" or type_code in CREDIT_NOTE_CODES,
        fields=fields,
        tax_lines=(_tax_line(tax) for tax in _tax_total(root).all("TaxSubtotal")),
        line_items=(_line(line) for line in root.all("InvoiceLine|CreditNoteLine")),
    )


def _vendor(party: Node) -> dict[str, Candidate | None]:
    email = party.value("Contact", "ElectronicMail")
    endpoint = party.first("EndpointID")
    if not email and endpoint.attribute("schemeID") == "EM":
        email = endpoint.text
    return {
        "vendor_name": _name(party),
        "vendor_address": _address(party.first("PostalAddress")),
        "vendor_tax_id": _tax_id(party),
        "vendor_registration_id": values.text(party.value("PartyLegalEntity", "CompanyID")),
        "vendor_phone": values.text(party.value("Contact", "Telephone")),
        "vendor_email": values.text(email),
        "vendor_website": values.text(party.value("WebsiteURI")),
    }


def _customer(party: Node) -> dict[str, Candidate | None]:
    return {
        "customer_name": _name(party),
        "customer_address": _address(party.first("PostalAddress")),
        "customer_tax_id": _tax_id(party),
        "customer_id": values.text(party.value("PartyIdentification", "ID")),
    }


def _name(party: Node) -> Candidate | None:
    registered = party.value("PartyLegalEntity", "RegistrationName")
    return values.text(registered or party.value("PartyName", "Name"))


def _tax_id(party: Node) -> Candidate | None:
    """The number under the scheme VAT before any other (BT-32, the tax office's)."""
    others = []
    for registration in party.all("PartyTaxScheme"):
        number = registration.value("CompanyID")
        if number and registration.value("TaxScheme", "ID").upper() == "VAT":
            return values.text(number)
        others.append(number)
    return values.text(next((number for number in others if number), ""))


def _address(node: Node) -> Candidate | None:
    street = [
        node.value("StreetName"),
        node.value("AdditionalStreetName"),
        node.value("AddressLine", "Line"),
    ]
    # The building number is outside EN 16931, yet part of the street in other UBL dialects.
    street[0] = " ".join(part for part in (street[0], node.value("BuildingNumber")) if part)
    return values.address(
        street,
        node.value("PostalZone"),
        node.value("CityName"),
        node.value("CountrySubentity"),
        node.value("Country", "IdentificationCode"),
    )


def _payment(root: Node) -> dict[str, Candidate | None]:
    means = list(root.all("PaymentMeans"))
    accounts = [account for each in means for account in each.all("PayeeFinancialAccount")]
    ibans = (values.iban(account.value("ID")) for account in accounts)
    bics = (_bic(account) for account in accounts)
    due = root.value("DueDate") or root.value("PaymentMeans", "PaymentDueDate")
    terms = "; ".join(note.text for note in root.all("PaymentTerms", "Note") if note.text)
    return {
        "currency": values.currency(root.value("DocumentCurrencyCode")),
        "due_date": values.day(due or root.value("PaymentTerms", "PaymentDueDate")),
        "payment_terms": values.text(terms),
        "payment_reference": values.text(root.value("PaymentMeans", "PaymentID")),
        "iban": next((found for found in ibans if found), None),
        "bic": next((found for found in bics if found), None),
    }


def _bic(account: Node) -> Candidate | None:
    branch = account.first("FinancialInstitutionBranch")
    return values.bic(branch.value("ID") or branch.value("FinancialInstitution", "ID"))


def _sums(root: Node) -> dict[str, Candidate | None]:
    sums = root.first("LegalMonetaryTotal")
    return {
        "subtotal": values.decimal(sums.value("TaxExclusiveAmount")),
        "discount_total": values.decimal(sums.value("AllowanceTotalAmount")),
        "shipping": values.total_of(_freight(root)),
        "tax_total": values.decimal(_tax_total(root).value("TaxAmount")),
        "total": values.decimal(sums.value("TaxInclusiveAmount")),
        "amount_paid": values.decimal(sums.value("PrepaidAmount")),
        "amount_due": values.decimal(sums.value("PayableAmount")),
    }


def _tax_total(root: Node) -> Node:
    """The TaxTotal in the document's currency; BT-111 is another, in the accounting currency."""
    currency = root.value("DocumentCurrencyCode")
    totals = list(root.all("TaxTotal"))
    for total in totals:
        if total.first("TaxAmount").attribute("currencyID") in {currency, ""}:
            return total
    return totals[0] if totals else Node(None)


def _is_charge(node: Node) -> bool:
    return node.value("ChargeIndicator") in {"true", "1"}


def _freight(root: Node) -> Iterator[str]:
    for charge in root.all("AllowanceCharge"):
        code = charge.value("AllowanceChargeReasonCode")
        if _is_charge(charge) and is_freight(code, charge.value("AllowanceChargeReason")):
            yield charge.value("Amount")


def _tax_line(tax: Node) -> dict[str, Candidate]:
    return present(
        {
            "rate": values.decimal(tax.value("TaxCategory", "Percent") or tax.value("Percent")),
            "base": values.decimal(tax.value("TaxableAmount")),
            "amount": values.decimal(tax.value("TaxAmount")),
        }
    )


def _line(line: Node) -> Mapping[str, Candidate]:
    item = line.first("Item")
    quantity = line.first("InvoicedQuantity|CreditedQuantity")
    identifications = (
        "SellersItemIdentification",
        "StandardItemIdentification",
        "BuyersItemIdentification",
    )
    code = next((text for name in identifications if (text := item.value(name, "ID"))), "")
    allowances = (
        allowance.value("Amount")
        for allowance in line.all("AllowanceCharge")
        if not _is_charge(allowance)
    )
    return present(
        {
            "position": values.text(line.value("ID")),
            "product_code": values.text(code),
            "description": values.text(item.value("Name") or item.value("Description")),
            "quantity": values.decimal(quantity.text),
            "unit": values.text(quantity.attribute("unitCode")),
            "unit_price": values.price(
                line.value("Price", "PriceAmount"), line.value("Price", "BaseQuantity")
            ),
            "discount": values.total_of(allowances),
            "tax_rate": values.decimal(item.value("ClassifiedTaxCategory", "Percent")),
            "amount": values.decimal(line.value("LineExtensionAmount")),
        }
    )
