"""An invoice as UN/CEFACT Cross Industry Invoice (EN 16931 profile of Factur-X 1.0 / ZUGFeRD 2)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from lxml import etree

from sample_documents.model import Invoice, Item, Party

NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
Element = etree._Element


def cii_xml(invoice: Invoice) -> bytes:
    """The XML in UTF-8; elements stand in the order that the schema demands."""
    root = etree.Element(_name("rsm:CrossIndustryInvoice"), nsmap=NAMESPACES)
    context = _add(root, "rsm:ExchangedDocumentContext")
    guideline = _add(context, "ram:GuidelineSpecifiedDocumentContextParameter")
    _add(guideline, "ram:ID", "urn:cen.eu:en16931:2017")
    document = _add(root, "rsm:ExchangedDocument")
    _add(document, "ram:ID", invoice.number)
    _add(document, "ram:TypeCode", "380")
    _date(_add(document, "ram:IssueDateTime"), invoice.issue_date)
    trade = _add(root, "rsm:SupplyChainTradeTransaction")
    for position, item in enumerate(invoice.items, start=1):
        _line(trade, position, item)
    _agreement(trade, invoice)
    _delivery(trade, invoice)
    _settlement(trade, invoice)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _name(prefixed: str) -> str:
    prefix, local = prefixed.split(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _add(parent: Element, name: str, text: object = None, **attributes: str) -> Element:
    element = etree.SubElement(parent, _name(name), attributes)
    if text is not None:
        element.text = str(text)
    return element


def _date(parent: Element, day: date) -> None:
    _add(parent, "udt:DateTimeString", day.strftime("%Y%m%d"), format="102")


def _category(parent: Element, name: str, rate: Decimal, base: Decimal, tax: Decimal) -> None:
    element = _add(parent, name)
    _add(element, "ram:CalculatedAmount", tax)
    _add(element, "ram:TypeCode", "VAT")
    _add(element, "ram:BasisAmount", base)
    _add(element, "ram:CategoryCode", "S")
    _add(element, "ram:RateApplicablePercent", rate)


def _line(trade: Element, position: int, item: Item) -> None:
    line = _add(trade, "ram:IncludedSupplyChainTradeLineItem")
    _add(_add(line, "ram:AssociatedDocumentLineDocument"), "ram:LineID", position)
    product = _add(line, "ram:SpecifiedTradeProduct")
    if item.product_code:
        _add(product, "ram:SellerAssignedID", item.product_code)
    _add(product, "ram:Name", item.description)
    price = _add(_add(line, "ram:SpecifiedLineTradeAgreement"), "ram:NetPriceProductTradePrice")
    _add(price, "ram:ChargeAmount", item.unit_price)
    delivery = _add(line, "ram:SpecifiedLineTradeDelivery")
    _add(delivery, "ram:BilledQuantity", item.quantity, unitCode=item.unit_code)
    settlement = _add(line, "ram:SpecifiedLineTradeSettlement")
    tax = _add(settlement, "ram:ApplicableTradeTax")
    _add(tax, "ram:TypeCode", "VAT")
    _add(tax, "ram:CategoryCode", "S")
    _add(tax, "ram:RateApplicablePercent", item.tax_rate)
    total = _add(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation")
    _add(total, "ram:LineTotalAmount", item.amount)


def _party(parent: Element, name: str, party: Party) -> None:
    element = _add(parent, name)
    if party.customer_id:
        _add(element, "ram:ID", party.customer_id)
    _add(element, "ram:Name", party.name)
    if party.registration_id:
        _add(_add(element, "ram:SpecifiedLegalOrganization"), "ram:ID", party.registration_id)
    if party.contact:
        contact = _add(element, "ram:DefinedTradeContact")
        _add(contact, "ram:PersonName", party.contact)
        phone = _add(contact, "ram:TelephoneUniversalCommunication")
        _add(phone, "ram:CompleteNumber", party.phone)
        _add(_add(contact, "ram:EmailURIUniversalCommunication"), "ram:URIID", party.email)
    address = _add(element, "ram:PostalTradeAddress")
    _add(address, "ram:PostcodeCode", party.postcode)
    _add(address, "ram:LineOne", party.street)
    _add(address, "ram:CityName", party.town)
    _add(address, "ram:CountryID", party.country_code)
    if party.tax_id:
        _add(_add(element, "ram:SpecifiedTaxRegistration"), "ram:ID", party.tax_id, schemeID="VA")


def _agreement(trade: Element, invoice: Invoice) -> None:
    agreement = _add(trade, "ram:ApplicableHeaderTradeAgreement")
    _party(agreement, "ram:SellerTradeParty", invoice.vendor)
    _party(agreement, "ram:BuyerTradeParty", invoice.customer)
    if invoice.purchase_order:
        order = _add(agreement, "ram:BuyerOrderReferencedDocument")
        _add(order, "ram:IssuerAssignedID", invoice.purchase_order)


def _delivery(trade: Element, invoice: Invoice) -> None:
    delivery = _add(trade, "ram:ApplicableHeaderTradeDelivery")
    if invoice.delivery_date:
        event = _add(delivery, "ram:ActualDeliverySupplyChainEvent")
        _date(_add(event, "ram:OccurrenceDateTime"), invoice.delivery_date)


def _settlement(trade: Element, invoice: Invoice) -> None:
    settlement = _add(trade, "ram:ApplicableHeaderTradeSettlement")
    if invoice.payment_reference:
        _add(settlement, "ram:PaymentReference", invoice.payment_reference)
    _add(settlement, "ram:InvoiceCurrencyCode", invoice.currency)
    means = _add(settlement, "ram:SpecifiedTradeSettlementPaymentMeans")
    _add(means, "ram:TypeCode", "58")
    _add(_add(means, "ram:PayeePartyCreditorFinancialAccount"), "ram:IBANID", invoice.iban)
    if invoice.bic:
        bank = _add(means, "ram:PayeeSpecifiedCreditorFinancialInstitution")
        _add(bank, "ram:BICID", invoice.bic)
    for line in invoice.tax_lines:
        _category(settlement, "ram:ApplicableTradeTax", line.rate, line.base, line.amount)
    terms = _add(settlement, "ram:SpecifiedTradePaymentTerms")
    _add(terms, "ram:Description", invoice.payment_terms)
    _date(_add(terms, "ram:DueDateDateTime"), invoice.due_date)
    totals = _add(settlement, "ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    _add(totals, "ram:LineTotalAmount", invoice.subtotal)
    _add(totals, "ram:TaxBasisTotalAmount", invoice.subtotal)
    _add(totals, "ram:TaxTotalAmount", invoice.tax_total, currencyID=invoice.currency)
    _add(totals, "ram:GrandTotalAmount", invoice.total)
    _add(totals, "ram:DuePayableAmount", invoice.total)
