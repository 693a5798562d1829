"""An invoice as UN/CEFACT Cross Industry Invoice, bound to EN 16931 by CEN/TS 16931-3-3."""

from __future__ import annotations

from decimal import Decimal

from lib.einvoice.invoice import (
    SPECIFICATION,
    Invoice,
    InvoiceLine,
    Party,
    PostalAddress,
    Totals,
    Vat,
)
from lib.einvoice.nodes import Branch
from lib.einvoice.sheet import DISCOUNT_CODE, FREIGHT_CODE

_NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
_VAT_NUMBER, _TAX_OFFICE_NUMBER = "VA", "FC"
# The schema wants these even where nothing is known of them.
_KEPT = frozenset({"ram:ApplicableHeaderTradeAgreement", "ram:ApplicableHeaderTradeDelivery"})


def write_cii(invoice: Invoice, comment: str) -> bytes:
    """A CrossIndustryInvoice; what the invoice does not know is left out."""
    root = Branch.root("rsm:CrossIndustryInvoice", _NAMESPACES)
    context = root.branch("rsm:ExchangedDocumentContext")
    guideline = context.branch("ram:GuidelineSpecifiedDocumentContextParameter")
    guideline.leaf("ram:ID", SPECIFICATION)
    header = root.branch("rsm:ExchangedDocument")
    header.leaf("ram:ID", invoice.number)
    header.leaf("ram:TypeCode", invoice.type_code)
    _day(header.branch("ram:IssueDateTime"), invoice.issue_date)
    deal = root.branch("rsm:SupplyChainTradeTransaction")
    for line in invoice.lines:
        _line(deal.branch("ram:IncludedSupplyChainTradeLineItem"), line)
    agreement = deal.branch("ram:ApplicableHeaderTradeAgreement")
    _party(agreement.branch("ram:SellerTradeParty"), invoice.seller)
    _party(agreement.branch("ram:BuyerTradeParty"), invoice.buyer)
    order = agreement.branch("ram:BuyerOrderReferencedDocument")
    order.leaf("ram:IssuerAssignedID", invoice.purchase_order)
    delivery = deal.branch("ram:ApplicableHeaderTradeDelivery")
    _address(delivery.branch("ram:ShipToTradeParty"), invoice.delivery_address)
    event = delivery.branch("ram:ActualDeliverySupplyChainEvent", "ram:OccurrenceDateTime")
    _day(event, invoice.delivery_date)
    _settlement(deal.branch("ram:ApplicableHeaderTradeSettlement"), invoice)
    return root.document(comment, _KEPT)


def _settlement(branch: Branch, invoice: Invoice) -> None:
    branch.leaf("ram:PaymentReference", invoice.payment_reference)
    branch.leaf("ram:InvoiceCurrencyCode", invoice.currency)
    means = branch.branch("ram:SpecifiedTradeSettlementPaymentMeans")
    means.leaf("ram:TypeCode", invoice.payment_means)
    means.branch("ram:PayeePartyCreditorFinancialAccount").leaf("ram:IBANID", invoice.iban)
    means.branch("ram:PayeeSpecifiedCreditorFinancialInstitution").leaf("ram:BICID", invoice.bic)
    for vat in invoice.vat:
        _vat(branch.branch("ram:ApplicableTradeTax"), vat)
    totals = invoice.totals
    for amount, is_charge in ((totals.allowances, False), (totals.freight, True)):
        if amount:
            allowance = branch.branch("ram:SpecifiedTradeAllowanceCharge")
            _allowance(allowance, amount, is_charge=is_charge)
            if invoice.document_vat is not None:
                tax = Vat(invoice.document_vat.rate, None, None, invoice.document_vat.category)
                _vat(allowance.branch("ram:CategoryTradeTax"), tax)
    terms = branch.branch("ram:SpecifiedTradePaymentTerms")
    terms.leaf("ram:Description", invoice.payment_terms)
    _day(terms.branch("ram:DueDateDateTime"), invoice.due_date)
    _totals(
        branch.branch("ram:SpecifiedTradeSettlementHeaderMonetarySummation"),
        totals,
        invoice.currency,
    )


def _totals(branch: Branch, totals: Totals, currency: str) -> None:
    branch.leaf("ram:LineTotalAmount", _number(totals.lines))
    branch.leaf("ram:ChargeTotalAmount", _number(totals.freight))
    branch.leaf("ram:AllowanceTotalAmount", _number(totals.allowances))
    branch.leaf("ram:TaxBasisTotalAmount", _number(totals.without_vat))
    branch.leaf("ram:TaxTotalAmount", _number(totals.vat), currencyID=currency)
    branch.leaf("ram:GrandTotalAmount", _number(totals.with_vat))
    branch.leaf("ram:TotalPrepaidAmount", _number(totals.paid))
    branch.leaf("ram:DuePayableAmount", _number(totals.due))


def _line(branch: Branch, line: InvoiceLine) -> None:
    branch.branch("ram:AssociatedDocumentLineDocument").leaf("ram:LineID", line.identifier)
    product = branch.branch("ram:SpecifiedTradeProduct")
    product.leaf("ram:SellerAssignedID", line.seller_code)
    product.leaf("ram:Name", line.name)
    price = branch.branch("ram:SpecifiedLineTradeAgreement", "ram:NetPriceProductTradePrice")
    price.leaf("ram:ChargeAmount", _number(line.net_price))
    delivery = branch.branch("ram:SpecifiedLineTradeDelivery")
    delivery.leaf("ram:BilledQuantity", _number(line.quantity), unitCode=line.unit)
    settlement = branch.branch("ram:SpecifiedLineTradeSettlement")
    if line.vat_rate is not None:
        vat = Vat(line.vat_rate, None, None, line.vat_category)
        _vat(settlement.branch("ram:ApplicableTradeTax"), vat)
    if line.discount is not None:
        allowance = settlement.branch("ram:SpecifiedTradeAllowanceCharge")
        _allowance(allowance, line.discount, is_charge=False)
    total = settlement.branch("ram:SpecifiedTradeSettlementLineMonetarySummation")
    total.leaf("ram:LineTotalAmount", _number(line.amount))


def _vat(branch: Branch, vat: Vat) -> None:
    branch.leaf("ram:CalculatedAmount", _number(vat.amount))
    branch.leaf("ram:TypeCode", "VAT")
    branch.leaf("ram:BasisAmount", _number(vat.base))
    branch.leaf("ram:CategoryCode", vat.category)
    branch.leaf("ram:RateApplicablePercent", _number(vat.rate))


def _allowance(branch: Branch, amount: Decimal, *, is_charge: bool) -> None:
    code, reason = FREIGHT_CODE if is_charge else DISCOUNT_CODE
    branch.branch("ram:ChargeIndicator").leaf("udt:Indicator", "true" if is_charge else "false")
    branch.leaf("ram:ActualAmount", _number(amount))
    branch.leaf("ram:ReasonCode", code)
    branch.leaf("ram:Reason", reason)


def _party(branch: Branch, party: Party) -> None:
    branch.leaf("ram:ID", party.identifier)
    branch.leaf("ram:Name", party.name)
    branch.branch("ram:SpecifiedLegalOrganization").leaf("ram:ID", party.registration)
    contact = branch.branch("ram:DefinedTradeContact")
    phone = contact.branch("ram:TelephoneUniversalCommunication")
    phone.leaf("ram:CompleteNumber", party.phone)
    contact.branch("ram:EmailURIUniversalCommunication").leaf("ram:URIID", party.email)
    _address(branch, party.address)
    for number, scheme in ((party.vat_id, _VAT_NUMBER), (party.tax_number, _TAX_OFFICE_NUMBER)):
        branch.branch("ram:SpecifiedTaxRegistration").leaf("ram:ID", number, schemeID=scheme)


def _address(party: Branch, address: PostalAddress | None) -> None:
    if address is None:
        return
    branch = party.branch("ram:PostalTradeAddress")
    branch.leaf("ram:PostcodeCode", address.postcode)
    for name, line in zip(("LineOne", "LineTwo", "LineThree"), address.lines, strict=False):
        branch.leaf(f"ram:{name}", line)
    branch.leaf("ram:CityName", address.city)
    branch.leaf("ram:CountryID", address.country)
    branch.leaf("ram:CountrySubDivisionName", address.subdivision)


def _day(branch: Branch, day: str | None) -> None:
    """A date as UN/EDIFACT 2379 format 102."""
    if day is not None:
        branch.leaf("udt:DateTimeString", day.replace("-", ""), format="102")


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")
