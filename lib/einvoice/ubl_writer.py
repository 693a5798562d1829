"""An invoice as OASIS UBL 2.1, bound to EN 16931 by CEN/TS 16931-3-2."""

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

_CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
_CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
_DOCUMENT = "urn:oasis:names:specification:ubl:schema:xsd:{}-2"
_VAT_SCHEME, _TAX_OFFICE_SCHEME = "VAT", "FC"
# The schema wants these even where nothing is known of them.
_KEPT = frozenset(
    {"cac:AccountingSupplierParty", "cac:AccountingCustomerParty", "cac:Item", "cac:TaxCategory"}
)


def write_ubl(invoice: Invoice, comment: str) -> bytes:
    """A UBL Invoice or CreditNote; what the invoice does not know is left out."""
    return _UblWriter(invoice).document(comment)


class _UblWriter:
    def __init__(self, invoice: Invoice) -> None:
        self._invoice = invoice
        self._kind = "CreditNote" if invoice.is_credit_note else "Invoice"
        namespaces = {"doc": _DOCUMENT.format(self._kind), "cac": _CAC, "cbc": _CBC}
        self._root = Branch.root(f"doc:{self._kind}", namespaces, default="doc")

    def document(self, comment: str) -> bytes:
        invoice, root = self._invoice, self._root
        root.leaf("cbc:CustomizationID", SPECIFICATION)
        root.leaf("cbc:ID", invoice.number)
        root.leaf("cbc:IssueDate", invoice.issue_date)
        if not invoice.is_credit_note:
            root.leaf("cbc:DueDate", invoice.due_date)
        root.leaf(f"cbc:{self._kind}TypeCode", invoice.type_code)
        root.leaf("cbc:DocumentCurrencyCode", invoice.currency)
        root.branch("cac:OrderReference").leaf("cbc:ID", invoice.purchase_order)
        _party(root.branch("cac:AccountingSupplierParty", "cac:Party"), invoice.seller)
        _party(root.branch("cac:AccountingCustomerParty", "cac:Party"), invoice.buyer)
        self._delivery()
        self._payment()
        self._allowances()
        self._vat()
        self._totals(root.branch("cac:LegalMonetaryTotal"), invoice.totals)
        for line in invoice.lines:
            self._line(root.branch(f"cac:{self._kind}Line"), line)
        return root.document(comment, _KEPT)

    def _amount(self, branch: Branch, name: str, amount: Decimal | None) -> None:
        branch.leaf(name, _number(amount), currencyID=self._invoice.currency)

    def _delivery(self) -> None:
        delivery = self._root.branch("cac:Delivery")
        delivery.leaf("cbc:ActualDeliveryDate", self._invoice.delivery_date)
        address = delivery.branch("cac:DeliveryLocation", "cac:Address")
        _address(address, self._invoice.delivery_address)

    def _payment(self) -> None:
        invoice = self._invoice
        # A credit note has its due date here: its root has no place for it.
        due_date = invoice.due_date if invoice.is_credit_note else None
        code = invoice.payment_means or ("1" if due_date else None)
        means = self._root.branch("cac:PaymentMeans")
        means.leaf("cbc:PaymentMeansCode", code)
        means.leaf("cbc:PaymentDueDate", due_date)
        means.leaf("cbc:PaymentID", invoice.payment_reference)
        account = means.branch("cac:PayeeFinancialAccount")
        account.leaf("cbc:ID", invoice.iban)
        account.branch("cac:FinancialInstitutionBranch").leaf("cbc:ID", invoice.bic)
        self._root.branch("cac:PaymentTerms").leaf("cbc:Note", invoice.payment_terms)

    def _allowances(self) -> None:
        totals = self._invoice.totals
        for amount, is_charge in ((totals.allowances, False), (totals.freight, True)):
            if amount:
                branch = self._root.branch("cac:AllowanceCharge")
                self._allowance(branch, amount, is_charge=is_charge)
                if self._invoice.document_vat is not None:
                    _category(branch.branch("cac:TaxCategory"), self._invoice.document_vat)

    def _allowance(self, branch: Branch, amount: Decimal, *, is_charge: bool) -> None:
        code, reason = FREIGHT_CODE if is_charge else DISCOUNT_CODE
        branch.leaf("cbc:ChargeIndicator", "true" if is_charge else "false")
        branch.leaf("cbc:AllowanceChargeReasonCode", code)
        branch.leaf("cbc:AllowanceChargeReason", reason)
        self._amount(branch, "cbc:Amount", amount)

    def _vat(self) -> None:
        invoice = self._invoice
        if invoice.totals.vat is None:
            return
        total = self._root.branch("cac:TaxTotal")
        self._amount(total, "cbc:TaxAmount", invoice.totals.vat)
        for vat in invoice.vat:
            if vat.amount is None:
                continue  # the schema has no subtotal without its tax
            subtotal = total.branch("cac:TaxSubtotal")
            self._amount(subtotal, "cbc:TaxableAmount", vat.base)
            self._amount(subtotal, "cbc:TaxAmount", vat.amount)
            _category(subtotal.branch("cac:TaxCategory"), vat)

    def _totals(self, branch: Branch, totals: Totals) -> None:
        self._amount(branch, "cbc:LineExtensionAmount", totals.lines)
        self._amount(branch, "cbc:TaxExclusiveAmount", totals.without_vat)
        self._amount(branch, "cbc:TaxInclusiveAmount", totals.with_vat)
        self._amount(branch, "cbc:AllowanceTotalAmount", totals.allowances)
        self._amount(branch, "cbc:ChargeTotalAmount", totals.freight)
        self._amount(branch, "cbc:PrepaidAmount", totals.paid)
        self._amount(branch, "cbc:PayableAmount", totals.due)

    def _line(self, branch: Branch, line: InvoiceLine) -> None:
        branch.leaf("cbc:ID", line.identifier)
        quantity = "CreditedQuantity" if self._invoice.is_credit_note else "InvoicedQuantity"
        branch.leaf(f"cbc:{quantity}", _number(line.quantity), unitCode=line.unit)
        self._amount(branch, "cbc:LineExtensionAmount", line.amount)
        if line.discount is not None:
            self._allowance(branch.branch("cac:AllowanceCharge"), line.discount, is_charge=False)
        item = branch.branch("cac:Item")
        item.leaf("cbc:Name", line.name)
        item.branch("cac:SellersItemIdentification").leaf("cbc:ID", line.seller_code)
        if line.vat_rate is not None:
            vat = Vat(line.vat_rate, None, None, line.vat_category)
            _category(item.branch("cac:ClassifiedTaxCategory"), vat)
        self._amount(branch.branch("cac:Price"), "cbc:PriceAmount", line.net_price)


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _category(branch: Branch, vat: Vat) -> None:
    branch.leaf("cbc:ID", vat.category)
    branch.leaf("cbc:Percent", _number(vat.rate))
    branch.branch("cac:TaxScheme").leaf("cbc:ID", _VAT_SCHEME)


def _party(branch: Branch, party: Party) -> None:
    branch.branch("cac:PartyIdentification").leaf("cbc:ID", party.identifier)
    _address(branch.branch("cac:PostalAddress"), party.address)
    for number, scheme in ((party.vat_id, _VAT_SCHEME), (party.tax_number, _TAX_OFFICE_SCHEME)):
        if number is not None:
            tax = branch.branch("cac:PartyTaxScheme")
            tax.leaf("cbc:CompanyID", number)
            tax.branch("cac:TaxScheme").leaf("cbc:ID", scheme)
    legal = branch.branch("cac:PartyLegalEntity")
    legal.leaf("cbc:RegistrationName", party.name)
    legal.leaf("cbc:CompanyID", party.registration)
    contact = branch.branch("cac:Contact")
    contact.leaf("cbc:Telephone", party.phone)
    contact.leaf("cbc:ElectronicMail", party.email)


def _address(branch: Branch, address: PostalAddress | None) -> None:
    if address is None:
        return
    street = (*address.lines, None, None, None)
    branch.leaf("cbc:StreetName", street[0])
    branch.leaf("cbc:AdditionalStreetName", street[1])
    branch.leaf("cbc:CityName", address.city)
    branch.leaf("cbc:PostalZone", address.postcode)
    branch.leaf("cbc:CountrySubentity", address.subdivision)
    branch.branch("cac:AddressLine").leaf("cbc:Line", street[2])
    branch.branch("cac:Country").leaf("cbc:IdentificationCode", address.country)
