"""UN/CEFACT Cross Industry Invoice: ZUGFeRD 1 and 2, Factur-X in every profile, XRechnung."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lib.domain.extraction import Candidate
from lib.domain.source import EInvoice
from lib.einvoice import values
from lib.einvoice.nodes import Node
from lib.einvoice.sheet import CREDIT_NOTE_CODES, einvoice, is_freight, present

_ROOTS = frozenset({"CrossIndustryInvoice", "CrossIndustryDocument"})
# The release candidate of ZUGFeRD 1.0 called its root Invoice, and was in use.
_CANDIDATE_ROOT = ("Invoice", "urn:un:unece:uncefact:data:standard:CBFBUY:5")

# Names of ZUGFeRD 1.0 stand after the bar.
_CONTEXT = "ExchangedDocumentContext|SpecifiedExchangedDocumentContext"
_HEADER = "ExchangedDocument|HeaderExchangedDocument"
_DEAL = "SupplyChainTradeTransaction|SpecifiedSupplyChainTradeTransaction"
_AGREEMENT = "ApplicableHeaderTradeAgreement|ApplicableSupplyChainTradeAgreement"
_DELIVERY = "ApplicableHeaderTradeDelivery|ApplicableSupplyChainTradeDelivery"
_SETTLEMENT = "ApplicableHeaderTradeSettlement|ApplicableSupplyChainTradeSettlement"
_SUMS = "SpecifiedTradeSettlementHeaderMonetarySummation|SpecifiedTradeSettlementMonetarySummation"
_LINE_AGREEMENT = "SpecifiedLineTradeAgreement|SpecifiedSupplyChainTradeAgreement"
_LINE_DELIVERY = "SpecifiedLineTradeDelivery|SpecifiedSupplyChainTradeDelivery"
_LINE_SETTLEMENT = "SpecifiedLineTradeSettlement|SpecifiedSupplyChainTradeSettlement"
_LINE_SUMS = (
    "SpecifiedTradeSettlementLineMonetarySummation|SpecifiedTradeSettlementMonetarySummation"
)
_RATE = "RateApplicablePercent|ApplicablePercent"

# Lines of the EXTENDED profile that structure the invoice and add nothing to its sum.
_STRUCTURE_LINES = frozenset({"GROUP", "INFORMATION"})


def is_cii(root: Node) -> bool:
    """Whether a root element is that of a Cross Industry Invoice."""
    return root.name in _ROOTS or (root.name, root.namespace) == _CANDIDATE_ROOT


def read_cii(root: Node) -> EInvoice:
    """The invoice below a CII root."""
    header = root.first(_HEADER)
    deal = root.first(_DEAL)
    agreement = deal.first(_AGREEMENT)
    delivery = deal.first(_DELIVERY)
    settlement = deal.first(_SETTLEMENT)
    order = agreement.first("BuyerOrderReferencedDocument")
    fields: dict[str, Candidate | None] = {
        "document_number": values.text(header.value("ID")),
        "issue_date": _day(header.first("IssueDateTime")),
        "delivery_date": _day(
            delivery.first("ActualDeliverySupplyChainEvent", "OccurrenceDateTime")
        ),
        "purchase_order": values.text(order.value("IssuerAssignedID|ID")),
        "shipping_address": _address(delivery.first("ShipToTradeParty", "PostalTradeAddress")),
        **_vendor(agreement.first("SellerTradeParty")),
        **_customer(agreement.first("BuyerTradeParty")),
        **_payment(settlement),
        **_sums(settlement),
    }
    return einvoice(
        syntax="cii",
        profile=root.first(_CONTEXT).value("GuidelineSpecifiedDocumentContextParameter", "ID"),
        is_credit_note=header.value("TypeCode") in CREDIT_NOTE_CODES,
        fields=fields,
        tax_lines=(_tax_line(tax) for tax in settlement.all("ApplicableTradeTax")),
        line_items=_lines(deal),
    )


def _vendor(party: Node) -> dict[str, Candidate | None]:
    contact = party.first("DefinedTradeContact")
    phone = contact.value("TelephoneUniversalCommunication", "CompleteNumber")
    email = contact.value("EmailURIUniversalCommunication", "URIID|CompleteNumber")
    return {
        "vendor_name": _name(party),
        "vendor_address": _address(party.first("PostalTradeAddress")),
        "vendor_tax_id": _tax_id(party),
        "vendor_registration_id": values.text(party.value("SpecifiedLegalOrganization", "ID")),
        "vendor_phone": values.text(phone),
        "vendor_email": values.text(email or _electronic_address(party)),
    }


def _customer(party: Node) -> dict[str, Candidate | None]:
    return {
        "customer_name": _name(party),
        "customer_address": _address(party.first("PostalTradeAddress")),
        "customer_tax_id": _tax_id(party),
        "customer_id": values.text(party.value("ID") or party.value("GlobalID")),
    }


def _name(party: Node) -> Candidate | None:
    trading_name = party.value("SpecifiedLegalOrganization", "TradingBusinessName")
    return values.text(party.value("Name") or trading_name)


def _electronic_address(party: Node) -> str:
    """BT-34, where it is an e-mail address (scheme EM)."""
    for address in party.all("URIUniversalCommunication", "URIID"):
        if address.attribute("schemeID") == "EM":
            return address.text
    return ""


def _tax_id(party: Node) -> Candidate | None:
    """The VAT number (VA) before the number at the tax office (FC)."""
    found = {
        node.attribute("schemeID"): node.text
        for node in party.all("SpecifiedTaxRegistration", "ID")
        if node.text
    }
    return values.text(found.get("VA") or found.get("FC") or next(iter(found.values()), ""))


def _address(node: Node) -> Candidate | None:
    street = [node.value(line) for line in ("LineOne", "LineTwo", "LineThree")]
    return values.address(
        street,
        node.value("PostcodeCode"),
        node.value("CityName"),
        node.value("CountrySubDivisionName"),
        node.value("CountryID"),
    )


def _day(node: Node) -> Candidate | None:
    """A DateTimeString of a format that names a day."""
    text = node.first("DateTimeString|DateTime|DateString") or node
    if text.attribute("format") in {"610", "616"}:
        return None
    return values.day(text.text)


def _payment(settlement: Node) -> dict[str, Candidate | None]:
    means = list(settlement.all("SpecifiedTradeSettlementPaymentMeans"))
    ibans = (values.iban(m.value("PayeePartyCreditorFinancialAccount", "IBANID")) for m in means)
    bics = (
        values.bic(m.value("PayeeSpecifiedCreditorFinancialInstitution", "BICID")) for m in means
    )
    terms = list(settlement.all("SpecifiedTradePaymentTerms"))
    due_days = (_day(term.first("DueDateDateTime")) for term in terms)
    descriptions = [text for term in terms if (text := term.value("Description"))]
    return {
        "currency": values.currency(settlement.value("InvoiceCurrencyCode")),
        "due_date": next((found for found in due_days if found), None),
        "payment_terms": values.text("; ".join(descriptions)),
        "payment_reference": values.text(settlement.value("PaymentReference")),
        "iban": next((found for found in ibans if found), None),
        "bic": next((found for found in bics if found), None),
    }


def _sums(settlement: Node) -> dict[str, Candidate | None]:
    sums = settlement.first(_SUMS)
    return {
        "subtotal": values.decimal(sums.value("TaxBasisTotalAmount")),
        "discount_total": values.decimal(sums.value("AllowanceTotalAmount")),
        "shipping": values.total_of(_freight(settlement)),
        "tax_total": values.decimal(_tax_total(sums, settlement.value("InvoiceCurrencyCode"))),
        "total": values.decimal(sums.value("GrandTotalAmount")),
        "amount_paid": values.decimal(sums.value("TotalPrepaidAmount")),
        "amount_due": values.decimal(sums.value("DuePayableAmount")),
    }


def _tax_total(sums: Node, currency: str) -> str:
    """BT-110; BT-111 has the same name and the accounting currency."""
    amounts = [node for node in sums.all("TaxTotalAmount") if node.text]
    for amount in amounts:
        if amount.attribute("currencyID") in {currency, ""}:
            return amount.text
    return amounts[0].text if amounts else ""


def _freight(settlement: Node) -> Iterator[str]:
    """Amounts of the charges for transport, logistics services (EXTENDED) included."""
    for charge in settlement.all("SpecifiedTradeAllowanceCharge"):
        if _is_charge(charge) and is_freight(charge.value("ReasonCode"), charge.value("Reason")):
            yield charge.value("ActualAmount")
    for service in settlement.all("SpecifiedLogisticsServiceCharge"):
        yield service.value("AppliedAmount")


def _is_charge(node: Node) -> bool:
    return node.value("ChargeIndicator", "Indicator") in {"true", "1"}


def _tax_line(tax: Node) -> dict[str, Candidate]:
    return present(
        {
            "rate": values.decimal(tax.value(_RATE)),
            "base": values.decimal(tax.value("BasisAmount")),
            "amount": values.decimal(tax.value("CalculatedAmount")),
        }
    )


def _lines(deal: Node) -> Iterator[Mapping[str, Candidate]]:
    for line in deal.all("IncludedSupplyChainTradeLineItem"):
        document = line.first("AssociatedDocumentLineDocument")
        if document.value("LineStatusReasonCode") not in _STRUCTURE_LINES:
            row = _line(line)
            if row.keys() - {"position"}:
                yield row


def _line(line: Node) -> dict[str, Candidate]:
    product = line.first("SpecifiedTradeProduct")
    net_price = line.first(_LINE_AGREEMENT, "NetPriceProductTradePrice")
    quantity = line.first(_LINE_DELIVERY, "BilledQuantity")
    settlement = line.first(_LINE_SETTLEMENT)
    allowances = (
        allowance.value("ActualAmount")
        for allowance in settlement.all("SpecifiedTradeAllowanceCharge")
        if not _is_charge(allowance)
    )
    codes = ("SellerAssignedID", "GlobalID", "BuyerAssignedID")
    code = next((text for name in codes if (text := product.value(name))), "")
    description = product.value("Name") or product.value("Description")
    return present(
        {
            "position": values.text(line.value("AssociatedDocumentLineDocument", "LineID")),
            "product_code": values.text(code),
            "description": values.text(description),
            "quantity": values.decimal(quantity.text),
            "unit": values.text(quantity.attribute("unitCode")),
            "unit_price": values.price(
                net_price.value("ChargeAmount"), net_price.value("BasisQuantity")
            ),
            "discount": values.total_of(allowances),
            "tax_rate": values.decimal(settlement.value("ApplicableTradeTax", _RATE)),
            "amount": values.decimal(settlement.value(_LINE_SUMS, "LineTotalAmount")),
        }
    )
