"""An invoice as UBL 2.1 in the German profile XRechnung 3.0."""

from __future__ import annotations

from decimal import Decimal

from lxml import etree

from sample_documents.model import Invoice, Item, Party

NAMESPACES = {
    None: "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2",
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}
PROFILE = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
Element = etree._Element


def xrechnung_xml(invoice: Invoice, buyer_reference: str) -> bytes:
    """The XML in UTF-8; `buyer_reference` is the authority's Leitweg-ID (BT-10)."""
    root = etree.Element(f"{{{NAMESPACES[None]}}}Invoice", nsmap=NAMESPACES)
    _add(root, "cbc:CustomizationID", PROFILE)
    _add(root, "cbc:ProfileID", "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0")
    _add(root, "cbc:ID", invoice.number)
    _add(root, "cbc:IssueDate", invoice.issue_date.isoformat())
    _add(root, "cbc:DueDate", invoice.due_date.isoformat())
    _add(root, "cbc:InvoiceTypeCode", "380")
    _add(root, "cbc:DocumentCurrencyCode", invoice.currency)
    _add(root, "cbc:BuyerReference", buyer_reference)
    if invoice.purchase_order:
        _add(_add(root, "cac:OrderReference"), "cbc:ID", invoice.purchase_order)
    _party(_add(root, "cac:AccountingSupplierParty"), invoice.vendor)
    _party(_add(root, "cac:AccountingCustomerParty"), invoice.customer)
    if invoice.delivery_date:
        delivery = _add(root, "cac:Delivery")
        _add(delivery, "cbc:ActualDeliveryDate", invoice.delivery_date.isoformat())
    _payment(root, invoice)
    _totals(root, invoice)
    for position, item in enumerate(invoice.items, start=1):
        _line(root, position, item, invoice.currency)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _add(parent: Element, name: str, text: object = None, **attributes: str) -> Element:
    prefix, local = name.split(":")
    element = etree.SubElement(parent, f"{{{NAMESPACES[prefix]}}}{local}", attributes)
    if text is not None:
        element.text = str(text)
    return element


def _money(parent: Element, name: str, amount: Decimal, currency: str) -> None:
    _add(parent, name, amount, currencyID=currency)


def _tax_scheme(parent: Element) -> None:
    _add(_add(parent, "cac:TaxScheme"), "cbc:ID", "VAT")


def _category(parent: Element, name: str, rate: Decimal) -> None:
    category = _add(parent, name)
    _add(category, "cbc:ID", "S")
    _add(category, "cbc:Percent", rate)
    _tax_scheme(category)


def _party(parent: Element, party: Party) -> None:
    element = _add(parent, "cac:Party")
    if party.email:
        _add(element, "cbc:EndpointID", party.email, schemeID="EM")
    if party.customer_id:
        _add(_add(element, "cac:PartyIdentification"), "cbc:ID", party.customer_id)
    address = _add(element, "cac:PostalAddress")
    _add(address, "cbc:StreetName", party.street)
    _add(address, "cbc:CityName", party.town)
    _add(address, "cbc:PostalZone", party.postcode)
    _add(_add(address, "cac:Country"), "cbc:IdentificationCode", party.country_code)
    if party.tax_id:
        scheme = _add(element, "cac:PartyTaxScheme")
        _add(scheme, "cbc:CompanyID", party.tax_id)
        _tax_scheme(scheme)
    legal = _add(element, "cac:PartyLegalEntity")
    _add(legal, "cbc:RegistrationName", party.name)
    if party.registration_id:
        _add(legal, "cbc:CompanyID", party.registration_id)
    if party.contact:
        contact = _add(element, "cac:Contact")
        _add(contact, "cbc:Name", party.contact)
        _add(contact, "cbc:Telephone", party.phone)
        _add(contact, "cbc:ElectronicMail", party.email)


def _payment(root: Element, invoice: Invoice) -> None:
    means = _add(root, "cac:PaymentMeans")
    _add(means, "cbc:PaymentMeansCode", "58")
    if invoice.payment_reference:
        _add(means, "cbc:PaymentID", invoice.payment_reference)
    account = _add(means, "cac:PayeeFinancialAccount")
    _add(account, "cbc:ID", invoice.iban)
    if invoice.bic:
        _add(_add(account, "cac:FinancialInstitutionBranch"), "cbc:ID", invoice.bic)
    _add(_add(root, "cac:PaymentTerms"), "cbc:Note", invoice.payment_terms)


def _totals(root: Element, invoice: Invoice) -> None:
    currency = invoice.currency
    tax_total = _add(root, "cac:TaxTotal")
    _money(tax_total, "cbc:TaxAmount", invoice.tax_total, currency)
    for line in invoice.tax_lines:
        part = _add(tax_total, "cac:TaxSubtotal")
        _money(part, "cbc:TaxableAmount", line.base, currency)
        _money(part, "cbc:TaxAmount", line.amount, currency)
        _category(part, "cac:TaxCategory", line.rate)
    totals = _add(root, "cac:LegalMonetaryTotal")
    _money(totals, "cbc:LineExtensionAmount", invoice.subtotal, currency)
    _money(totals, "cbc:TaxExclusiveAmount", invoice.subtotal, currency)
    _money(totals, "cbc:TaxInclusiveAmount", invoice.total, currency)
    _money(totals, "cbc:PayableAmount", invoice.total, currency)


def _line(root: Element, position: int, item: Item, currency: str) -> None:
    line = _add(root, "cac:InvoiceLine")
    _add(line, "cbc:ID", position)
    _add(line, "cbc:InvoicedQuantity", item.quantity, unitCode=item.unit_code)
    _money(line, "cbc:LineExtensionAmount", item.amount, currency)
    product = _add(line, "cac:Item")
    _add(product, "cbc:Name", item.description)
    if item.product_code:
        _add(_add(product, "cac:SellersItemIdentification"), "cbc:ID", item.product_code)
    _category(product, "cac:ClassifiedTaxCategory", item.tax_rate)
    _money(_add(line, "cac:Price"), "cbc:PriceAmount", item.unit_price, currency)
